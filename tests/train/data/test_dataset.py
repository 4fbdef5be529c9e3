import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from trailcam_core.errors import DataError
from trailcam_core.images.alignment import THUMBNAIL_PX
from trailcam_train.data.dataset import list_class_folders, scan_dataset, survey_dataset


def _picture(path: Path, width: int = 40, height: int = 30, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def _two_classes(root: Path) -> Path:
    for label in ("hare", "fox"):
        for number in range(3):
            _picture(root / label / f"{number}.jpg", seed=number)
    return root


def test_a_folder_of_folders_is_read_with_sorted_labels_sizes_and_digests(tmp_path: Path) -> None:
    dataset = scan_dataset(_two_classes(tmp_path))
    assert dataset.labels == ("fox", "hare")
    assert [picture.file for picture in dataset.pictures] == [f"{n}/{i}.jpg" for n in ("fox", "hare") for i in range(3)]
    first = dataset.pictures[0]
    assert (first.label, first.width_px, first.height_px) == ("fox", 40, 30)
    assert first.sha256 == hashlib.sha256((tmp_path / "fox/0.jpg").read_bytes()).hexdigest()
    assert dataset.thumbnails is not None
    assert dataset.thumbnails.shape == (6, THUMBNAIL_PX, THUMBNAIL_PX)


def test_the_result_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    assert scan_dataset(tmp_path, threads=1) == scan_dataset(tmp_path, threads=5)


def test_deep_files_count_hidden_ones_do_not_and_others_are_odd(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    _picture(tmp_path / "fox/site-1/night/a.PNG")
    _picture(tmp_path / "fox/.cache/b.jpg")
    _picture(tmp_path / ".trash/c.jpg")
    _picture(tmp_path / "loose.jpg")
    (tmp_path / "fox/.hidden.jpg").write_bytes(b"")
    (tmp_path / "fox/notes.txt").write_text("x")
    dataset = scan_dataset(tmp_path)
    assert "fox/site-1/night/a.PNG" in [picture.file for picture in dataset.pictures]
    assert len(dataset.pictures) == 7
    assert dataset.odd == ("fox/notes.txt", "loose.jpg")
    assert dataset.unreadable == ()


def test_broken_files_are_listed_with_their_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    whole = _picture(tmp_path / "fox/whole.jpg", 200, 200).read_bytes()
    (tmp_path / "fox/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "fox/empty.jpg").write_bytes(b"")
    (tmp_path / "hare/gif.jpg").write_bytes(b"GIF89a" + bytes(40))
    _picture(tmp_path / "hare/tiny.png", 1, 1)
    dataset = scan_dataset(tmp_path)
    reasons = {item.file: item.reason for item in dataset.unreadable}
    assert sorted(reasons) == ["fox/cut.jpg", "fox/empty.jpg", "hare/gif.jpg", "hare/tiny.png"]
    assert "cut off" in reasons["fox/cut.jpg"]
    assert "GIF" in reasons["hare/gif.jpg"]
    assert "1x1 px" in reasons["hare/tiny.png"]
    assert len(dataset.pictures) == 7


def test_the_size_of_a_turned_photograph_is_the_one_that_people_see(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (80, 48)).save(tmp_path / "fox/turned.jpg", exif=exif)
    turned = next(item for item in scan_dataset(tmp_path).pictures if item.file == "fox/turned.jpg")
    assert (turned.width_px, turned.height_px) == (48, 80)


def test_two_folders_may_make_one_class(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    _picture(tmp_path / "red fox/a.jpg", seed=9)
    dataset = scan_dataset(tmp_path, {"fox": "fox", "red fox": "fox", "hare": "hare"})
    assert dataset.labels == ("fox", "hare")
    assert sum(picture.label == "fox" for picture in dataset.pictures) == 4


def test_a_folder_that_the_map_does_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hare: the label map does not name this folder"):
        scan_dataset(_two_classes(tmp_path), {"fox": "fox"})


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        scan_dataset(tmp_path / "nothing")
    with pytest.raises(DataError, match="a file, expected a folder"):
        scan_dataset(_picture(tmp_path / "a.jpg"))


def test_an_empty_folder_and_one_without_class_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        scan_dataset(tmp_path)
    _picture(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="holds 1 pictures but no class folders"):
        list_class_folders(tmp_path)


def test_class_folders_without_a_readable_picture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fox").mkdir()
    (tmp_path / "hare").mkdir()
    (tmp_path / "hare/a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="no readable picture in its class folders; 1 files do not decode"):
        scan_dataset(tmp_path)


def test_one_class_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        _picture(tmp_path / f"fox/{number}.jpg")
    with pytest.raises(DataError, match="only one class, 'fox'"):
        scan_dataset(tmp_path)


def test_naming_the_folder_above_the_classes_is_seen(tmp_path: Path) -> None:
    _two_classes(tmp_path / "download/raw-img")
    with pytest.raises(DataError, match=r"2 folders of pictures in it. If those are the classes, name .*/raw-img"):
        scan_dataset(tmp_path / "download")


def test_a_folder_that_cannot_be_listed_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _two_classes(tmp_path)
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("hare"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"hare: the folder cannot be read \(Permission denied\)"):
        scan_dataset(tmp_path)


def test_tiny_classes_are_refused_by_name_and_number_but_can_be_looked_at(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    _picture(tmp_path / "owl/a.jpg")
    (tmp_path / "wolf").mkdir()
    with pytest.raises(DataError, match=r"of owl \(1\), wolf \(0\), expected at least 3"):
        scan_dataset(tmp_path)
    assert survey_dataset(tmp_path).labels == ("fox", "hare", "owl", "wolf")


def test_a_link_back_to_its_own_folder_is_not_followed_for_ever(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    (tmp_path / "fox/again").symlink_to(tmp_path / "fox")
    assert len(scan_dataset(tmp_path).pictures) == 6


def test_a_name_that_is_not_utf8_is_listed_not_fatal(tmp_path: Path) -> None:
    _two_classes(tmp_path)
    try:
        (tmp_path / "fox" / os.fsdecode(b"\xff.jpg")).write_bytes((tmp_path / "fox/0.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (found,) = scan_dataset(tmp_path).unreadable
    assert "not valid UTF-8" in found.reason
    found.file.encode("utf-8")


def test_labels_that_differ_in_case_only_are_refused_unless_they_are_mapped_to_one(tmp_path: Path) -> None:
    for folder in ("Fox", "fox", "hare"):
        for number in range(3):
            _picture(tmp_path / folder / f"{number}.png")
    with pytest.raises(DataError, match="Fox and fox differ in upper and lower case only"):
        scan_dataset(tmp_path)
    assert scan_dataset(tmp_path, {"Fox": "fox", "fox": "fox", "hare": "hare"}).labels == ("fox", "hare")


@pytest.mark.parametrize("folder", ["x\ny", "caf\udce9"])
def test_a_folder_whose_name_is_no_label_is_named(folder: str, tmp_path: Path) -> None:
    for name in (folder, "hare"):
        (tmp_path / name).mkdir()
        _picture(tmp_path / "0.png").rename(tmp_path / name / "0.png")
    with pytest.raises(DataError, match="its label is ") as caught:
        scan_dataset(tmp_path)
    assert str(caught.value).isprintable()
