"""Read a store: events, blind times and effort, with wall time resolved from all clock readings."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trailcam_core.images.boxes import Box
from trailcam_edge.store.open_database import PICTURES_FOLDER, open_read_only
from trailcam_edge.store.records import BlindRecord, EventRecord, WatchRecord
from trailcam_edge.store.store_errors import translate_error
from trailcam_edge.store.wall_time import Boot, ClockReading, Timeline

_VISIT_COLUMNS = (
    "event_id, visit_id, label, started_boot_id, started_monotonic_s, ended_boot_id, ended_monotonic_s, confidence, "
    "votes, frames, bundle, latency_ms, picture_bytes, picture_state, box_x, box_y, box_width, box_height"
)
_SPAN_COLUMNS = "started_boot_id, started_monotonic_s, ended_boot_id, ended_monotonic_s"


class StoreReader:
    """Queries over one connection. Times are those of ``timeline``; make a new reader to see later corrections."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read the boots and clock readings."""
        self._connection = connection
        boots = connection.execute("SELECT boot_id, last_monotonic_s FROM boots ORDER BY number")
        readings = connection.execute("SELECT boot_id, monotonic_s, wall_s FROM clock_readings ORDER BY reading_id")
        self.timeline = Timeline([Boot(*row) for row in boots], [ClockReading(*row) for row in readings])

    def events(
        self,
        label: str | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
        after_event_id: int = 0,
        limit: int | None = None,
    ) -> Iterator[EventRecord]:
        """Yield events in the order they were stored.

        Args:
            label: only this one.
            since_s: only those that started at or after this Unix time; an event of unknown time is then left out.
            until_s: only those that started before.
            after_event_id: only those stored later than this one.
            limit: maximum number of rows that are read, before times are compared; None means all.
        """
        query = f"SELECT {_VISIT_COLUMNS} FROM visits WHERE event_id > ?"  # noqa: S608 - constants
        values: list[Any] = [after_event_id]
        if label is not None:
            query += " AND label = ?"
            values.append(label)
        query += " ORDER BY event_id"
        if limit is not None:
            query += " LIMIT ?"
            values.append(limit)
        for row in self._connection.execute(query, values):
            event = self._event(row)
            if _within(event.started.unix_s, since_s, until_s):
                yield event

    def blind_times(self, since_s: float | None = None, until_s: float | None = None) -> Iterator[BlindRecord]:
        """Yield blind times in the order they were stored; the times filter as for ``events``."""
        query = f"SELECT reason, {_SPAN_COLUMNS} FROM blind_times ORDER BY blind_id"  # noqa: S608 - constants
        for reason, *span in self._connection.execute(query):
            blind = BlindRecord(reason, self.timeline.resolve(*span[:2]), self.timeline.resolve(*span[2:]))
            if _within(blind.started.unix_s, since_s, until_s):
                yield blind

    def watches(self) -> Iterator[WatchRecord]:
        """Yield the intervals of watching, in order."""
        query = f"SELECT bundle, {_SPAN_COLUMNS}, frames FROM watches ORDER BY watch_id"  # noqa: S608 - constants
        for bundle, *span, frames in self._connection.execute(query):
            yield WatchRecord(bundle, self.timeline.resolve(*span[:2]), self.timeline.resolve(*span[2:]), frames)

    def counts(self) -> dict[str, int]:
        """Return the number of stored events of each label."""
        return dict(self._connection.execute("SELECT label, count(*) FROM visits GROUP BY label ORDER BY label"))

    def last_event_id(self) -> int:
        """Return the number of the newest event, 0 if there is none."""
        return int(self._connection.execute("SELECT coalesce(max(event_id), 0) FROM visits").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def last_event(self) -> EventRecord | None:
        """Return the newest event, None if there is none."""
        return next(self.events(after_event_id=self.last_event_id() - 1), None)

    def _event(self, row: tuple[Any, ...]) -> EventRecord:
        event_id, visit_id, label, boot_id, start_s, end_boot_id, end_s = row[:7]
        confidence, votes, frames, bundle, latency_ms, picture_bytes, picture_state, *box = row[7:]
        return EventRecord(
            event_id=event_id,
            visit_id=visit_id,
            label=label,
            started=self.timeline.resolve(boot_id, start_s),
            ended=self.timeline.resolve(end_boot_id, end_s),
            boot_id=boot_id,
            monotonic_s=start_s,
            duration_s=max(0.0, end_s - start_s) if boot_id == end_boot_id else 0.0,
            confidence=confidence,
            votes=votes,
            frames=frames,
            bundle=bundle,
            latency_ms=latency_ms,
            picture=f"{PICTURES_FOLDER}/{visit_id}.jpg" if picture_bytes else None,
            picture_state=picture_state,
            box=None if None in box else Box(*box),
        )


@contextmanager
def open_reader(folder: Path) -> Iterator[StoreReader]:
    """Open a store for reading, beside the process that writes to it.

    Raises:
        DeviceError: there is no store, or it cannot be read.
    """
    connection = open_read_only(folder)
    try:
        yield StoreReader(connection)
    except sqlite3.Error as error:
        raise translate_error(error, folder) from error
    finally:
        connection.close()


def _within(unix_s: float | None, since_s: float | None, until_s: float | None) -> bool:
    if since_s is None and until_s is None:
        return True
    if unix_s is None:
        return False
    return (since_s is None or unix_s >= since_s) and (until_s is None or unix_s < until_s)
