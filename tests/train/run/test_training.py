"""From a folder to a run, through the command line."""

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.datasets.run_directory import read_run, read_split, split_to_bytes
from trailcam_train.fitting.loop import train_model
from trailcam_train.models.runtime import load_network
from trailcam_train.run import finish, training
from trailcam_train.run.finish import judge_run

pytestmark = pytest.mark.usefixtures("eager")

TINY = ["--recipe", "cnn", "--set", "input.height=32", "--set", "input.width=32", "--set", "phases.all.epochs=2"]


@dataclass(frozen=True)
class Made:
    """A folder with a finished run ``runs/first``, and what the command printed."""

    root: Path
    data: Path
    out: str


def words(data: Path, root: Path, name: str, *more: str) -> list[str]:
    return ["train", str(data), *TINY, "--runs", str(root / "runs"), "--name", name, *more]


@pytest.fixture(scope="module")
def made(eager: None, tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Made:
    root = tmp_path_factory.mktemp("made")
    data = root / "data"
    shutil.copytree(photos, data)
    whole = (data / "green" / "0.jpg").read_bytes()
    (data / "green" / "broken.jpg").write_bytes(whole[: len(whole) // 3])
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *parts, end="\n", **rest: lines.append(" ".join(map(str, parts)) + end))
        assert main(words(data, root, "first", "--others", str(photos / "red"))) == 0
    return Made(root, data, "".join(lines))


def test_a_run_has_everything_that_its_readers_expect(made: Made) -> None:
    run = read_run(made.root / "runs" / "first")

    assert sorted(path.name for path in run.path.iterdir()) == [
        "history.csv",
        "labels.json",
        "metrics.json",
        "model.keras",
        "predictions.csv",
        "provenance.json",
        "recipe.toml",
        "report.html",
        "split.csv",
        "tensorboard",
        "unreadable.csv",
    ]
    assert run.labels == ("blue", "green", "red")
    assert (run.input.height, run.input.width, run.input.fit) == (32, 32, "stretch")
    assert run.metrics["test"]["n"] == len(run.pictures("test"))
    assert isinstance(run.metrics["temperature"], float)
    assert set(run.metrics["reject"]) == {
        "score",
        "threshold",
        "animals_kept",
        "animals_kept_low",
        "animals_kept_high",
        "n_animals",
        "others_rejected",
        "n_others",
    }
    assert run.metrics["reject"]["n_others"] == 6
    assert not list((made.root / "runs").glob("*.partial"))


def test_the_saved_model_takes_raw_pixels_in_the_order_of_the_labels(made: Made) -> None:
    run = read_run(made.root / "runs" / "first")
    model = load_network(run.model_path)

    assert model.inputs[0].dtype == "uint8"
    assert model.output_shape == (None, 3)
    assert not [layer for layer in model.layers if type(layer).__name__.startswith("Random")]


def test_predictions_agree_with_the_metrics(made: Made) -> None:
    run = read_run(made.root / "runs" / "first")
    with open(run.path / "predictions.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]

    assert len(rows) == run.metrics["test"]["n"]
    assert np.mean([row["class"] == row["answer"] for row in rows]) == run.metrics["test"]["top1"]


def test_a_broken_picture_is_left_out_and_named(made: Made) -> None:
    run = read_run(made.root / "runs" / "first")

    assert (run.provenance["unreadable"], run.provenance["unreadable_files"]) == ("1", "green/broken.jpg")
    assert "green/broken.jpg" in (run.path / "report.html").read_text()
    assert "green/broken.jpg" not in {row.file for row in run.rows}


def test_the_command_says_what_it_made_and_what_comes_next(made: Made) -> None:
    run = read_run(made.root / "runs" / "first")

    assert "chance      33.3%: the accuracy of always answering blue" in made.out
    assert f"next        {judge_run(run).next_command}\n" in made.out
    assert "6 test pictures prove little" in made.out
    assert "of 6 pictures" in made.out
    assert "1 unreadable pictures" in made.out


def test_a_name_that_is_taken_is_refused_before_any_work(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made.root / "runs" / "first" / "model.keras").read_bytes()

    assert main(words(made.data, made.root, "first")) == 1

    assert "exists already" in capsys.readouterr().err
    assert (made.root / "runs" / "first" / "model.keras").read_bytes() == before


def test_ctrl_c_keeps_the_epochs_and_the_training_goes_on(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in its second epoch and gone on with, it ends with the figures of the run that was not stopped."""

    def interrupted(model: Any, task: Any, folder: Path, progress: Any) -> Any:
        def stop(stage: str, done: int, total: int, note: str = "") -> None:
            if stage == "training" and done == task.batches + 1:
                raise KeyboardInterrupt

        return train_model(model, task, folder, stop)

    monkeypatch.setattr(training, "train_model", interrupted)
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "1")
    split = made.root / "runs" / "first" / "split.csv"
    assert main(words(made.data, tmp_path, "second", "--split", str(split))) == 130
    assert "KERAS_DISTRIBUTION_NUM_PROCESSES=1 trailcam train --resume" in capsys.readouterr().err
    partial = tmp_path / "runs" / "second.partial"
    assert json.loads((partial / "labels.json").read_text()) == ["blue", "green", "red"]
    assert read_split(partial / "split.csv") == read_split(split)
    assert (partial / "history.csv").read_text().count("\n") == 2
    assert main(words(made.data, tmp_path, "second")) == 1  # the name is taken by the unfinished run
    monkeypatch.undo()

    assert main(["train", "--resume", str(tmp_path / "runs" / "second")]) == 0

    def history(folder: Path) -> list[str]:
        return [line.rpartition(",")[0] for line in (folder / "history.csv").read_text().splitlines()]

    assert history(tmp_path / "runs" / "second") == history(made.root / "runs" / "first")
    assert not partial.exists()


@pytest.mark.parametrize("features", [0, 2])
def test_a_student_of_two_teachers_that_is_also_shown_outliers_goes_on_after_ctrl_c(
    features: int,
    made: Made,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, big = made.root / "runs" / "first", tmp_path / "big"
    shutil.copytree(first, big)
    settings = [
        "distillation.views=2",
        "distillation.weight=1",
        f"distillation.features={features}",
        "outliers_weight=0.5",
        "outliers_per_batch=4",
        "sampling=balanced",
        "batch_size=8",
        "phases.all.blend=0.5",
    ]
    more = ["--split", str(first / "split.csv"), "--teacher", f"{first},{big}", "--others", str(photos / "red")]
    for setting in settings:
        more += ["--set", setting]

    def interrupted(model: Any, task: Any, folder: Path, progress: Any) -> Any:
        def stop(stage: str, done: int, total: int, note: str = "") -> None:
            if stage == "training" and done == task.batches + 1:
                raise KeyboardInterrupt

        return train_model(model, task, folder, stop)

    monkeypatch.setattr(training, "train_model", interrupted)
    assert main(words(made.data, tmp_path, "student", *more)) == 130
    monkeypatch.undo()
    partial = tmp_path / "runs" / "student.partial"
    assert {path.name for path in partial.glob("teacher-*")} == {"teacher-0.npy", "teacher-1.npy"}

    model = (big / "model.keras").read_bytes()
    (big / "model.keras").write_bytes(model + b"0")
    assert main(["train", "--resume", str(partial)]) == 1
    assert "changed since this training began" in capsys.readouterr().err
    (big / "model.keras").write_bytes(model)
    assert main(["train", "--resume", str(partial)]) == 0

    run = read_run(tmp_path / "runs" / "student")
    shown = read_split(run.path / "outliers.csv")
    assert [row.file for row in shown] == sorted(path.name for path in (photos / "red").iterdir())[::2]
    assert run.outliers == {row.sha256 for row in shown}
    assert [row["blend"] for row in run.metrics["blends"]] == [0.5]
    with open(run.path / "history.csv", newline="") as file:
        assert [row["blend"] for row in csv.DictReader(file)] == ["1", "1", "0.5"]
    assert len(run.provenance["teacher_sha256"].split(",")) == 2
    left = {path.name for path in run.path.iterdir()}
    assert not {name for name in left if name.endswith((".npz", ".npy")) or name == "lock"}


def test_a_full_disk_at_the_end_leaves_a_training_that_can_be_finished(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = finish.write_file

    def full(path: Path, content: bytes) -> None:
        if path.name == "metrics.json":
            raise OSError(28, "No space left on device", str(path))
        real(path, content)

    monkeypatch.setattr(finish, "write_file", full)
    assert main(words(made.data, tmp_path, "third", "--set", "phases.all.epochs=1")) == 1
    said = capsys.readouterr().err
    assert "disk is full" in said
    assert f"trailcam train --resume {tmp_path / 'runs' / 'third'}" in said
    partial = tmp_path / "runs" / "third.partial"
    assert not [path.name for path in partial.iterdir() if path.name.startswith(".")]
    monkeypatch.undo()

    assert main(["train", "--resume", str(partial)]) == 0
    assert read_run(tmp_path / "runs" / "third").metrics["test"]["n"] == 6


def unfinished(made: Made, folder: Path) -> Path:
    """Return ``folder``/old.partial: the finished run as it was before its report."""
    partial = folder / "old.partial"
    shutil.copytree(made.root / "runs" / "first", partial)
    (partial / "report.html").unlink()
    return partial


def test_going_on_with_nothing_says_so(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(tmp_path / "nothing")]) == 1
    assert "no unfinished run" in capsys.readouterr().err

    assert main(["train", "--resume", str(made.root / "runs" / "first")]) == 1
    assert "finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more", [["--set", "batch_size=4"], ["--seed", "1"], ["--recipe", "cnn"], ["--split", "a.csv"]]
)
def test_going_on_with_other_settings_is_refused(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", str(tmp_path / "run"), *more]) == 1

    assert f"leave out {more[0]}." in capsys.readouterr().err


def test_going_on_with_another_backend_is_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    partial = unfinished(made, tmp_path)
    said = json.loads((partial / "provenance.json").read_text())
    (partial / "provenance.json").write_text(json.dumps({**said, "backend": "jax"}))

    assert main(["train", "--resume", str(tmp_path / "old")]) == 1

    assert f"KERAS_BACKEND=jax trailcam train --resume {tmp_path / 'old'}" in capsys.readouterr().err


def test_a_split_that_parts_copies_is_taken_and_told(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(read_split(made.root / "runs" / "first" / "split.csv"))
    data = tmp_path / "data"
    shutil.copytree(made.data, data)
    trained = next(row for row in rows if row.split == "train")
    twin = Path(trained.file).with_stem("twin").as_posix()
    shutil.copy(data / trained.file, data / twin)
    (tmp_path / "split.csv").write_bytes(split_to_bytes([*rows, replace(trained, file=twin, split="test")]))

    more = ["--split", str(tmp_path / "split.csv"), "--set", "phases.all.epochs=1"]
    assert main(words(data, tmp_path, "parted", *more)) == 0

    assert "1 groups of near-duplicates are in several splits" in capsys.readouterr().out
    assert read_run(made.root / "runs" / "first").provenance["near_duplicates_across"] == "0"


def test_what_a_kill_left_behind_is_not_published(made: Made, tmp_path: Path) -> None:
    partial = tmp_path / "old.partial"
    shutil.copytree(made.root / "runs" / "first", partial)
    (partial / ".trailcam-staging-x").mkdir()
    for name in (
        ".trailcam-staging-x/model.keras",
        ".trailcam-staging-y",
        "trunk-train-0.npy",
        "trunk-train-1.unfinished",
    ):
        (partial / name).write_bytes(b"half")

    assert main(["train", "--resume", str(tmp_path / "old")]) == 0

    assert {path.name for path in (tmp_path / "old").iterdir()} == {
        path.name for path in (made.root / "runs" / "first").iterdir()
    }


def test_pictures_that_changed_since_are_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished(made, tmp_path)
    data = tmp_path / "data"
    shutil.copytree(made.data, data)
    shutil.copy(data / "red" / "1.jpg", data / "red" / "0.jpg")

    assert main(["train", str(data), "--resume", str(tmp_path / "old")]) == 1

    assert "changed since the split was made" in capsys.readouterr().err
