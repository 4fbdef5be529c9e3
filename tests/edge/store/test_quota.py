"""Quota for a picture: every byte of the store counts, the limit and the floor of free space hold to the byte."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.store import quota as quota_module
from trailcam_edge.store.open_database import SET_ASIDE_FOLDER
from trailcam_edge.store.quota import Quota
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.store_errors import DISK_FULL, StoreUnavailableError

BLOCK = 4096
MAX = 4096 * BLOCK  # an odd share of it is another number of blocks
LIMITS = StoreSettings(max_bytes=MAX, min_free_bytes=500 * BLOCK)
LOG = 2_000_000  # reserved for the write-ahead log
SLACK = MAX // 64
FREE_ENOUGH = 10**12


class FakePictures:
    """A folder of pictures of one block each; ``steps`` are the calls that change something, in order."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.kept = dict(enumerate(labels))
        self.steps: list[str] = []

    @property
    def bytes_on_disk(self) -> int:
        return BLOCK * len(self.kept)

    def remove(self, visit_id: str) -> None:
        self.steps.append(f"remove {visit_id}")
        self.kept.pop(int(visit_id), None)


class FakeDatabase:
    """The rows of these pictures; the first ``failures`` transactions find the disk full."""

    def __init__(self, pictures: FakePictures, size_bytes: int, failures: int) -> None:
        self._pictures = pictures
        self._size_bytes = size_bytes
        self._failures = failures
        self.reason = DISK_FULL
        self.pragmas = {"page_count": 0, "freelist_count": 0, "max_page_count": 1000}
        self.rows_deleted: list[tuple[str, int]] = []

    def bytes_on_disk(self) -> int:
        return self._size_bytes

    def one(self, query: str) -> int:
        name, _, value = query.removeprefix("PRAGMA ").partition(" = ")
        if value:
            self.pragmas[name] = int(value)
        return self.pragmas[name]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if "GROUP BY label" in query:
            return list(Counter(self._pictures.kept.values()).items())
        if "clips" in query or "FROM samples" in query:
            return []
        kept = reversed(self._pictures.kept.items())
        return [(number, str(number), label, BLOCK, 0.9, float(number)) for number, label in kept]

    @contextmanager
    def transaction(self) -> Iterator["FakeDatabase"]:
        self._failures -= 1
        if self._failures >= 0:
            raise StoreUnavailableError("the disk does not write.", self.reason)
        yield self

    def execute(self, query: str, values: tuple[str, int] = ("", 0)) -> list[tuple[str, int]]:
        """Delete the oldest rows of a label; every second one has a picture. No reviews, samples and clips."""
        if any(f"FROM {table}" in query for table in ("reviews", "samples", "clips")):
            return []
        label, number = values
        self.rows_deleted.append(values)
        oldest = [row for row, name in self._pictures.kept.items() if name == label][:number]
        return [(str(row), BLOCK * (row % 2)) for row in oldest]

    @contextmanager
    def translated(self) -> Iterator[None]:
        yield

    def executemany(self, query: str, rows: Sequence[tuple[int]]) -> None:
        self._pictures.steps += [f"note {number}" for (number,) in rows]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets the free space of the disk."""

    def set_free(free_bytes: int) -> None:
        disk = type("Disk", (), {"free": free_bytes})
        monkeypatch.setattr(quota_module.shutil, "disk_usage", lambda path: disk)

    set_free(FREE_ENOUGH)
    return set_free


def _room(pictures: FakePictures, folder: Path, database_bytes: int = 0, failures: int = 0) -> Quota:
    database = FakeDatabase(pictures, database_bytes, failures)
    return _quota(folder, database, pictures)


def _quota(folder: Path, database: FakeDatabase, pictures: FakePictures) -> Quota:
    return Quota(replace(LIMITS, folder=folder), database, pictures, FakePictures([]))  # type: ignore[arg-type]


def _full(pictures: FakePictures, folder: Path, over_bytes: int, set_aside_bytes: int = 0, failures: int = 0) -> Quota:
    """Return a room in which a picture of one block is ``over_bytes`` too much for the limit."""
    if set_aside_bytes:
        place = folder / SET_ASIDE_FOLDER / "0001-before"
        place.mkdir(parents=True)
        with (place / "events.db").open("wb") as file:
            file.truncate(set_aside_bytes)
    database_bytes = MAX - LOG - set_aside_bytes - pictures.bytes_on_disk - BLOCK + over_bytes
    return _room(pictures, folder, database_bytes, failures)


def test_a_picture_that_just_fits_deletes_nothing(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 100)
    assert _full(pictures, tmp_path, 0).reserve_picture(BLOCK)
    assert pictures.steps == []


def test_a_picture_is_counted_in_whole_blocks(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 100)
    assert _full(pictures, tmp_path, 0).reserve_picture(BLOCK + 1)
    assert len(pictures.kept) < 100


@pytest.mark.parametrize("over_bytes", [1, BLOCK, 10 * BLOCK])
def test_beyond_the_limit_what_is_over_and_the_slack_are_deleted(tmp_path: Path, free: Any, over_bytes: int) -> None:
    pictures = FakePictures(["deer"] * 100)
    assert _full(pictures, tmp_path, over_bytes).reserve_picture(BLOCK)
    assert 100 - len(pictures.kept) == -(-(over_bytes + SLACK) // BLOCK)
    assert pictures.steps[0] == "note 0"


def test_what_was_set_aside_counts_like_everything_else(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 100)
    room = _full(pictures, tmp_path, 1, set_aside_bytes=200 * BLOCK)
    assert room.usage().set_aside_bytes == 200 * BLOCK
    assert room.reserve_picture(BLOCK)
    assert len(pictures.kept) < 100


def test_for_the_limit_the_last_picture_of_a_label_goes_too(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer", "wolf"])
    assert _full(pictures, tmp_path, 2 * BLOCK).reserve_picture(BLOCK)
    assert pictures.kept == {}


def test_a_picture_that_deleting_everything_does_not_fit_is_refused(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer", "wolf"])
    assert not _full(pictures, tmp_path, 2 * BLOCK + 1).reserve_picture(BLOCK)


@pytest.mark.parametrize(("spare_bytes", "deleted"), [(0, 0), (-1, -(-(1 + SLACK) // BLOCK))])
def test_the_floor_of_free_space_holds_to_the_byte(tmp_path: Path, free: Any, spare_bytes: int, deleted: int) -> None:
    pictures = FakePictures(["deer"] * 100)
    free(LIMITS.min_free_bytes + BLOCK + spare_bytes)
    assert _room(pictures, tmp_path).reserve_picture(BLOCK)
    assert 100 - len(pictures.kept) == deleted


@pytest.mark.parametrize(("short_bytes", "fits"), [(9 * BLOCK, True), (9 * BLOCK + 1, False)])
def test_for_the_floor_it_is_enough_to_free_what_is_short(
    tmp_path: Path, free: Any, short_bytes: int, fits: bool
) -> None:
    """The slack is deleted where there is something to delete; without it the picture still fits."""
    pictures = FakePictures(["deer"] * 10)  # one of them is spared
    free(LIMITS.min_free_bytes + BLOCK - short_bytes)
    assert _room(pictures, tmp_path).reserve_picture(BLOCK) is fits
    assert list(pictures.kept) == [9]


def test_what_the_limit_freed_counts_for_the_floor(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 100)
    room = _full(pictures, tmp_path, BLOCK)
    freed = -(-(BLOCK + SLACK) // BLOCK)
    free(LIMITS.min_free_bytes + BLOCK - freed * BLOCK)
    assert room.reserve_picture(BLOCK)
    assert 100 - len(pictures.kept) == freed


def test_for_the_floor_only_what_the_limit_did_not_free_is_deleted(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 200)
    room = _full(pictures, tmp_path, BLOCK)
    freed = -(-(BLOCK + SLACK) // BLOCK)
    free(LIMITS.min_free_bytes + BLOCK - (freed + 3) * BLOCK)
    assert room.reserve_picture(BLOCK)
    assert 200 - len(pictures.kept) == freed + -(-(3 * BLOCK + SLACK) // BLOCK)


def test_the_oldest_of_the_commonest_goes_and_the_rare_stays(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["wolf", *["deer"] * 99])
    assert _full(pictures, tmp_path, 1).reserve_picture(BLOCK)
    assert list(pictures.kept) == [0, *range(1 + -(-(1 + SLACK) // BLOCK), 100)]


def test_a_picture_is_forgotten_before_it_is_removed(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer", "wolf"])
    assert _full(pictures, tmp_path, 1).reserve_picture(BLOCK)
    assert pictures.steps[:2] == ["note 0", "note 1"]
    assert set(pictures.steps[2:]) == {"remove 0", "remove 1"}


def test_on_a_disk_too_full_for_the_note_pictures_are_removed_first(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer", "wolf"])
    assert _full(pictures, tmp_path, 1, failures=1).reserve_picture(BLOCK)
    assert set(pictures.steps[:2]) == {"remove 0", "remove 1"}
    assert pictures.steps[2:4] == ["note 0", "note 1"]


def test_a_disk_that_fails_otherwise_loses_no_picture(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer", "wolf"])
    database = FakeDatabase(pictures, MAX, failures=1)
    database.reason = "disk read-only"
    with pytest.raises(StoreUnavailableError):
        _quota(tmp_path, database, pictures).reserve_picture(BLOCK)
    assert pictures.steps == []


def test_the_database_gets_a_quarter_of_the_room_in_pages(tmp_path: Path, free: Any) -> None:
    database = FakeDatabase(FakePictures([]), 0, 0)
    _quota(tmp_path, database, FakePictures([]))
    assert database.pragmas["max_page_count"] == 1024


@pytest.mark.parametrize(
    ("pages", "unused", "deleted"),
    [(474, 0, 0), (475, 0, 2), (480, 6, 0), (480, 5, 2)],  # 95 % of 500 pages; 2 % of 100 rows
)
def test_rows_are_deleted_when_nearly_all_pages_are_used(
    tmp_path: Path, free: Any, pages: int, unused: int, deleted: int
) -> None:
    pictures = FakePictures(["wolf", *["deer"] * 99])
    database = FakeDatabase(pictures, 0, 0)
    room = _quota(tmp_path, database, pictures)
    database.pragmas = {"page_count": pages, "freelist_count": unused, "max_page_count": 500}
    room.reserve_rows()
    assert database.rows_deleted == ([("deer", deleted)] if deleted else [])
    assert pictures.steps == (["remove 1"] if deleted else [])  # a row without a picture has none to remove


def test_of_few_rows_one_is_deleted(tmp_path: Path, free: Any) -> None:
    pictures = FakePictures(["deer"] * 3)
    database = FakeDatabase(pictures, 0, 0)
    room = _quota(tmp_path, database, pictures)
    database.pragmas["page_count"] = 1024
    room.reserve_rows()
    assert database.rows_deleted == [("deer", 1)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_bytes": 3_999_999}, "max_bytes is 3999999, expected 4,000,000 or more"),
        ({"min_free_bytes": -1}, "min_free_bytes"),
        ({"jpeg_quality": 0}, "jpeg_quality"),
        ({"jpeg_quality": 101}, "jpeg_quality"),
    ],
)
def test_limits_beyond_their_bounds_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StoreSettings(**changes)


def test_limits_at_their_bounds_are_taken() -> None:
    assert StoreSettings(max_bytes=4_000_000, min_free_bytes=0, jpeg_quality=1).max_set_aside_bytes == 1_000_000
    assert StoreSettings(jpeg_quality=100) == StoreSettings(
        max_bytes=2_000_000_000, min_free_bytes=200_000_000, jpeg_quality=100
    )
    assert StoreSettings().jpeg_quality == 90
