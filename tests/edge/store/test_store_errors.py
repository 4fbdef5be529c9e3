"""A full, a read-only and a failing disk: told apart, and survived."""

import contextlib
import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.store_errors import (
    DISK_FAILING,
    DISK_FULL,
    DISK_READ_ONLY,
    LOCKED,
    NO_FOLDER,
    NO_PERMISSION,
    StoreCorruptError,
    StoreUnavailableError,
    translate_error,
)

from ..conftest import MakeVisit, OpenStore


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB; needs to be allowed to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def _fill(path: Path) -> None:
    """Let a file grow until the disk is full."""
    with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, DISK_FULL),
        (errno.EDQUOT, DISK_FULL),
        (errno.EROFS, DISK_READ_ONLY),
        (errno.EIO, DISK_FAILING),
        (errno.EACCES, NO_PERMISSION),
        (errno.EPERM, NO_PERMISSION),
        (errno.ENOENT, NO_FOLDER),
        (errno.ENOTDIR, NO_FOLDER),
        (errno.EEXIST, NO_FOLDER),
        (errno.ENAMETOOLONG, NO_FOLDER),
        (errno.ELOOP, NO_FOLDER),
    ],
)
def test_the_systems_errors_have_reasons_and_cures(number: int, reason: str) -> None:
    error = translate_error(OSError(number, os.strerror(number)), "/data")
    assert isinstance(error, StoreUnavailableError)
    assert error.reason == reason
    assert str(error).startswith(f"/data: {reason}")


def test_a_folder_that_cannot_be_one_is_no_failing_disk(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for place in (tmp_path / "file", tmp_path / "file" / "store", tmp_path / "loop", tmp_path / ("x" * 300)):
        with pytest.raises(StoreUnavailableError, match="check its path") as stopped:
            open_store(place)
        assert stopped.value.reason == NO_FOLDER


def test_a_database_of_another_user_is_no_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    for code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = code
        assert getattr(translate_error(error, tmp_path), "reason", "") == NO_PERMISSION


def test_sqlites_own_errors_are_told_apart() -> None:
    damaged = sqlite3.DatabaseError("malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_INDEX
    assert isinstance(translate_error(damaged, "x"), StoreCorruptError)
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert getattr(translate_error(full, "x"), "reason", "") == DISK_FULL


def test_a_locked_database_is_no_failing_disk(open_store: OpenStore, tmp_path: Path) -> None:
    open_store().close()
    other = sqlite3.connect(tmp_path / "store" / "events.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trailcam_edge.store.open_database._BUSY_S", 0.01)
        with pytest.raises(StoreUnavailableError, match="Another program holds the database") as stopped:
            open_store()
    assert stopped.value.reason == LOCKED
    other.close()
    assert not (tmp_path / "store" / "set-aside").exists()


def test_an_error_of_our_own_statements_is_damage_and_no_failing_disk() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("SELECT event_id FROM visits")
        assert isinstance(translate_error(raised.value, "x"), StoreCorruptError)
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()
        assert isinstance(translate_error(raised.value, "x"), StoreCorruptError)


def test_on_a_full_disk_pictures_go_first_then_rows_wait_and_all_goes_on(
    small_disk: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    store = open_store(small_disk / "store")
    store.add_visit(make_visit(0))
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - 40_000))  # less than a picture, more than a row
    store.add_visit(make_visit(1))
    assert store.events_after(0, 5)[1].picture_state == "dropped"
    _fill(ballast)
    number = 2
    reason = None
    while reason is None:
        try:
            number = store.add_visit(make_visit(number, best_frame=None))
        except StoreUnavailableError as error:
            reason = error.reason
    assert reason == DISK_FULL
    ballast.unlink()
    assert store.add_visit(make_visit(number)) == number + 1
    assert [event.event_id for event in store.events_after(0, 50_000)] == list(range(1, number + 2))


def test_a_disk_that_turned_read_only_is_said_and_can_still_be_read(
    small_disk: Path, open_store: OpenStore, make_visit: MakeVisit
) -> None:
    store = open_store(small_disk / "store")
    store.add_visit(make_visit(0))
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnavailableError) as stopped:
        open_store(small_disk / "store")
    assert stopped.value.reason == DISK_READ_ONLY
    with open_reader(small_disk / "store") as reader:
        assert len(list(reader.events())) == 1
