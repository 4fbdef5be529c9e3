"""Read a store: events, blind times and effort, with wall time resolved from all clock readings."""

import logging
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from trailcam_core.images.boxes import Box
from trailcam_edge.events import CLOSED
from trailcam_edge.store.disk.checksums import CheckedConnection
from trailcam_edge.store.open_database import DATABASE_FILE, PICTURES_FOLDER, open_read_only
from trailcam_edge.store.records import BlindRecord, EventLine, EventRecord, Station, WatchRecord
from trailcam_edge.store.schema import check_rows
from trailcam_edge.store.store_errors import VALUE_ERRORS, translate_error
from trailcam_edge.store.wall_time import Boot, ClockReading, Timeline, WallTime

_log = logging.getLogger(__name__)
_VALUE_COLUMNS = (
    "visit_id, label, started_boot_id, started_monotonic_s, ended_boot_id, ended_monotonic_s, confidence, "
    "votes, frames, bundle, latency_ms, picture_bytes, picture_state, box_x, box_y, box_width, box_height"
)
_CLIP = "(SELECT offset_s FROM clips WHERE clips.visit_id = {}.visit_id)"
_VISIT_COLUMNS = f"event_id, {_VALUE_COLUMNS}, station, source, picture_offset_s, {_CLIP.format('visits')}"
_OF_NO_CARD = "NULL, NULL, NULL"  # station, source and offset in a table of the camera alone
_OPEN_COLUMNS = f"0, {_VALUE_COLUMNS}, {_OF_NO_CARD}, {_CLIP.format('open_visits')}"
_LINE_COLUMNS = (
    "started_boot_id, started_monotonic_s, CASE started_boot_id WHEN ended_boot_id "
    "THEN max(0.0, ended_monotonic_s - started_monotonic_s) ELSE 0.0 END, label, confidence, "
    "CASE WHEN picture_bytes THEN visit_id END"
)
_SPARE = 2
_new_tuple = tuple.__new__
_SPAN_COLUMNS = "started_boot_id, started_monotonic_s, ended_boot_id, ended_monotonic_s"


