"""Open the database of a store: lock, check, migrate, or set a damaged one aside."""

import fcntl
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trailcam_core.errors import DeviceError
from trailcam_core.files.atomic import write_file
from trailcam_edge.store.disk.checksums import CheckedConnection, find_damaged, keep_sealed, sealed_tables, take_out
from trailcam_edge.store.disk.picture_folder import size_on_disk
from trailcam_edge.store.schema import APPLICATION_ID, MIGRATIONS, check_rows, has_tables, migrate
from trailcam_edge.store.store_errors import VALUE_ERRORS, StoreCorruptError, translate_error

DATABASE_FILE = "events.db"
PICTURES_FOLDER = "pictures"
CLIPS_FOLDER = "clips"
SET_ASIDE_FOLDER = "set-aside"
_log = logging.getLogger(__name__)
_LOCK_FILE = "lock"
_BUSY_S = 5.0
_FORMATS = slice(18, 20)  # write and read version in the header: 1 with a rollback journal, 2 with a write-ahead log
_WAL_FORMAT = 2
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on the disk when it returns
    "foreign_keys = ON",
    "wal_autocheckpoint = 256",  # 1 MB: the write-ahead log stays small
    "journal_size_limit = 2000000",  # and becomes small again after a reader has hung: a pager that was left open
    "temp_store = MEMORY",  # the triggers need no disk
    "cache_size = -1024",  # 1 MB instead of 2
)
_CHECK_FILE = "check"  # present while all rows have to be checked
_SMALL_BYTES = 8_000_000  # some 25,000 visits: all are checked in a fraction of a second
_NEWEST_ROWS = 20_000
_PICTURES = "SELECT visit_id FROM visits WHERE picture_bytes > 0"
_CLIPS = (
    "SELECT visit_id FROM clips WHERE visit_id IN (SELECT visit_id FROM visits UNION SELECT visit_id FROM open_visits)"
)


class Lock:
    """Lock of the one process that writes to a store; the system releases it however that process ends."""

    def __init__(self, folder: Path) -> None:
        """Acquire the lock.

        Raises:
            DeviceError: another process holds it.
            OSError: the folder cannot be written to.
        """
        self._descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise DeviceError(
                f"{folder}: another process stores its events here. Stop it, or name another folder for this one."
            ) from error

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def open_database(folder: Path, migrations: Sequence[str] = MIGRATIONS) -> CheckedConnection:
    """Open the database for writing, create it or migrate it to the newest schema; the caller holds the lock.

    Damaged rows are set aside. A large database is checked in part: its pages, and its newest rows. All of it is
    checked before a migration, and after ``ask_for_check``.

    Raises:
        StoreCorruptError: it is damaged.
        StoreUnavailableError: the disk is full, read-only or failing, or another program holds the database.
        DeviceError: it belongs to a newer Trailcam, or to another program.
    """
    path = folder / DATABASE_FILE
    try:
        _check_header(path)
        connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, factory=CheckedConnection
        )
        try:
            version = _check(connection, path, migrations)
            _check_structure(connection, path, migrations[:version])
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            size_bytes = path.stat().st_size
            whole = version < len(migrations) or size_bytes <= _SMALL_BYTES or (folder / _CHECK_FILE).exists()
            _set_rows_aside(connection, folder, None if whole else _NEWEST_ROWS)
            if whole:
                _check_indices(connection, path)
            migrate(connection, migrations)
            if whole and len(migrations) == len(MIGRATIONS):  # the rules are those of the newest tables
                check_rows(connection)
                (folder / _CHECK_FILE).unlink(missing_ok=True)
            keep_sealed(connection)
            connection.execute("PRAGMA shrink_memory")  # the pages that only the checks have needed
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, *VALUE_ERRORS) as error:
        raise translate_error(error, path) from error
    return connection


def ask_for_check(folder: Path) -> None:
    """Let the next opening check every row, because damage was found. A disk that refuses this changes nothing."""
    try:
        (folder / _CHECK_FILE).touch()
    except OSError as error:
        _log.debug("%s: %s", folder / _CHECK_FILE, error)


def open_read_only(folder: Path) -> CheckedConnection:
    """Open the database for reading beside a process that writes, or on a disk that is read-only.

    Raises:
        DeviceError: there is none, it is damaged, of another schema, or not Trailcam's.
    """
    path = folder / DATABASE_FILE
    if not path.is_file():
        raise DeviceError(
            f'{folder}: no events here (no {DATABASE_FILE}). Name the folder of the store with "--store".'
        )
    # Reading a WAL database needs a writable folder for its index; in a read-only one there is no writer either.
    options = "mode=ro" if os.access(folder, os.W_OK) else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{options}", uri=True, timeout=_BUSY_S, factory=CheckedConnection
        )
        try:
            version = _check(connection, path, MIGRATIONS)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, *VALUE_ERRORS) as error:
        raise translate_error(error, path) from error
    if version < len(MIGRATIONS):
        connection.close()
        raise DeviceError(
            f'{path}: its schema is version {version}, expected {len(MIGRATIONS)}. Start "trailcam watch" once: it '
            "brings the database up to date."
        )
    return connection


def _check_header(path: Path) -> None:
    """Refuse format numbers with which SQLite takes a file for one of a future version, and only reads it."""
    if not path.exists():
        return
    with open(path, "rb") as file:
        formats = file.read(_FORMATS.stop)[_FORMATS]
    if any(number > _WAL_FORMAT for number in formats):
        raise StoreCorruptError(f"{path}: the database is damaged (file format {max(formats)}).")


