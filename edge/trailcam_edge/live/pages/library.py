"""What the pages read of a store. Every call opens the database for reading, so any thread may call.

At most two calls read at a time: the memory stays bounded, and the recorder never waits for more than those.
"""

import threading
from calendar import monthrange
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from trailcam_core.errors import DeviceError
from trailcam_edge.live.pages.filters import VisitFilter, condition_of, day_span
from trailcam_edge.store.reader import StoreReader, open_reader
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews.records import Review, Standing, standing
from trailcam_edge.store.reviews.tables import reviews_of

PAGE = 24  # visits of one page
_NEIGHBOURS = 3
_READERS = 2
_WAIT_S = 10.0
_CACHE_KB = 512


@dataclass(frozen=True)
class Visits:
    """One page of a list, newest first. ``older`` and ``newer`` are numbers for the neighbouring pages, or None."""

    events: tuple[EventRecord, ...]
    standings: dict[str, Standing | None]
    older: int | None
    newer: int | None


@dataclass(frozen=True)
class OneVisit:
    """A visit, its reviews in order, and the neighbours that the same filter lets through, the nearest first."""

    event: EventRecord
    reviews: tuple[Review, ...]
    newer: tuple[EventRecord, ...]
    older: tuple[EventRecord, ...]


@dataclass(frozen=True)
class Species:
    """One label of a store: number of visits, first and last one, the best picture."""

    label: str
    count: int
    first: EventRecord
    last: EventRecord
    best: EventRecord | None


@dataclass(frozen=True)
class Day:
    """Visits of one local day, by label, the most frequent first."""

    day: date
    counts: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        """Number of visits."""
        return sum(number for _, number in self.counts)


class Library:
    """Read the store in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places = threading.BoundedSemaphore(_READERS)

    @contextmanager
    def reading(self) -> Iterator[StoreReader]:
        """Open the store.

        Raises:
            DeviceError: it cannot be read, or others have read it for too long.
        """
        if not self._places.acquire(timeout=_WAIT_S):
            raise DeviceError("Too many others read the store; try again in a moment.")
        try:
            with open_reader(self.folder) as reader:
                reader.connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                yield reader
        finally:
            self._places.release()

    def visits(
        self, chosen: VisitFilter, before: int | None = None, after: int | None = None, limit: int = PAGE
    ) -> Visits:
        """Return the visits of a filter: the newest, those stored before a number, or those stored after one."""
        with self.reading() as reader:
            condition, values = condition_of(chosen, reader.timeline)
            if after is not None:
                rows = reader.select(f"{condition} AND event_id > ?", [*values, after], "event_id", limit + 1)
                events, more_newer, more_older = rows[:limit][::-1], len(rows) > limit, True
            else:
                bound = [] if before is None else [before]
                condition += " AND event_id < ?" if bound else ""
                events = reader.select(condition, [*values, *bound], "event_id DESC", limit + 1)
                more_newer, more_older = before is not None, len(events) > limit
                events = events[:limit]
            found = reviews_of(reader.connection, [event.visit_id for event in events])
        return Visits(
            tuple(events),
            {event.visit_id: standing(found.get(event.visit_id, ())) for event in events},
            events[-1].event_id if events and more_older else None,
            events[0].event_id if events and more_newer else None,
        )

    def visit(self, visit_id: str, chosen: VisitFilter) -> OneVisit | None:
        """Return one visit, or None if it is gone."""
        with self.reading() as reader:
            found = reader.select("visit_id = ?", [visit_id], "event_id", 1)
            if not found:
                return None
            condition, values = condition_of(chosen, reader.timeline)
            number = found[0].event_id
            newer = reader.select(f"{condition} AND event_id > ?", [*values, number], "event_id", _NEIGHBOURS)
            older = reader.select(f"{condition} AND event_id < ?", [*values, number], "event_id DESC", _NEIGHBOURS)
            reviews = reviews_of(reader.connection, [visit_id]).get(visit_id, [])
        return OneVisit(found[0], tuple(reviews), tuple(newer), tuple(older))

    def labels(self) -> dict[str, int]:
        """Return the number of visits of each label."""
        with self.reading() as reader:
            return reader.counts()

    def species(self) -> list[Species]:
        """Return every label, the most frequent first."""
        with self.reading() as reader:
            rows = reader.connection.execute(
                "SELECT label, count(*), min(event_id), max(event_id) FROM visits GROUP BY label"
            ).fetchall()
            ends = {event.event_id: event for row in rows for event in _by_number(reader, row[2:])}
            return [
                Species(label, number, ends[first], ends[last], _best_picture(reader, label))
                for label, number, first, last in sorted(rows, key=lambda row: (-row[1], row[0]))
                if first in ends and last in ends  # a damaged row is left out
            ]

    def month(self, first: date) -> list[Day]:
        """Return every day of the month that begins with ``first``."""
        days = [first + timedelta(days=number) for number in range(monthrange(first.year, first.month)[1])]
        with self.reading() as reader:
            return [_count_day(reader, day) for day in days]

    def ends(self) -> tuple[date, date] | None:
        """Return the local days of the first and the last visit whose time is known, or None."""
        with self.reading() as reader:
            rows = [
                event
                for order in ("event_id", "event_id DESC")
                for event in reader.select("1", (), order, PAGE)
                if event.started.unix_s is not None
            ]
        days = [datetime.fromtimestamp(event.started.unix_s or 0).date() for event in rows]
        return (min(days), max(days)) if days else None


def _by_number(reader: StoreReader, numbers: Sequence[int]) -> list[EventRecord]:
    return reader.select("event_id IN (?, ?)", numbers, "event_id", 2)


def _best_picture(reader: StoreReader, label: str) -> EventRecord | None:
    found = reader.select("label = ? AND picture_bytes > 0", [label], "confidence DESC", 1)
    return found[0] if found else None


def _count_day(reader: StoreReader, day: date) -> Day:
    counts: dict[str, int] = {}
    for span in reader.timeline.spans(*day_span(day)):
        rows = reader.connection.execute(
            "SELECT label, count(*) FROM visits WHERE started_boot_id = ? AND started_monotonic_s >= ? "
            "AND started_monotonic_s < ? GROUP BY label",
            span,
        )
        for label, number in rows:
            counts[label] = counts.get(label, 0) + number
    return Day(day, tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))
