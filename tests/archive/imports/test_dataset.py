"""Samples become a data set that a training reads; nothing is added twice."""

import csv
from pathlib import Path

import cv2
import pytest

from trailcam.main import main
from trailcam_archive.imports.dataset import ImportRules, import_samples
from trailcam_archive.imports.sample import Sample
from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box

LEFT = Box(0.0, 0.25, 0.25, 0.5)


def _samples(media: Path) -> list[Sample]:
    return [
        Sample(str(media / "fox/s1/a.jpg"), "fox", "oak-1", LEFT),
        Sample(str(media / "fox/s1/b.jpg"), "Fox", "oak-1"),
        Sample(str(media / "hare/s2/c.jpg"), "hare", "elm", LEFT, 0.7),
        Sample(str(media / "empty/s2/d.jpg"), None, "elm"),
    ]


def _files(data: Path) -> list[str]:
    return sorted(str(path.relative_to(data).parent) for path in data.rglob("*.jpg"))


def test_an_animal_is_cut_out_as_a_camera_does_and_a_scene_is_kept_whole(media: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    summary = import_samples(_samples(media), data, ImportRules(min_confidence=0.7))
    assert _files(data) == ["negatives/scenes/elm", "photos/fox/oak-1", "photos/fox/oak-1", "photos/hare/elm"]
    assert summary.added == {"fox": 2, "hare": 1, "": 1}
    sizes = {cv2.imread(str(path)).shape for path in data.rglob("*.jpg")}  # type: ignore[union-attr]
    assert sizes == {(260, 260, 3), (400, 800, 3)}  # 1.3 times the longer side of 200 px
    with open(data / "import.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["fox", "fox", "hare", ""]
    assert rows[0]["box"] == "0.00000 0.25000 0.25000 0.50000"


def test_an_import_that_is_repeated_or_goes_on_adds_nothing_twice(media: Path, tmp_path: Path) -> None:
    data, samples = tmp_path / "data", _samples(media)
    import_samples(samples[:2], data, ImportRules(0.5))
    (moved := media.rename(tmp_path / "elsewhere"))
    summary = import_samples(_samples(moved), data, ImportRules(0.5))
    assert summary.known == 2
    assert summary.added == {"hare": 1, "": 1}
    assert len(_files(data)) == 4


def test_what_a_model_is_not_sure_of_and_what_cannot_be_read_is_left_out(media: Path, tmp_path: Path) -> None:
    samples = [
        *_samples(media)[2:3],
        Sample(str(media / "gone.jpg"), "fox", "g"),
        Sample("https://192.0.2.1/a.jpg", "fox", "g"),
    ]
    summary = import_samples(samples, tmp_path / "data", ImportRules(min_confidence=0.71))
    assert (summary.unsure, summary.not_fetched, len(summary.problems)) == (1, 1, 1)
    assert not summary.added
    assert "gone.jpg" in "\n".join(summary.lines())


@pytest.mark.parametrize("label", ["unknown", "Unidentifiable", "unknown animal", "unid.", "?"])
def test_an_animal_whose_kind_is_not_known_is_left_out(media: Path, tmp_path: Path, label: str) -> None:
    samples = [Sample(str(media / "fox/s1/a.jpg"), label, "g"), Sample(str(media / "fox/s1/b.jpg"), "unknown fox", "g")]
    summary = import_samples(samples, tmp_path / "data", ImportRules())
    assert summary.unnamed == 1
    assert summary.added == {"unknown fox": 1}
    assert "1 animals whose kind is not known" in "\n".join(summary.lines())


def test_a_label_is_one_folder_below_the_data_set(media: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    import_samples([Sample(str(media / "fox/s1/a.jpg"), "../../x", "../y")], data, ImportRules())
    assert _files(data) == ["photos/_._.._x/_._y"]


def test_a_folder_of_somebody_else_is_refused(media: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"import\.csv"):
        import_samples(_samples(media), media, ImportRules())


def test_the_command_names_the_training(media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label\nfox/s1/a.jpg,fox\nempty/s2/d.jpg,empty\n")
    data = tmp_path / "data"
    assert main(["data", "import", str(labels), "--media", str(media), "--out", str(data)]) == 0
    printed = capsys.readouterr().out
    assert f"trailcam train {data}/photos --group-by folder --negatives {data}/negatives" in printed
    assert main(["data", "import", str(labels), "--media", str(media / "fox"), "--out", str(data)]) == 1


def test_a_list_that_another_program_saved_with_semicolons_is_refused(media: Path, tmp_path: Path) -> None:
    import_samples(_samples(media), tmp_path / "data", ImportRules(0.5))
    journal = tmp_path / "data" / "import.csv"
    journal.write_text(journal.read_text().replace(",", ";"))
    with pytest.raises(DataError, match="semicolons"):
        import_samples(_samples(media), tmp_path / "data", ImportRules(0.5))


def test_pictures_that_cannot_be_read_are_not_called_unreviewed(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (media / "labels.csv").write_text("file,label\ngone.jpg,fox\n")
    assert main(["data", "import", str(media / "labels.csv"), "--out", str(tmp_path / "data")]) == 1
    error = capsys.readouterr().err
    assert "no labelled picture could be read" in error
    assert "review" not in error
