"""Taking a finished run up with new pictures, through the command line."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.datasets.run_directory import read_run
from trailcam_train.models.runtime import load_network
from trailcam_train.run import training
from trailcam_train.run.training import resume_training

pytestmark = pytest.mark.usefixtures("eager")

TINY = ["--recipe", "cnn", "--set", "input.height=32", "--set", "input.width=32", "--set", "phases.all.epochs=2"]
FAST = ["--set", "phases.head.epochs=3", "--set", "phases.head.views=1"]
COUNT = 12  # new pictures of each label


def write_import(root: Path, labels: dict[str, tuple[int, int, int]], count: int = COUNT, seed: int = 5) -> Path:
    """Write a data set as ``trailcam data import`` does: crops of labels in folders of four camera days."""
    rng = np.random.default_rng(seed)
    rows = []
    for label, colour in labels.items():
        for number in range(count):
            noise = cv2.GaussianBlur(rng.integers(0, 256, (40, 48, 3)).astype(np.uint8), (0, 0), 2) // 2
            file = f"photos/{label}/oak-2026-06-0{number % 4 + 1}/{label}{seed}-{number}.jpg"
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / file), noise + np.array(colour, np.uint8))
            rows.append([file, label, f"oak-2026-06-0{number % 4 + 1}", f"stores/oak/{number}.jpg", "0 0 1 1", "1"])
    with open(root / "import.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["file", "label", "group", "source", "box", "confidence"], *rows])
    return root


@pytest.fixture(scope="module")
def folder(eager: None, tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A folder with a finished run ``runs/first``, its pictures in ``old`` and new ones in ``field``."""
    root = tmp_path_factory.mktemp("taken-up")
    shutil.copytree(photos, root / "old")
    assert main(["train", str(root / "old"), *TINY, "--runs", str(root / "runs"), "--name", "first"]) == 0
    write_import(root / "field", {"red": (0, 0, 90), "amber": (0, 60, 90)})
    return root


def words(folder: Path, name: str, *more: str, data: str = "field") -> list[str]:
    runs = ["--runs", str(folder / "runs"), "--name", name]
    return ["train", str(folder / data), "--from", "first", *runs, *FAST, *more]


@pytest.fixture(scope="module")
def second(folder: Path) -> Path:
    """The run ``second``, which took ``first`` up with a new label."""
    assert main(words(folder, "second")) == 0
    return folder / "runs" / "second"


def test_only_the_last_layer_changes_and_old_labels_keep_their_numbers(folder: Path, second: Path) -> None:
    run = read_run(second)
    before, after = (load_network(folder / "runs" / name / "model.keras").get_weights() for name in ("first", "second"))

    assert run.labels == ("blue", "green", "red", "amber")
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(before[:-2], after[:-2], strict=True))
    assert after[-2].shape[-1] == before[-2].shape[-1] + 1
    assert not np.array_equal(before[-2], after[-2][:, :3])


def test_test_pictures_stay_test_pictures_and_no_group_crosses(folder: Path, second: Path) -> None:
    old, new = read_run(folder / "runs" / "first"), read_run(second)
    split_of = {row.sha256: row.split for row in new.rows}

    assert {row.sha256 for row in old.pictures("test")} <= {row.sha256 for row in new.pictures("test")}
    assert all(split_of[row.sha256] == row.split for row in old.rows if row.sha256 in split_of)
    days: dict[str, set[str]] = {}
    for row in new.rows:
        if "/crops/" in row.file:
            days.setdefault(row.file.split("/")[2], set()).add(row.split)
    assert len(days) == 4
    assert all(len(splits) == 1 for splits in days.values())
    assert {row.split for row in new.rows if row.label == "amber"} == {"train", "validation", "test"}


def test_the_run_says_what_it_took_up_and_which_reviews_it_learned_from(folder: Path, second: Path) -> None:
    facts = read_run(second).provenance
    with open(second / "reviews.csv", newline="") as file:
        reviews = list(csv.DictReader(file))
    field = [row for row in read_run(second).rows if "/crops/" in row.file]
    learned = {row.sha256 for row in field if row.split != "test"}

    assert facts["earlier"] == str(folder / "runs" / "first")
    assert (facts["learns"], facts["new_pictures"]) == ("head", str(2 * COUNT))
    assert {row["sha256"] for row in reviews if row["use"] == "learned"} == learned
    assert read_run(second).imported == {row.sha256 for row in field}
    assert facts["frozen_part"] == "unchanged"
    assert reviews[0]["source"].startswith("stores/oak/")
    assert facts["reviews"] == str(len(learned))