def _check(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> int:
    """Return the version of the schema, 0 for a new database.

    Raises:
        StoreCorruptError: the number of the version or of the program is damaged.
        DeviceError: it belongs to a newer Trailcam, or to another program.
    """
    newest = len(migrations)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    is_new = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    if not is_new and application != APPLICATION_ID:
        if any(has_tables(connection, migrations[: number + 1]) for number in range(newest)):
            raise StoreCorruptError(f"{path}: the database is damaged (application_id {application}).")
        raise DeviceError(f"{path}: not a database of Trailcam. Name another folder for the store.")
    # One bit more in the version of tables that are known is a flipped bit, and no newer Trailcam.
    is_flipped = version > newest and (version ^ newest).bit_count() == 1 and has_tables(connection, migrations, True)
    if version < 0 or is_flipped:
        raise StoreCorruptError(f"{path}: the database is damaged (user_version {version}).")
    if version > newest:
        raise DeviceError(
            f"{path}: its schema is version {version}, this Trailcam knows versions up to {newest}. Update Trailcam, "
            "or name another folder for the store."
        )
    return version


def _check_structure(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict == "ok" and not has_tables(connection, migrations):
        verdict = "its tables are not those of its schema"
    if verdict != "ok":
        raise StoreCorruptError(f"{path}: the database is damaged ({verdict}).")


def _check_indices(connection: sqlite3.Connection, path: Path) -> None:
    """Check that tables and indices agree; where the rows have checksums, the indices are made anew."""
    verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok" and sealed_tables(connection):
        connection.execute("REINDEX")
        verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok":
        raise StoreCorruptError(f"{path}: the database is damaged ({verdict}).")


def _set_rows_aside(connection: CheckedConnection, folder: Path, newest: int | None) -> None:
    """Move rows whose checksum is wrong, of the ``newest`` or of all, to a file in ``set-aside``.

    Their pictures follow. A row that others refer to cannot be taken out: then the whole database is damaged.
    """
    found = {table: find_damaged(connection, table, newest) for table in sealed_tables(connection)}
    number = sum(map(len, found.values()))
    if not number:
        return
    place = _new_place(folder)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("REINDEX")  # a row is only found for deletion where its indices agree with it
        rows = [
            json.dumps({"table": table} | row) + "\n"
            for table, numbers in found.items()
            for row in take_out(connection, table, numbers)
        ]
        write_file(place / "rows.jsonl", "".join(rows).encode())
        if found.get("visits") or found.get("samples"):
            _move_files(connection, _PICTURES, folder / PICTURES_FOLDER, place / PICTURES_FOLDER)
        if found.get("visits") or found.get("clips"):
            _move_files(connection, _CLIPS, folder / CLIPS_FOLDER, place / CLIPS_FOLDER)
        connection.execute("COMMIT")
    except BaseException as error:
        connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise StoreCorruptError(f"{folder / DATABASE_FILE}: the database is damaged ({error}).") from error
        raise
    _log.error("%s: %d damaged rows were set aside in %s. All others are kept.", folder / DATABASE_FILE, number, place)


def _move_files(connection: sqlite3.Connection, query: str, files: Path, place: Path) -> None:
    """Move the pictures or clips of visits that have no row any more; the query names those that have."""
    kept = {name for (name,) in connection.execute(query)}
    place.mkdir(0o755)
    for file in files.glob("[!.]*"):
        if file.stem not in kept:
            file.rename(place / file.name)


def set_aside(folder: Path, max_bytes: int, why: str) -> Path:
    """Move database and pictures to ``set-aside/NUMBER-DATE``, so that a new store can be started.

    Pictures go first: a new database beside old pictures would take them for orphans.

    Args:
        folder: the store.
        max_bytes: older databases that were set aside are deleted beyond this size, so that the store's limit holds.
        why: the reason, a sentence for the log.

    Raises:
        OSError: the disk is read-only or failing.
    """
    place = _new_place(folder)
    for name in (PICTURES_FOLDER, CLIPS_FOLDER, f"{DATABASE_FILE}-shm", f"{DATABASE_FILE}-wal", DATABASE_FILE):
        if (folder / name).exists():
            (folder / name).rename(place / name)
    _log.error(
        "%s It was set aside as %s and a new one is started. Earlier events are not lost, but no longer "
        'listed: copy that folder and try "sqlite3 events.db .recover" on it.',
        why,
        place,
    )
    for old in sorted(place.parent.iterdir())[:-1]:
        if folder_bytes(place.parent) <= max_bytes:
            break
        shutil.rmtree(old)
        _log.warning("%s: deleted, because set-aside databases took more than %s bytes.", old, f"{max_bytes:,}")
    return place


def _new_place(folder: Path) -> Path:
    """Make the next folder in ``set-aside``."""
    parent = folder / SET_ASIDE_FOLDER
    parent.mkdir(0o755, exist_ok=True)
    # Numbered, because the date of a machine without a clock battery may repeat.
    number = 1 + max((int(old.name[:4]) for old in parent.iterdir() if old.name[:4].isdecimal()), default=0)
    place = parent / f"{number:04}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    place.mkdir(0o755)
    return place


def folder_bytes(folder: Path) -> int:
    """Return the disk space of all files below a folder; 0 if there is none. One that is deleted meanwhile has none."""
    return sum(_disk_bytes(Path(place) / name) for place, _, names in os.walk(folder) for name in names)


def _disk_bytes(path: Path) -> int:
    try:
        return size_on_disk(path.lstat().st_size)
    except FileNotFoundError:
        return 0
