"""The walk over a card: every file once, whatever the folders look like."""

import os
from pathlib import Path

import pytest

from trailcam_archive.media_files import media_kind, walk_media
from trailcam_core.errors import SourceError


class _Problems:
    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def __call__(self, path: Path, reason: str) -> None:
        self.found.append((path.name, reason))


def _names(folder: Path, problems: _Problems) -> list[str]:
    return [os.fsdecode(os.fsencode(file.relative)) for file in walk_media(folder, problems)]


def test_photographs_and_clips_come_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.mp4", ".hidden.jpg", "notes.txt", "oak/DCIM/1.heic", "oak/2.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    problems = _Problems()
    found = list(walk_media(tmp_path, problems))
    assert [str(file.relative) for file in found] == ["a.mp4", "b.JPG", "oak/2.tif", "oak/DCIM/1.heic"]
    assert [file.kind for file in found] == ["clip", "photograph", "photograph", "photograph"]
    assert problems.found == []


def test_links_and_loops_give_every_file_once(tmp_path: Path) -> None:
    card, elsewhere = tmp_path / "card", tmp_path / "elsewhere"
    for folder in (card / "oak", elsewhere):
        folder.mkdir(parents=True)
        (folder / f"{folder.name}.jpg").write_bytes(b"x")
    (card / "oak" / "loop").symlink_to(card)
    (card / "again.jpg").symlink_to(card / "oak" / "oak.jpg")
    (card / "outside").symlink_to(elsewhere)
    (card / "nothing.jpg").symlink_to(card / "gone.jpg")
    problems = _Problems()
    assert _names(card, problems) == ["oak/oak.jpg", "outside/elsewhere.jpg"]
    assert [name for name, _ in problems.found] == ["nothing.jpg"]


def test_a_name_that_is_not_utf8_and_a_pipe(tmp_path: Path) -> None:
    odd = os.fsdecode(b"fox-\xff.jpg")
    (tmp_path / odd).write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.jpg")
    problems = _Problems()
    assert _names(tmp_path, problems) == [odd]
    assert problems.found == [("pipe.jpg", "a device or pipe, expected a file")]


def test_what_is_no_folder_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    for path in (tmp_path / "a.jpg", tmp_path / "gone"):
        with pytest.raises(SourceError, match="cannot be read as a folder"):
            walk_media(path, _Problems())


def test_the_kind_follows_the_suffix() -> None:
    assert [media_kind(name) for name in ("a.JPEG", "a.avi", "a", "a.json")] == ["photograph", "clip", None, None]


def test_photographs_that_no_decoder_reads_are_told_unless_a_jpeg_has_their_name(tmp_path: Path) -> None:
    for name in ("a.CR2", "a.JPG", "b.nef", "c.gif", "d.txt", ".e.cr2", "oak/a.CR2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    left_out: list[str] = []
    found = list(walk_media(tmp_path, _Problems(), lambda path: left_out.append(str(path.relative_to(tmp_path)))))
    assert ([file.path.name for file in found], left_out) == (["a.JPG"], ["b.nef", "c.gif", "oak/a.CR2"])