class StoreReader:
    """Queries over one connection. Times are those of ``timeline``; make a new reader to see later corrections."""

    def __init__(self, connection: CheckedConnection) -> None:
        """Read the boots and clock readings."""
        self.connection = connection
        self._only = "1"
        self._known: dict[str, tuple[float, str] | None] = {}  # offsets of boots
        self._damaged_before = connection.damaged_rows
        boots = self._sound("boot_id, last_monotonic_s", "boots", "ORDER BY number")
        readings = self._sound("boot_id, monotonic_s, wall_s", "clock_readings", "ORDER BY reading_id")
        self.timeline = Timeline([Boot(*row) for row in boots], [ClockReading(*row) for row in readings])

    def restrict(self, condition: str) -> None:
        """Let ``events``, ``lines`` and ``before_last`` return only visits for which a condition in SQL holds."""
        self._only = condition

    @property
    def damaged_rows(self) -> int:
        """The number of rows that were left out so far, because their checksum is wrong."""
        return self.connection.damaged_rows - self._damaged_before

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries of the block see the same rows while the camera writes."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.rollback()

    def events(
        self,
        label: str | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
        after_event_id: int = 0,
        limit: int | None = None,
        station: str | None = None,
    ) -> Iterator[EventRecord]:
        """Return events in the order they were stored.

        Args:
            label: only this one.
            since_s: only those that started at or after this Unix time; an event of unknown time is then left out.
            until_s: only those that started before.
            after_event_id: only those stored later than this one.
            limit: maximum number of rows that are read, before times are compared; None means all.
            station: only those of this one.
        """
        query, values = self._select(self._with_clips(_VISIT_COLUMNS), label, after_event_id, station)
        values.append(-1 if limit is None else limit)  # below 0: all
        found = map(self._event, self.connection.execute(f"{query} ORDER BY event_id LIMIT ?", values))
        if since_s is None and until_s is None:
            return found
        return (event for event in found if _within(event.started.unix_s, since_s, until_s))

    def open_visits(self) -> Iterator[EventRecord]:
        """Yield the visits that are open, as far as they are known; their ``event_id`` is 0."""
        return map(self._event, self._sound(self._with_clips(_OPEN_COLUMNS), "open_visits", "ORDER BY rowid"))

    def live_events(self, after_live_id: int, limit: int) -> list[tuple[int, int, EventRecord]]:
        """Return the live events after this one, with their numbers and those of the last visit before each.

        The visit is as it is known now; one that was deleted meanwhile is left out.
        """
        found = []
        for table in ("open_visits", "visits"):
            columns = ", ".join(f"{table}.{column}" for column in _VALUE_COLUMNS.split(", "))
            clip = self._with_clips(_CLIP.format(table))
            query = (
                f"SELECT live_id, kind, after_event_id, 0, {columns}, {_OF_NO_CARD}, {clip} "  # noqa: S608 - constants
                f"FROM live_events JOIN {table} USING (visit_id) WHERE live_id > ? "
                f"AND {self.connection.condition('live_events')} AND {self.connection.condition(table)} "
                "ORDER BY live_id LIMIT ?"
            )
            for live_id, kind, after, *row in self.connection.execute(query, (after_live_id, limit)):
                found.append((live_id, after, self._event(tuple(row))._replace(kind=kind)))
        return sorted(found, key=lambda item: item[0])[:limit]

    def select(self, condition: str, values: Sequence[object], order: str, limit: int) -> list[EventRecord]:
        """Return the sound events for which a condition in SQL over the table ``visits`` holds.

        Checksums are computed for the found rows only, so ``_SPARE`` damaged ones of them can be replaced.
        """
        inner = f"SELECT event_id FROM visits WHERE {condition} ORDER BY {order} LIMIT ?"  # noqa: S608 - constants
        query = (
            f"SELECT {self._with_clips(_VISIT_COLUMNS)} FROM visits WHERE event_id IN ({inner}) "  # noqa: S608 - constants
            f"AND {self.connection.condition('visits')} ORDER BY {order} LIMIT ?"
        )
        return [self._event(row) for row in self.connection.execute(query, (*values, limit + _SPARE, limit))]

    def lines(
        self,
        label: str | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
        after_event_id: int = 0,
    ) -> Iterator[EventLine]:
        """Yield the short form of the events that ``events`` returns, in half the time."""
        query, values = self._select(_LINE_COLUMNS, label, after_event_id)
        everything = since_s is None and until_s is None
        known = self._known
        rows = self.connection.execute(query + " ORDER BY event_id", values)
        for boot_id, start_s, duration_s, name, confidence, visit_id in rows:
            offset = known[boot_id] if boot_id in known else self._offset(boot_id)
            unix_s, basis = (
                self.timeline.resolve(boot_id, start_s) if offset is None else (offset[0] + start_s, offset[1])
            )
            if everything or _within(unix_s, since_s, until_s):
                picture = f"{PICTURES_FOLDER}/{visit_id}.jpg" if visit_id else None
                yield unix_s, basis, duration_s, name, confidence, picture

    def before_last(
        self,
        number: int,
        label: str | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
        station: str | None = None,
    ) -> int:
        """Return the number after which the last ``number`` of these events come."""
        query, values = self._select("event_id, started_boot_id, started_monotonic_s", label, 0, station)
        found = (
            event_id
            for event_id, *moment in self.connection.execute(f"{query} ORDER BY event_id DESC", values)
            if _within(self.timeline.resolve(*moment).unix_s, since_s, until_s)
        )
        first: deque[int] = deque(islice(found, number), maxlen=1)
        return sum(first) - 1

    def blind_times(self, since_s: float | None = None, until_s: float | None = None) -> Iterator[BlindRecord]:
        """Yield blind times in the order they were stored; the times filter as for ``events``."""
        columns = f"reason, station, {_SPAN_COLUMNS}"
        for reason, station, *span in self._sound(columns, "blind_times", "ORDER BY blind_id"):
            blind = BlindRecord(reason, self.timeline.resolve(*span[:2]), self.timeline.resolve(*span[2:]), station)
            if _within(blind.started.unix_s, since_s, until_s):
                yield blind

    def watches(self) -> Iterator[WatchRecord]:
        """Yield the intervals of watching, in order."""
        columns = f"bundle, {_SPAN_COLUMNS}, frames, station"
        for bundle, *span, frames, station in self._sound(columns, "watches", "ORDER BY watch_id"):
            started, ended = self.timeline.resolve(*span[:2]), self.timeline.resolve(*span[2:])
            yield WatchRecord(bundle, started, ended, frames, station)

    def stations(self) -> list[Station]:
        """Return the stations whose cards were read, by name; none in the store of a camera."""
        columns = "deployment_id, latitude, longitude, camera, timezone"
        return [Station(*row) for row in self._sound(columns, "stations", "ORDER BY deployment_id")]

    def counts(self) -> dict[str, int]:
        """Return the number of stored events of each label."""
        return dict(self.connection.execute("SELECT label, count(*) FROM visits GROUP BY label ORDER BY label"))

    def first_event_id(self) -> int:
        """Return the number of the oldest event, 1 if there is none."""
        return int(self.connection.execute("SELECT coalesce(min(event_id), 1) FROM visits").fetchone()[0])

    def last_event_id(self) -> int:
        """Return the number of the newest event, 0 if there is none."""
        return int(self.connection.execute("SELECT coalesce(max(event_id), 0) FROM visits").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def last_event(self) -> EventRecord | None:
        """Return the newest event, None if there is none."""
        return next(self.events(after_event_id=self.last_event_id() - 1), None)

    def _event(self, row: tuple[Any, ...]) -> EventRecord:
        """Return the record of a row; tuples and boxes are made without their constructors, in half the time."""
        (event_id, visit_id, label, boot_id, start_s, end_boot_id, end_s, confidence, votes, frames, bundle) = row[:11]
        latency_ms, picture_bytes, state, x, y, width, height, station, source, offset_s, clip = row[11:]
        known = self._known
        offset = known[boot_id] if boot_id in known else self._offset(boot_id)
        if offset is None or end_boot_id != boot_id:
            started = self.timeline.resolve(boot_id, start_s)
            ended = self.timeline.resolve(end_boot_id, end_s)
        else:
            started = _new_tuple(WallTime, (offset[0] + start_s, offset[1]))
            ended = _new_tuple(WallTime, (offset[0] + end_s, offset[1]))
        duration_s = end_s - start_s if boot_id == end_boot_id and end_s > start_s else 0.0
        box = None
        if x is not None and y is not None and width is not None and height is not None:
            box = object.__new__(Box)
            box.__dict__.update(x=x, y=y, width=width, height=height)
        picture = f"{PICTURES_FOLDER}/{visit_id}.jpg" if picture_bytes else None
        visit = (event_id, visit_id, label, started, ended, boot_id, start_s, duration_s, confidence, votes, frames)
        others = (bundle, latency_ms, picture, state, box, station, source, offset_s, CLOSED, clip)
        return _new_tuple(EventRecord, visit + others)

    def _offset(self, boot_id: str) -> tuple[float, str] | None:
        self._known[boot_id] = self.timeline.constant(boot_id)
        return self._known[boot_id]

    def _select(
        self, columns: str, label: str | None, after_event_id: int, station: str | None = None
    ) -> tuple[str, list[Any]]:
        query = f"SELECT {columns} FROM visits WHERE event_id > ?"  # noqa: S608 - constants
        values: list[Any] = [after_event_id]
        for name, value in (("label", label), ("station", station)):
            if value is not None:
                query += f" AND {name} = ?"
                values.append(value)
        return f"{query} AND {self._only} AND {self.connection.condition('visits')}", values

    def _with_clips(self, columns: str) -> str:
        """Let a clip count only if the checksum of its row is right."""
        return columns.replace("WHERE clips.", f"WHERE {self.connection.condition('clips')} AND clips.")

    def _sound(self, columns: str, table: str, order: str) -> sqlite3.Cursor:
        """Return the rows of a table whose checksum is right."""
        sound = self.connection.condition(table)
        return self.connection.execute(f"SELECT {columns} FROM {table} WHERE {sound} {order}")  # noqa: S608 - constants


@contextmanager
def open_reader(folder: Path) -> Iterator[StoreReader]:
    """Open a store for reading, beside the process that writes to it.

    Raises:
        DeviceError: there is no store, or it cannot be read.
    """
    connection = open_read_only(folder)
    try:
        reader = StoreReader(connection)
        yield reader
        if reader.damaged_rows:
            _log.error(
                '%s: %d damaged rows are left out. The next start of "trailcam watch" on this store sets them aside.',
                folder / DATABASE_FILE,
                reader.damaged_rows,
            )
    except sqlite3.Error as error:
        raise translate_error(error, folder) from error
    except (AttributeError, *VALUE_ERRORS):
        check_connection(connection, folder)  # a value that is damaged; otherwise it is an error of the caller
        raise
    finally:
        connection.close()


def check_connection(connection: sqlite3.Connection, folder: Path) -> None:
    """Check every row of a database.

    Raises:
        StoreCorruptError: a row is damaged.
        StoreUnavailableError: the disk is failing, or another program holds the database.
    """
    try:
        check_rows(connection)
    except (sqlite3.Error, *VALUE_ERRORS) as error:
        raise translate_error(error, folder / DATABASE_FILE) from error


def _within(unix_s: float | None, since_s: float | None, until_s: float | None) -> bool:
    if unix_s is None:
        return since_s is None and until_s is None
    return (since_s is None or unix_s >= since_s) and (until_s is None or unix_s < until_s)
