"""The writer's connection: durable transactions, translated errors, and recorded moments."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Any

from trailcam_edge.events import Moment, Visit
from trailcam_edge.store.disk.checksums import CheckedConnection
from trailcam_edge.store.disk.picture_folder import size_on_disk
from trailcam_edge.store.disk.row_rules import RULES
from trailcam_edge.store.open_database import DATABASE_FILE, PICTURES_FOLDER, open_database, set_aside
from trailcam_edge.store.store_errors import VALUE_ERRORS, StoreCorruptError, StoreUnavailableError, translate_error
from trailcam_edge.store.wall_time import is_plausible

_NEW_OFFSET_S = 0.5  # a clock reading that moves the offset by less is not stored


def moment_columns(moment: Moment) -> tuple[str, float, float | None]:
    """Return the three columns of a moment; the time of a clock that cannot have been set is NULL."""
    wall_s = None if moment.wall is None else moment.wall.astimezone(UTC).timestamp()
    return (
        moment.boot_id,
        moment.monotonic_s,
        wall_s if wall_s is not None and is_plausible(wall_s, moment.boot_id) else None,
    )


def open_or_replace(folder: Path, set_aside_bytes: int) -> CheckedConnection:
    """Open the database; a damaged one, or pictures without a database, are set aside and a new one is created.

    Raises:
        StoreUnavailableError: the disk is full, read-only or failing.
        DeviceError: it belongs to a newer Trailcam, or to another program.
    """
    path = folder / DATABASE_FILE
    try:
        lost = not path.exists() or path.stat().st_size == 0
        if lost and any((folder / PICTURES_FOLDER).glob("*.jpg")):
            set_aside(folder, set_aside_bytes, f"{folder}: there are pictures, but their database is gone.")
        try:
            return open_database(folder)
        except StoreCorruptError as error:
            set_aside(folder, set_aside_bytes, str(error))
            return open_database(folder)
    except OSError as error:
        raise translate_error(error, folder) from error


def moment_values(name: str, moment: Moment) -> dict[str, object]:
    """Return the three columns of a moment by their names, which begin with ``name``."""
    return dict(
        zip((f"{name}_{part}" for part in ("boot_id", "monotonic_s", "wall_s")), moment_columns(moment), strict=True)
    )


def visit_values(visit: Visit) -> dict[str, object]:
    """Return the columns of a visit, without those of its picture; SQLite knows none of NumPy's numbers."""
    box = None if visit.box is None else asdict(visit.box)
    return {
        "visit_id": visit.visit_id,
        "label": visit.label,
        **moment_values("started", visit.started),
        **moment_values("ended", visit.ended),
        "confidence": float(visit.confidence),
        "votes": int(visit.votes),
        "frames": int(visit.frames),
        "bundle": visit.bundle,
        "latency_ms": float(visit.latency_ms),
        **{f"box_{name}": float(value) for name, value in (box or {}).items()},
        "station": visit.station,
        "source": visit.source,
        "picture_offset_s": visit.picture_offset_s,
    }


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object], replace: bool = False) -> int:
    """Insert a row of these columns and return its number; ``replace`` takes the place of a row with its key.

    Raises:
        ValueError: a value is out of range. With such a row the next start would set the whole database aside.
    """
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    marks = ", ".join("?" * len(values))
    query = f"{verb} INTO {table} ({', '.join(values)}) VALUES ({marks})"
    number = int(connection.execute(query, tuple(values.values())).lastrowid or 0)
    rule = f"SELECT 1 FROM {table} WHERE rowid = ? AND ({RULES[table]}) IS NOT TRUE"  # noqa: S608 - constants
    if connection.execute(rule, (number,)).fetchone() is not None:
        raise ValueError(f"a value of {table} is out of range: {dict(values)}")
    return number


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and the inode of a file, None if it is not there.

    Source: ``fileHasMoved`` in ``os_unix.c`` of SQLite compares the same numbers.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


class Database:
    """One connection in autocommit mode; the caller serialises its use."""

    def __init__(self, connection: CheckedConnection, folder: Path) -> None:
        """Take over a connection of ``open_database``."""
        self.connection = connection
        self.damage: StoreCorruptError | None = None  # found by a statement; the database has to be set aside
        self._folder = folder
        self._file = _identity(folder / DATABASE_FILE)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translate errors of decoding rows: a value that cannot be decoded is damage.

        Raises:
            StoreUnavailableError: the disk is failing, or another program holds the database.
            StoreCorruptError: the database is damaged.
        """
        try:
            yield
        except (sqlite3.Error, OSError, *VALUE_ERRORS) as error:
            raise self._translate(error) from error

    @contextmanager
    def translated(self, place: Path | None = None) -> Iterator[None]:
        """Translate errors of SQLite and the system; ``place`` is what they name, the database by default.

        Raises:
            StoreUnavailableError: the disk is full, read-only or failing, or another program holds the database.
            StoreCorruptError: the database is damaged.
            ValueError: a value does not fit the tables.
        """
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError) as error:
            raise ValueError(f"it does not fit the tables: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise self._translate(error, place) from error

    @contextmanager
    def transaction(self, moments: Sequence[Moment] = ()) -> Iterator[sqlite3.Connection]:
        """Commit the statements of the block with the boots and clock readings of these moments, or nothing.

        Raises:
            StoreCorruptError: also if the file was deleted or replaced, so that a commit would be lost.
        """
        with self.translated():
            self._check_file()
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                for moment in moments:
                    self._note(moment)
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def one(self, query: str, *values: object) -> Any:
        """Return the first column of the first row, None if there is no row."""
        with self.translated():
            row = self.connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows."""
        with self.translated():
            return self.connection.execute(query, values).fetchall()

    def bytes_on_disk(self) -> int:
        """Return the disk space of the database and its log."""
        paths = [self._folder / (DATABASE_FILE + suffix) for suffix in ("", "-wal", "-shm")]
        return sum(size_on_disk(path.stat().st_size) for path in paths if path.exists())

    def _translate(self, error: Exception, place: Path | None = None) -> StoreUnavailableError | StoreCorruptError:
        translated = translate_error(error, place or self._folder / DATABASE_FILE)
        if isinstance(translated, StoreCorruptError):
            self.damage = translated
        return translated

    def _check_file(self) -> None:
        path = self._folder / DATABASE_FILE
        if _identity(path) != self._file:
            self.damage = StoreCorruptError(
                f"{path}: another program has deleted or replaced the database while this one writes to it. The store "
                "is opened again. Stop the camera before you delete or copy over its store."
            )
            raise self.damage

    def _note(self, moment: Moment) -> None:
        boot_id, monotonic_s, wall_s = moment_columns(moment)
        self.connection.execute(
            "INSERT INTO boots (boot_id, last_monotonic_s) VALUES (?, ?) ON CONFLICT (boot_id) DO UPDATE SET "
            "last_monotonic_s = max(last_monotonic_s, excluded.last_monotonic_s)",
            (boot_id, monotonic_s),
        )
        if wall_s is None:
            return
        newest = self.connection.execute(
            "SELECT wall_s - monotonic_s FROM clock_readings WHERE boot_id = ? ORDER BY reading_id DESC LIMIT 1",
            (boot_id,),
        ).fetchone()
        if newest is None or abs(newest[0] - (wall_s - monotonic_s)) > _NEW_OFFSET_S:
            reading = {"boot_id": boot_id, "monotonic_s": monotonic_s, "wall_s": wall_s}
            insert(self.connection, "clock_readings", reading)
