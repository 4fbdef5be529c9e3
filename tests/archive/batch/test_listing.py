"""The list of files: streamed, each once, with loops, links and odd names."""

import os
from itertools import chain, islice
from pathlib import Path

import pytest

from trailcam_archive.batch import listing
from trailcam_archive.batch.listing import Shard, Skipped, check_sources, list_files, read_shard
from trailcam_core.errors import SourceError


def listed(folder: Path, skipped: Skipped | None = None, shard: Shard | None = None) -> list[str]:
    return [found.relative for found in list_files([str(folder)], shard or Shard(), skipped or Skipped())]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    card = tmp_path / "card"
    for name in (
        "b.jpg",
        "a.JPG",
        "z/1.jpg",
        "z/y/2.mp4",
        ".hidden.jpg",
        "@eaDir/t.jpg",
        "notes.txt",
        "c.heic",
        "d.tif",
    ):
        (card / name).parent.mkdir(parents=True, exist_ok=True)
        (card / name).write_bytes(b"x")
    return card


def test_files_of_a_folder_come_before_those_of_its_sub_folders(card: Path) -> None:
    skipped = Skipped()
    assert listed(card, skipped) == ["a.JPG", "b.jpg", "c.heic", "d.tif", "z/1.jpg", "z/y/2.mp4"]
    assert dict(skipped.suffixes) == {".txt": 1, ".jpg": 1}


def test_links_are_followed_and_no_folder_is_entered_twice(card: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "3.jpg").write_bytes(b"x")
    (card / "loop").symlink_to(card)
    (card / "out").symlink_to(tmp_path / "other")
    (card / "self").symlink_to(card / "self")
    (card / "copy.jpg").symlink_to(card / "b.jpg")
    (card / "outside.jpg").symlink_to(tmp_path / "other" / "3.jpg")
    (card / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    (card / "lost.jpg").symlink_to(card / "nothing.jpg")
    skipped = Skipped()
    found = listed(card, skipped)
    assert found == [
        "a.JPG", "b.jpg", "c.heic", "d.tif", "lost.jpg", "nowhere.jpg", "outside.jpg",
        "out/3.jpg", "z/1.jpg", "z/y/2.mp4"
    ]  # fmt: skip
    assert skipped.links == 1


def test_a_name_that_is_not_utf8_is_listed(card: Path) -> None:
    with open(os.fsencode(card) + b"/\xff.jpg", "wb") as file:
        file.write(b"x")
    assert "\udcff.jpg" in listed(card)


def test_a_large_folder_is_not_read_before_the_first_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}.jpg").write_bytes(b"x")
    monkeypatch.setattr(listing, "_SORTED_ENTRIES", 10)
    read = []
    look = listing._Walk._look_at
    monkeypatch.setattr(listing._Walk, "_look_at", lambda *words: read.append(1) or look(*words))
    found = list(islice(list_files([str(tmp_path)], Shard(), Skipped()), 3))
    assert len(found) == len(read) == 3
    assert sorted(listed(tmp_path)) == [f"{number:02}.jpg" for number in range(50)]


def test_shards_part_the_files(card: Path) -> None:
    parts = [listed(card, shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(chain.from_iterable(parts)) == sorted(listed(card))
    assert read_shard("2/3") == Shard(2, 3)
    for text in ("0/3", "4/3", "3", "a/b", "1/0", "-1/3"):
        with pytest.raises(ValueError, match="expected I/N"):
            read_shard(text)


def test_a_folder_that_cannot_be_read_costs_itself(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("/z"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(list_files([str(card)], Shard(), Skipped()))
    assert [item.relative for item in found] == ["a.JPG", "b.jpg", "c.heic", "d.tif", "z"]
    assert "the folder cannot be read (Permission denied)" in (found[-1].problem or "")


def test_files_and_addresses_are_sources(card: Path) -> None:
    sources = [str(card / "b.jpg"), "https://user:secret@host/p/x.jpg?token=1"]
    check_sources(sources)
    file, address = list_files(sources, Shard(), Skipped())
    assert (file.source, file.relative) == (str(card), "b.jpg")
    assert address.reference == sources[1]
    assert "secret" not in address.source + address.relative
    assert address.relative == "x.jpg"
    with pytest.raises(SourceError, match="no such file or folder"):
        check_sources([str(card / "nothing.jpg")])


def test_a_storage_is_listed_by_its_driver() -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec, the extra cluster")
    memory = fsspec.filesystem("memory")
    memory.store.clear()  # of this process: other tests use it too
    for name in ("/bucket/n/1.jpg", "/bucket/2.jpg", "/bucket/notes.txt", "/bucket/clip.mp4"):
        memory.pipe(name, b"x")
    found = list(list_files(["memory://bucket"], Shard(), Skipped()))
    assert sorted(item.relative for item in found) == ["2.jpg", "clip.mp4", "n/1.jpg"]
    assert {item.relative: item.problem is None for item in found}["clip.mp4"] is False
    assert {item.relative: item.reference for item in found}["n/1.jpg"] == "memory:///bucket/n/1.jpg"
