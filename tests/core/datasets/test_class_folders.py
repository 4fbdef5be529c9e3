import os
from pathlib import Path

import pytest

from trailcam_core.datasets.class_folders import find_images, list_images, scan_class_folders
from trailcam_core.errors import DataError


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_files_are_listed_by_class_folder_and_the_loose_ones_apart(tmp_path: Path) -> None:
    _touch(tmp_path, "hare/b.jpg", "hare/a/c.PNG", "fox/notes.txt", "loose.webp")
    (tmp_path / "empty").mkdir()

    found = scan_class_folders(tmp_path)

    assert list(found.folders) == ["empty", "fox", "hare"]
    assert found.images("hare") == (tmp_path / "hare/a/c.PNG", tmp_path / "hare/b.jpg")
    assert found.folders["fox"] == (tmp_path / "fox/notes.txt",)
    assert (found.images("fox"), found.images("empty")) == ((), ())
    assert found.loose == (tmp_path / "loose.webp",)


def test_hidden_files_and_folders_are_skipped_everywhere(tmp_path: Path) -> None:
    _touch(tmp_path, ".trash/a.jpg", "fox/.cache/b.jpg", "fox/.c.jpg", ".d.jpg", "fox/e.jpg")
    found = scan_class_folders(tmp_path)
    assert (found.folders, found.loose) == ({"fox": (tmp_path / "fox/e.jpg",)}, ())
    assert list_images(tmp_path) == [tmp_path / "fox/e.jpg"]


@pytest.mark.parametrize(
    "name", ["@eaDir", "@EADIR", "@__thumb", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"]
)
def test_folders_of_the_system_are_no_classes_and_hold_no_pictures(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, f"{name}/a.jpg", f"fox/{name}/b.webp/THUMB_XL.jpg", "fox/e.jpg")
    found = scan_class_folders(tmp_path)
    assert (found.folders, found.loose) == ({"fox": (tmp_path / "fox/e.jpg",)}, ())
    assert list_images(tmp_path) == [tmp_path / "fox/e.jpg"]


def test_photographs_of_other_formats_and_videos_are_named(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "b.txt", *(f"day/IMG_{number}.HEIC" for number in range(5)), "c.CR2", "d.mp4")
    images, left_out = find_images(tmp_path)
    assert images == [tmp_path / "a.jpg"]
    assert left_out == (
        "6 photographs (.cr2 .heic) are left out: c.CR2, day/IMG_0.HEIC, day/IMG_1.HEIC and 3 more. Trailcam reads "
        'JPEG, PNG, WebP and BMP: convert them. 1 video (.mp4) is left out: d.mp4. "trailcam watch --source FILE" '
        "reads one."
    )


def test_a_folder_without_them_has_nothing_left_out(tmp_path: Path) -> None:
    assert find_images(_touch(tmp_path, "a.jpg", "a.JPE", "b.jfif", "notes.txt", "a.xmp"))[1] is None
    assert len(list_images(tmp_path)) == 3


def test_links_are_followed_but_no_folder_is_entered_twice(tmp_path: Path) -> None:
    _touch(tmp_path, "elsewhere/a.jpg", "data/fox/b.jpg")
    (tmp_path / "data/hare").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/fox/again").symlink_to(tmp_path / "data/fox")
    found = scan_class_folders(tmp_path / "data")
    assert found.images("hare") == (tmp_path / "data/hare/a.jpg",)
    assert found.images("fox") == (tmp_path / "data/fox/b.jpg",)


def test_paths_are_ordered_by_their_parts_not_by_their_text(tmp_path: Path) -> None:
    _touch(tmp_path, "a-b/1.jpg", "a/2.jpg")
    assert list_images(tmp_path) == [tmp_path / "a/2.jpg", tmp_path / "a-b/1.jpg"]


def test_a_missing_folder_a_file_and_an_unreadable_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no such folder"):
        scan_class_folders(tmp_path / "nowhere")
    with pytest.raises(DataError, match="a file, expected a folder"):
        scan_class_folders(_touch(tmp_path, "a.jpg") / "a.jpg")

    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"the folder cannot be read \(Permission denied\)"):
        list_images(tmp_path)
