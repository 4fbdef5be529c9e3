"""The tables of ``events.db`` and how an older database becomes a newer one.

``PRAGMA user_version`` is the schema's version. Each migration runs in one transaction together with the new version,
so a power cut leaves the old schema or the new one.

Every moment is three columns: ``*_boot_id``, ``*_monotonic_s`` and ``*_wall_s``, the wall clock as it was then, NULL
until it was set. These are never changed afterwards. Later knowledge is in ``clock_readings``, and ``wall_time``
combines both when the store is read.
"""

import re
import sqlite3
from collections.abc import Sequence
from functools import lru_cache

APPLICATION_ID = 0x54434D31  # "TCM1", so that "file" and we know whose database this is

_VERSION_1 = """
CREATE TABLE boots (
    number INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of the starts
    boot_id TEXT NOT NULL UNIQUE,
    last_monotonic_s REAL NOT NULL              -- the latest moment that is known of it
) STRICT;
CREATE TABLE clock_readings (
    reading_id INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    monotonic_s REAL NOT NULL,
    wall_s REAL NOT NULL                        -- Unix time
) STRICT;
CREATE TABLE visits (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT, -- order of storing; sinks remember it
    visit_id TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    started_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    started_monotonic_s REAL NOT NULL,
    started_wall_s REAL,
    ended_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    ended_monotonic_s REAL NOT NULL,
    ended_wall_s REAL,
    confidence REAL NOT NULL,
    votes INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    latency_ms REAL NOT NULL,
    picture_bytes INTEGER NOT NULL,             -- 0 where there is none
    picture_state TEXT NOT NULL                 -- kept, none, dropped (never written), expired (for room), missing
) STRICT;
CREATE INDEX visits_by_label ON visits (label, event_id);
CREATE INDEX pictures_kept ON visits (event_id, label, picture_bytes) WHERE picture_bytes > 0;
CREATE TABLE blind_times (
    blind_id INTEGER PRIMARY KEY AUTOINCREMENT,
    reason TEXT NOT NULL,
    started_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    started_monotonic_s REAL NOT NULL,
    started_wall_s REAL,
    ended_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    ended_monotonic_s REAL NOT NULL,
    ended_wall_s REAL
) STRICT;
CREATE TABLE watches (                          -- effort: from when to when the camera watched
    watch_id INTEGER PRIMARY KEY AUTOINCREMENT,
    bundle TEXT NOT NULL,
    started_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    started_monotonic_s REAL NOT NULL,
    started_wall_s REAL,
    ended_boot_id TEXT NOT NULL REFERENCES boots (boot_id),  -- so far: moved on by every heartbeat
    ended_monotonic_s REAL NOT NULL,
    ended_wall_s REAL,
    frames INTEGER NOT NULL
) STRICT;
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    event_id INTEGER NOT NULL                   -- the last event that it has taken
) STRICT;
"""

_VERSION_2 = """
ALTER TABLE visits ADD COLUMN box_x REAL;       -- place of the animal in the picture, as fractions of it: left,
ALTER TABLE visits ADD COLUMN box_y REAL;       -- top,
ALTER TABLE visits ADD COLUMN box_width REAL;
ALTER TABLE visits ADD COLUMN box_height REAL;  -- all four NULL where the frame was classified as a whole
"""

MIGRATIONS = (_VERSION_1, _VERSION_2)  # the n-th takes a database from version n - 1 to n


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring a database to the newest schema, one version at a time; ``connection`` must be in autocommit mode.

    Raises:
        sqlite3.Error: the disk is full, read-only or failing; the version it had, or one in between, is complete.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for number in range(version, len(migrations)):
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _statements(migrations[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def has_tables(connection: sqlite3.Connection, migrations: Sequence[str], exactly: bool = False) -> bool:
    """Return True if a database has the tables and indices of these migrations; ``exactly`` allows no others."""
    found, expected = _objects(connection), _expected_objects(tuple(migrations))
    return found == expected if exactly else found >= expected


@lru_cache
def _expected_objects(migrations: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, migrations)
        return _objects(connection)
    finally:
        connection.close()


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return name and definition of every table and index, without comments and line breaks."""
    rows = connection.execute("SELECT name || ' of ' || tbl_name, coalesce(sql, '') FROM sqlite_master")
    return frozenset((name, " ".join(re.sub(r"--[^\n]*", "", sql).split())) for name, sql in rows)


def _statements(script: str) -> list[str]:
    """Split a script in which every statement ends its line; ``executescript`` would commit what is open."""
    found, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
