"""A folder of labelled pictures is split so that nothing leaks, and always the same way."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

import trailcam_export.keras_model.split_foreign_data
from trailcam_core.errors import BundleError, ExportError
from trailcam_core.spec import InputSpec
from trailcam_export.foreign.foreign_run import ForeignModel, open_foreign_run, split_foreign_run
from trailcam_export.keras_model.split_foreign_data import split_folder
from trailcam_export.run.plan import ExportRequest, make_plan

LABELS = ("blue", "green", "red")
SPEC = InputSpec(32, 32, "stretch")


def _labels(folder: Path, names: tuple[str, ...] = LABELS) -> Path:
    path = folder / "labels.txt"
    path.write_text("\n".join(names) + "\n")
    return path


def test_each_label_is_split_into_fifths(tiny: Any) -> None:
    rows, notes = split_folder(tiny.data, LABELS, SPEC)
    assert notes == ()
    assert len(rows) == 78
    counts = Counter((row.label, row.split) for row in rows)
    for label in LABELS:
        assert (counts[label, "train"], counts[label, "validation"], counts[label, "test"]) == (5, 5, 16)


def test_the_same_folder_gives_the_same_split_wherever_it_lies(tiny: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny.data, tmp_path / "elsewhere")
    assert split_folder(Path(copy), LABELS, SPEC) == split_folder(tiny.data, LABELS, SPEC)


def test_copies_of_a_picture_stay_together_also_under_another_label(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    for number in range(6):
        image = cv2.imread(str(data / "red" / f"test-{number}.png"))
        brighter = np.clip(image.astype(int) + 4, 0, 255).astype(np.uint8)
        cv2.imwrite(str(data / "red" / f"copy-{number}.png"), brighter)
        shutil.copy(data / "red" / f"test-{number}.png", data / "blue" / f"wrong-{number}.png")
    splits = {row.file: row.split for row in split_folder(data, LABELS, SPEC)[0]}
    for number in range(6):
        assert len({splits[f"red/{name}-{number}.png"] for name in ("test", "copy")}) == 1
        assert splits[f"blue/wrong-{number}.png"] == splits[f"red/test-{number}.png"]


def _burst(data: Path, file: str, count: int) -> None:
    """Put near-duplicates beside a picture, as a camera saves of an animal that stays."""
    image = cv2.imread(str(data / file))
    for number in range(count):
        brighter = np.clip(image.astype(int) + number % 5, 0, 255).astype(np.uint8)
        brighter[0, 0] = number  # another file each
        cv2.imwrite(str(data / Path(file).parent / f"burst-{Path(file).stem}-{number}.png"), brighter)


def test_a_burst_of_pictures_is_one_group_and_the_others_make_up_for_it(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    _burst(data, "red/train-0.png", 29)  # 30 near-duplicates, and 25 single pictures
    rows, notes = split_folder(data, LABELS, SPEC)
    counts = Counter(row.split for row in rows if row.label == "red")
    assert (counts["test"], counts["train"], counts["validation"]) == (33, 11, 11)
    assert "65 test pictures are 36 that differ" in notes[0]


@pytest.mark.parametrize(("bursts", "splits"), [(1, {"test"}), (2, {"test", "train"})])
def test_a_label_of_few_groups_is_measured_on_first(tiny: Any, tmp_path: Path, bursts: int, splits: set[str]) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    for path in list((data / "red").iterdir()):
        if path.name not in [f"test-{number}.png" for number in range(bursts)]:
            path.unlink()
    for number in range(bursts):
        _burst(data, f"red/test-{number}.png", 4)
    rows, notes = split_folder(data, LABELS, SPEC)
    assert {row.split for row in rows if row.label == "red"} == splits
    assert ("nothing calibrates of red" in notes[0]) == (bursts == 1)


def test_a_label_whose_pictures_are_all_another_labels_too_is_told_of(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    splits = {row.file: row.split for row in split_folder(data, LABELS, SPEC)[0]}
    shutil.rmtree(data / "red")
    (data / "red").mkdir()
    copied = next(file for file, split in splits.items() if file.startswith("blue/") and split == "train")
    shutil.copy(data / copied, data / "red" / "wrong.png")
    assert any("nothing is measured on red" in note for note in split_folder(data, LABELS, SPEC)[1])


def test_folders_that_are_not_the_labels_are_refused(tiny: Any) -> None:
    with pytest.raises(ExportError, match="no folder for the label 'yellow'"):
        split_folder(tiny.data, (*LABELS, "yellow"), SPEC)
    with pytest.raises(ExportError, match="the folder 'red' is no label"):
        split_folder(tiny.data, LABELS[:2], SPEC)


def test_too_few_pictures_are_refused_and_files_that_do_not_decode_counted(tiny: Any, tmp_path: Path) -> None:
    for label in LABELS:
        (tmp_path / label).mkdir()
    shutil.copy(tiny.data / "red" / "test-0.png", tmp_path / "red" / "a.png")
    with pytest.raises(ExportError, match="too few"):
        split_folder(tmp_path, LABELS, SPEC)
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    (data / "red" / "broken.png").write_bytes(b"no picture")
    assert split_folder(data, LABELS, SPEC)[1] == ("1 files of photos do not decode and were left out",)


def test_a_plain_model_becomes_a_run_that_says_where_its_split_comes_from(tiny: Any, tmp_path: Path) -> None:
    opened = open_foreign_run(ForeignModel(tiny.path / "model.keras", _labels(tmp_path)), tiny.data)
    run, notes = split_foreign_run(opened, tiny.data)
    assert (run.labels, run.input) == (LABELS, SPEC)
    assert "split from the given folder by this export" in notes[0]
    assert run.provenance["split"] == notes[0]
    assert {row.split for row in run.rows} == {"train", "validation", "test"}


def test_labels_with_duplicates_and_a_missing_folder_are_refused(tiny: Any, tmp_path: Path) -> None:
    model = tiny.path / "model.keras"
    with pytest.raises(BundleError, match="'red' is on lines 1 and 3"):
        open_foreign_run(ForeignModel(model, _labels(tmp_path, ("red", "green", "red"))), tiny.data)
    foreign = ForeignModel(model, _labels(tmp_path))
    with pytest.raises(ExportError, match="needs --data DIR"):
        open_foreign_run(foreign, None)
    with pytest.raises(ExportError, match="no such folder"):
        split_foreign_run(open_foreign_run(foreign, tiny.data), tmp_path / "nowhere")


def test_what_the_model_the_name_and_the_labels_say_is_checked_before_a_picture_is_read(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads(*_: object) -> None:
        raise AssertionError("a picture was read")

    monkeypatch.setattr(trailcam_export.keras_model.split_foreign_data, "fit_file", reads)
    small = keras.Sequential([keras.Input((28, 28, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    silent = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    for name, model in (("small", small), ("silent", silent)):
        tiny.save(model, tmp_path / f"{name}.keras")
    labels, two = _labels(tmp_path), tmp_path / "two.txt"
    two.write_text("blue\ngreen\n")
    for foreign, name, message in (
        (ForeignModel(tmp_path / "small.keras", labels), "good", r"takes \(28, 28\) px, expected 32 to 1024"),
        (ForeignModel(tmp_path / "silent.keras", labels), "good", "does not state its range"),
        (ForeignModel(tiny.path / "model.keras", two), "good", "--labels lists 2 names"),
        (ForeignModel(tiny.path / "model.keras", labels), "Not Allowed", "--name"),
    ):
        with pytest.raises(ExportError, match=message):
            make_plan(ExportRequest(foreign=foreign, data=tiny.data, out=tmp_path / "out", name=name))