def test_the_same_command_gives_the_same_weights(folder: Path, second: Path) -> None:
    assert main(words(folder, "again")) == 0

    first, other = (load_network(folder / "runs" / name / "model.keras").get_weights() for name in ("second", "again"))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(first, other, strict=True))


def test_a_training_that_was_stopped_goes_on_from_the_earlier_run(
    folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_model", stop)
        assert main(words(folder, "stopped")) == 130
    run = resume_training(folder / "runs" / "stopped")

    first, other = (load_network(path / "model.keras").get_weights() for path in (second, run.path))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(first, other, strict=True))


def test_a_second_import_goes_on_from_the_second_run(folder: Path, second: Path) -> None:
    write_import(folder / "later", {"amber": (0, 60, 90)}, seed=9)

    command = words(folder, "third", "--learn", "whole", "--set", "phases.all.epochs=1", data="later")
    command[3] = str(second)
    assert main(command) == 0

    old, new = read_run(second), read_run(folder / "runs" / "third")
    assert new.labels == old.labels
    assert {row.sha256 for row in old.pictures("test")} <= {row.sha256 for row in new.pictures("test")}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--recipe", "xception"], "a run of the network cnn, and --recipe is xception"),
        (["--weights", "imagenet"], "leave out --weights"),
        (["--set", "input.height=64"], "its weights are of 32x32 px"),
        (["--without-old-data", "--replay", "5"], "shows no old picture"),
    ],
)
def test_options_that_contradict_the_earlier_run_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(words(folder, "refused", *more)) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "runs" / "refused.data").exists()


def test_a_label_in_other_letters_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_import(folder / "spelled", {"Red": (0, 0, 90)})

    assert main(words(folder, "refused", data="spelled")) == 1
    assert "'Red' is 'red' in other letters" in capsys.readouterr().err


def test_a_new_label_of_three_pictures_is_refused_and_trained_with_few(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_import(folder / "three", {"amber": (0, 60, 90)}, count=3)

    assert main(words(folder, "refused", data="three")) == 1
    assert "'amber' has 3 pictures in 3 groups" in capsys.readouterr().err
    assert main(words(folder, "few", "--few", data="three")) == 0
    assert read_run(folder / "runs" / "few").labels[-1] == "amber"


def test_pictures_that_the_earlier_run_has_are_not_new(
    folder: Path, second: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = [*words(folder, "refused")]
    again[3] = str(second)

    assert main(again) == 1
    assert "no picture is new" in capsys.readouterr().err


def test_without_the_old_pictures_the_user_decides(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old").rename(folder / "moved")
    try:
        assert main(words(folder, "alone")) == 1
        assert "are gone" in capsys.readouterr().err
        assert main(words(folder, "moved-run", "--old-data", str(folder / "moved"))) == 0
        assert main(words(folder, "alone", "--without-old-data")) == 0
    finally:
        (folder / "moved").rename(folder / "old")
    run = read_run(folder / "runs" / "alone")
    assert all("/crops/" in row.file for row in run.rows)
    assert json.loads((run.path / "labels.json").read_text())[:3] == ["blue", "green", "red"]


def test_an_unfinished_run_and_a_changed_one_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(folder / "runs" / "first", folder / "runs" / "damaged")
    (folder / "runs" / "damaged" / "model.keras").unlink()

    assert main(["train", str(folder / "field"), "--from", str(folder / "runs" / "damaged")]) == 1
    assert "not a finished run" in capsys.readouterr().err


def test_several_hosts_are_refused_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trailcam_train.fitting.multi_host.host_count", lambda: 2)

    assert main(words(folder, "hosts", data="nowhere")) == 1

    assert "an earlier run is taken up on one host, here are 2" in capsys.readouterr().err
    assert not (folder / "runs" / "hosts.partial").exists()
