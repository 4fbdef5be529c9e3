"""The journal of a job: one row per file in a SQLite database beside the output.

A stopped job goes on behind its last row. Rows of another model, or of changed settings, are dropped at the start. The
journal is held by one process, so two jobs cannot share an output.
"""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from trailcam_archive.batch.listing import Found
from trailcam_archive.rows.columns import FileRecord
from trailcam_archive.rows.megadetector import DetectedPicture
from trailcam_archive.rows.record import Detection, record_from_json, states_error
from trailcam_core.errors import DataError, DeviceError

_log = logging.getLogger(__name__)
_SUFFIX = ".journal"
_APPLICATION_ID = 0x74726A31  # "trj1"
_COMMIT_ROWS, _COMMIT_S = 16, 1.0  # a killed job repeats these rows and those in work
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    source BLOB NOT NULL, relative BLOB NOT NULL, size INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    failed INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (source, relative)
) WITHOUT ROWID;
CREATE TABLE boxes (relative BLOB PRIMARY KEY, detections TEXT NOT NULL) WITHOUT ROWID;
"""


class Journal:
    """The open journal of one output.

    Args:
        output: the file that the rows will go to; the journal is beside it.

    Raises:
        DataError: another job holds it, or it is no journal.
        OSError: the disk is full or read-only.
    """

    def __init__(self, output: Path) -> None:
        self.path = self.path_of(output)
        self._uncommitted = 0
        self._commit_due_s = 0.0
        with self._explained():
            self._database = sqlite3.connect(self.path, timeout=0.5, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise

    @staticmethod
    def path_of(output: Path) -> Path:
        """Return the place of the journal of an output."""
        return output.with_name(output.name + _SUFFIX)

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")  # in this mode it needs no shared memory, and works on network storage
        run("PRAGMA synchronous = NORMAL")
        run("PRAGMA cache_size = -8000")
        run("BEGIN EXCLUSIVE")
        found = run("PRAGMA application_id").fetchone()[0]
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and found != _APPLICATION_ID:
            raise DataError(f"{self.path}: not a journal of trailcam. Choose another output.")
        if not tables:
            for statement in _SCHEMA.split(";"):
                run(statement)
            run(f"PRAGMA application_id = {_APPLICATION_ID}")
        run("COMMIT")

    def fact(self, name: str) -> str | None:
        """Return a fact of the job that was kept."""
        with self._explained():
            row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_fact(self, name: str, value: str) -> None:
        """Keep a fact of the job."""
        with self._explained():
            self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def begin(self, identity: str) -> int:
        """Begin or go on: rows of a job with another identity are dropped.

        Args:
            identity: changes with the model and with everything that changes a record.

        Returns:
            The number of files that are done.
        """
        former = self.fact("identity")
        if former is not None and former != identity:
            _log.warning("%s: made with another model or other settings: the job starts anew.", self.path)
            self.start_anew()
        self.keep_fact("identity", identity)
        return len(self)

    def start_anew(self) -> None:
        """Drop everything."""
        with self._explained():
            for table in ("files", "boxes", "facts"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are constants

    def __len__(self) -> int:
        """Return the number of files with a record."""
        with self._explained():
            return int(self._database.execute("SELECT count(*) FROM files").fetchone()[0])

    def has(self, found: Found, identity: tuple[int, int]) -> bool:
        """Return whether a file has a record, and has the same size and time of change as then."""
        with self._explained():
            row = self._database.execute(
                "SELECT size, changed_ns FROM files WHERE source = ? AND relative = ?", _key(found)
            ).fetchone()
        return row is not None and tuple(row) == identity

    def add(self, found: Found, identity: tuple[int, int], record: str) -> None:
        """Add the record of a file, as JSON; the next commit puts it on the disk, at most 16 rows or a second later."""
        with self._explained():
            if not self._uncommitted:
                self._database.execute("BEGIN")
                self._commit_due_s = time.monotonic() + _COMMIT_S
            self._database.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                (*_key(found), *identity, states_error(record), record),
            )
        self._uncommitted += 1
        self.commit_if_due()

    def commit_if_due(self) -> None:
        """Commit if rows wait for long enough."""
        if self._uncommitted >= _COMMIT_ROWS or (self._uncommitted and time.monotonic() >= self._commit_due_s):
            self.commit()

    def commit(self) -> None:
        """Put all rows on the disk."""
        if self._database.in_transaction:  # SQLite has ended one for which the disk has no room, and that was reported
            with self._explained():
                self._database.execute("COMMIT")
        self._uncommitted = 0

    def forget_failures(self) -> None:
        """Drop the records of files that could not be read, so that they are read again."""
        with self._explained():
            self._database.execute("DELETE FROM files WHERE failed")

    def records(self) -> Iterator[FileRecord]:
        """Yield every record, by source and path."""
        with self._explained():
            query = "SELECT source, relative, record FROM files ORDER BY source, relative"
            rows = self._database.execute(query)
        while True:
            with self._explained():
                row = rows.fetchone()
                if row is None:
                    return
                file = FileRecord(os.fsdecode(row[0]), os.fsdecode(row[1]), record_from_json(row[2]))
            yield file

    def keep_boxes(self, pictures: Iterable[DetectedPicture]) -> int:
        """Keep the boxes of a detector for ``boxes_of``; return the number of pictures."""
        number = 0
        with self._explained():
            self._database.execute("BEGIN")
            for picture in pictures:
                number += 1
                boxes = json.dumps([asdict(item) for item in picture.detections])
                self._database.execute("INSERT OR REPLACE INTO boxes VALUES (?, ?)", (os.fsencode(picture.file), boxes))
            self._database.execute("COMMIT")
        return number

    def boxes_of(self, relative: str) -> tuple[Detection, ...] | None:
        """Return the boxes of a picture; None if the detector did not see it."""
        with self._explained():
            row = self._database.execute(
                "SELECT detections FROM boxes WHERE relative = ?", (os.fsencode(relative),)
            ).fetchone()
            if row is None:
                return None
            boxes = json.loads(row[0])
            return tuple(Detection(item["category"], item["confidence"], tuple(item["box"])) for item in boxes)

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._database.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Explain what SQLite reports.

        Raises:
            DataError: see the class.
            DeviceError: the disk is full or failing.
        """
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise DataError(
                    f"{self.path}: another job writes to this output. Wait for it, or name another."
                ) from error
            if "full" in str(error):
                raise DeviceError(
                    f"{self.path}: the disk is full. Free some space and run the same command again: it goes on."
                ) from error
            raise DeviceError(f"{self.path}: cannot be used ({error}). Check the disk and the permissions.") from error
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError, OverflowError) as error:
            reason = error if isinstance(error, sqlite3.Error) else "a value that trailcam does not write"
            raise DataError(
                f"{self.path}: not a journal, or damaged ({reason}). Remove it, and run the same command again with "
                "--overwrite: it starts anew."
            ) from error


def _key(found: Found) -> tuple[bytes, bytes]:
    return os.fsencode(found.source), os.fsencode(found.relative)
