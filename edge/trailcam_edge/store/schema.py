"""The tables of ``events.db`` and how an older database becomes a newer one.

``PRAGMA user_version`` is the schema's version. Each migration runs in one transaction together with the new version,
so a power cut leaves the old schema or the new one.

Every moment is three columns: ``*_boot_id``, ``*_monotonic_s`` and ``*_wall_s``, the wall clock as it was then, NULL
until it was set. These are never changed afterwards. Later knowledge is in ``clock_readings``, and ``wall_time``
combines both when the store is read.

``PRAGMA integrity_check`` proves the pages, and that tables and their indices agree. It does not check values: a
flipped bit in a time or a text passes it. From version 3 on every row has a checksum (``disk.checksums``);
``disk.row_rules`` find what was damaged before that.
"""

import re
import sqlite3
from collections import deque
from collections.abc import Sequence
from functools import lru_cache

from trailcam_edge.store.disk.checksums import seal
from trailcam_edge.store.disk.row_rules import RULES

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

# ``migrate`` also gives every table a column ``checksum``.
_VERSION_3 = """
-- Cards: stations, where a visit comes from, and the files that were read. NULL is the camera of this machine.
CREATE TABLE stations (
    deployment_id TEXT PRIMARY KEY,             -- one camera at one place
    latitude REAL,                              -- decimal degrees, WGS84; NULL where unknown, as the longitude
    longitude REAL,
    camera TEXT,
    timezone TEXT                               -- of the clock of the camera; NULL where the files state it
) STRICT;
ALTER TABLE visits ADD COLUMN station TEXT REFERENCES stations (deployment_id);
ALTER TABLE visits ADD COLUMN source TEXT;      -- file of the picture, below the card
ALTER TABLE visits ADD COLUMN picture_offset_s REAL;  -- from the start of the visit to its picture; NULL if unknown
ALTER TABLE blind_times ADD COLUMN station TEXT REFERENCES stations (deployment_id);
ALTER TABLE watches ADD COLUMN station TEXT REFERENCES stations (deployment_id);
CREATE TABLE card_files (
    fingerprint BLOB PRIMARY KEY,               -- of size, beginning and end of the file
    station TEXT NOT NULL REFERENCES stations (deployment_id),
    path TEXT NOT NULL,                         -- below the card
    clock TEXT NOT NULL,                        -- zone and correction with which its time was read
    bundle TEXT NOT NULL
) STRICT;
CREATE INDEX card_files_by_path ON card_files (station, path);
CREATE INDEX visits_by_station ON visits (station, event_id) WHERE station IS NOT NULL;
-- live events: visits that are open, and the queue of what sinks may want to know of a visit before its end
CREATE TABLE open_visits (                      -- as ``visits``; one row from its opening until it is stored there
    visit_id TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    started_boot_id TEXT NOT NULL REFERENCES boots (boot_id),
    started_monotonic_s REAL NOT NULL,
    started_wall_s REAL,
    ended_boot_id TEXT NOT NULL REFERENCES boots (boot_id),  -- so far
    ended_monotonic_s REAL NOT NULL,
    ended_wall_s REAL,
    confidence REAL NOT NULL,
    votes INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    latency_ms REAL NOT NULL,
    picture_bytes INTEGER NOT NULL,
    picture_state TEXT NOT NULL,
    box_x REAL,
    box_y REAL,
    box_width REAL,
    box_height REAL
) STRICT;
CREATE TABLE live_events (
    live_id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id TEXT NOT NULL,                     -- of ``open_visits`` or ``visits``
    kind TEXT NOT NULL,                         -- opened, updated
    after_event_id INTEGER NOT NULL             -- the newest visit then: order among the stored visits
) STRICT;
ALTER TABLE sinks ADD COLUMN live_id INTEGER NOT NULL DEFAULT 0;  -- the last live event that it has taken
ALTER TABLE sinks ADD COLUMN memory TEXT NOT NULL DEFAULT '';     -- JSON: what its filters remember
-- Reviews: answers of people, beside the events and never over them. Rows are only added.
CREATE TABLE reviews (
    review_id INTEGER PRIMARY KEY AUTOINCREMENT, -- order of storing: the newest of each reviewer counts
    visit_id TEXT NOT NULL,                     -- or a sample; no reference: a review outlives the row of its visit
    reviewer TEXT NOT NULL,
    verdict TEXT NOT NULL,                      -- confirmed, label, nothing, wrong, deleted, withdrawn
    label TEXT,                                 -- the other label; NULL with every other verdict
    chosen TEXT NOT NULL,                       -- why it was reviewed: random, unsure, unknown, rare, quiet, list
    origin TEXT NOT NULL,                       -- from where
    reviewed_wall_s REAL                        -- Unix time; NULL while the clock was not set
) STRICT;
CREATE INDEX reviews_by_visit ON reviews (visit_id, reviewer, review_id);
CREATE TABLE answered (                         -- combined answer of the reviews of a visit
    event_id INTEGER PRIMARY KEY REFERENCES visits (event_id) ON DELETE CASCADE,
    verdict TEXT NOT NULL,
    disputed INTEGER NOT NULL                   -- 1 if reviewers differ
) STRICT;
-- Clips: short videos of visits, in the folder ``clips``. A row is there for as long as its file.
CREATE TABLE clips (
    visit_id TEXT PRIMARY KEY,                  -- of ``open_visits`` or ``visits``
    clip_bytes INTEGER NOT NULL,
    offset_s REAL NOT NULL,                     -- from the start of the visit to the first frame, usually below 0
    duration_s REAL NOT NULL
) STRICT;
-- Collected: pictures of times without a visit, and what is left to review.
CREATE TABLE samples (
    number INTEGER PRIMARY KEY,                 -- order of storing
    sample_id TEXT NOT NULL UNIQUE,             -- its picture is pictures/SAMPLE_ID.jpg
    kind TEXT NOT NULL,                         -- quiet (a random moment), unknown (something without a label)
    taken_boot_id TEXT NOT NULL REFERENCES boots (boot_id), taken_monotonic_s REAL NOT NULL, taken_wall_s REAL,
    bundle TEXT NOT NULL,
    per_day REAL NOT NULL,                      -- rate of the draws
    outcome TEXT,                               -- of the model at that moment; NULL if nothing moved
    box_x REAL, box_y REAL, box_width REAL, box_height REAL, picture_bytes INTEGER NOT NULL,  -- as in ``visits``
    picture_state TEXT NOT NULL,
    reviewed INTEGER NOT NULL DEFAULT 0         -- 1 if an answer counts
) STRICT;
CREATE INDEX samples_by_kind ON samples (kind, sample_id);
ALTER TABLE visits ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0;  -- 1 if an answer counts: derived from ``reviews``
CREATE INDEX unreviewed_by_confidence ON visits (confidence, event_id) WHERE picture_bytes > 0 AND reviewed = 0;
CREATE INDEX unreviewed_by_label ON visits (label, event_id) WHERE picture_bytes > 0 AND reviewed = 0;
CREATE INDEX unreviewed ON visits (event_id) WHERE picture_bytes > 0 AND reviewed = 0;
CREATE INDEX visits_by_start ON visits (started_boot_id, started_monotonic_s, label);  -- pages: a day, the calendar
CREATE INDEX pictures_by_label ON visits (label, confidence) WHERE picture_bytes > 0;  -- pages: the best picture
CREATE INDEX pictures_by_confidence ON visits (confidence, label) WHERE picture_bytes > 0;  -- the least sure
"""

