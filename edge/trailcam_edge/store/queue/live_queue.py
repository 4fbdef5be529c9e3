"""The queue of the sinks: stored visits, and before them what is known of the visits that are open.

Both come in one order: a live event follows the visits that were stored before it. A sink has one cursor into each. A
live event carries the visit as it is known when the sink takes it, so a newer ``updated`` replaces an older one.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import NamedTuple

from trailcam_edge.events import CLOSED, OPENED, UPDATED
from trailcam_edge.store.database import Database
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import EventRecord


class Cursor(NamedTuple):
    """The last event that a sink has taken: of the stored visits, and of the live events."""

    event_id: int
    live_id: int


class LiveQueue:
    """The queue of one store. Errors are those of ``EventStore``.

    Args:
        database: of the store.
        guard: of the store; held while the database is used.
    """

    def __init__(self, database: Database, guard: AbstractContextManager[bool]) -> None:
        self._database = database
        self._guard = guard

    def newest(self) -> Cursor:
        """Return the cursor after everything that is stored."""
        with self._guard:
            return Cursor(
                int(self._database.one("SELECT coalesce(max(event_id), 0) FROM visits")),
                int(self._database.one("SELECT coalesce(max(live_id), 0) FROM live_events")),
            )

    def cursor(self, sink: str) -> Cursor | None:
        """Return the cursor of a sink, None for one that has taken nothing yet."""
        with self._guard:
            rows = self._database.rows("SELECT event_id, live_id FROM sinks WHERE name = ?", sink)
        return Cursor(*rows[0]) if rows else None

    def memory(self, sink: str) -> str:
        """Return what a sink has remembered with its cursor, "" if nothing."""
        with self._guard:
            return str(self._database.one("SELECT memory FROM sinks WHERE name = ?", sink) or "")

    def after(self, cursor: Cursor, kinds: Collection[str], limit: int) -> list[tuple[Cursor, EventRecord]]:
        """Return the events of these kinds after a cursor, in order, each with the cursor that follows it.

        Args:
            cursor: of a sink.
            kinds: "opened", "updated", "closed".
            limit: maximum number of events.
        """
        found: list[tuple[tuple[int, int], EventRecord]] = []
        with self._guard, self._database.reading():
            reader = StoreReader(self._database.connection)
            if CLOSED in kinds:
                events = reader.events(after_event_id=cursor.event_id, limit=limit)
                found += [((event.event_id, 0), event) for event in events]
            if OPENED in kinds or UPDATED in kinds:
                live = reader.live_events(cursor.live_id, limit)
                found += [((after, live_id), event) for live_id, after, event in live]
        taken = []
        for (event_id, live_id), event in sorted(found, key=lambda item: item[0])[:limit]:
            cursor = Cursor(cursor.event_id, live_id) if live_id else Cursor(event_id, cursor.live_id)
            if event.kind in kinds:
                taken.append((cursor, event))
        return taken

    def move(self, sink: str, cursor: Cursor, memory: str = "") -> None:
        """Record that a sink has taken everything up to a cursor, and what it remembers."""
        with self._guard, self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sinks (name, event_id, live_id, memory) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
                "DO UPDATE SET event_id = excluded.event_id, live_id = excluded.live_id, memory = excluded.memory",
                (sink, *cursor, memory),
            )

    def open_labels(self) -> tuple[str, ...]:
        """Return the labels of the visits that are open, in order."""
        with self._guard:
            return tuple(row[0] for row in self._database.rows("SELECT DISTINCT label FROM open_visits ORDER BY label"))

    def labels(self) -> tuple[str, ...]:
        """Return the labels of all visits, also of open ones, in order."""
        with self._guard:
            query = "SELECT label FROM visits UNION SELECT label FROM open_visits ORDER BY label"
            return tuple(row[0] for row in self._database.rows(query))

    def last_event(self, with_open: bool = False) -> EventRecord | None:
        """Return the newest event, None if there is none; ``with_open`` also of a visit that is open."""
        with self._guard, self._database.reading():
            reader = StoreReader(self._database.connection)
            opened = list(reader.open_visits()) if with_open else []
            return opened[-1]._replace(kind=OPENED) if opened else reader.last_event()