# An empty scene was "blank" before.
_VERSION_4 = """
UPDATE visits SET label = 'nothing' WHERE label = 'blank';
UPDATE open_visits SET label = 'nothing' WHERE label = 'blank';
UPDATE samples SET outcome = 'nothing' WHERE outcome = 'blank';
"""

SEALED_SINCE = 3

MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)  # the n-th takes a database from version n - 1 to n


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
            if number + 1 >= SEALED_SINCE:
                seal(connection)
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


def check_rows(connection: sqlite3.Connection) -> None:
    """Check every row of a database: references, ranges, and texts.

    Raises:
        sqlite3.Error: it cannot be read; a text that is not UTF-8 is an error without a code.
        ValueError: a value cannot be decoded, or is out of range.
    """
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise ValueError(f"row {orphan[1]} of {orphan[0]} names a row of {orphan[2]} that is not there")
    for table, rule in RULES.items():
        query = f"SELECT count(*) FROM {table} WHERE ({rule}) IS NOT TRUE"  # noqa: S608 - constants
        number = connection.execute(query).fetchone()[0]
        if number:
            raise ValueError(f"{number} rows of {table} hold values out of range")
        deque(connection.execute(f"SELECT * FROM {table}"), maxlen=0)  # noqa: S608 - constants


@lru_cache
def _expected_objects(migrations: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection, migrations)
        return _objects(connection)
    finally:
        connection.close()


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return kind, name and definition of every table and index, without comments and line breaks.

    They are quoted: SQLite goes on with a table whose kind is damaged or is no text, but ``type = 'table'`` finds it no
    more, and its new rows would get no checksums.
    """
    rows = connection.execute(
        "SELECT quote(type) || quote(name) || quote(tbl_name), coalesce(quote(sql), '') FROM sqlite_master"
    )
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
