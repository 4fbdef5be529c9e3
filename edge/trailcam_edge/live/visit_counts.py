"""Visits by hour and day, and the most recent ones, for the live page. Bounded memory."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trailcam_edge.events import Moment, Visit
from trailcam_edge.store.records import EventRecord

_HOURS = 24
_DAYS = 14
_RECENT = 50
_UNDATED = 1_000


@dataclass(frozen=True)
class RecentVisit:
    """One line of the list; ``unix_s`` is None while the date is unknown."""

    visit_id: str
    label: str
    unix_s: float | None
    duration_s: float
    confidence: float
    has_picture: bool


@dataclass(frozen=True)
class Chart:
    """``counts`` of each label, one per bar; ``bars`` are their start times in local time, oldest first."""

    bars: tuple[datetime, ...]
    counts: dict[str, tuple[int, ...]]


class VisitCounts:
    """Count visits; any thread may use it."""

    def __init__(self, date_of: Callable[[Moment], float | None]) -> None:
        """Start empty.

        Args:
            date_of: returns the Unix time of a moment, if it is known by now.
        """
        self._date_of = date_of
        self._guard = threading.Lock()
        self._hours: dict[int, Counter[str]] = {}  # by the Unix time at which a local hour begins
        self._recent: deque[RecentVisit] = deque(maxlen=_RECENT)
        self._undated: deque[tuple[str, Moment]] = deque(maxlen=_UNDATED)

    def load(self, events: Iterable[EventRecord]) -> None:
        """Load stored visits, oldest first."""
        with self._guard:
            for event in events:
                unix_s = event.started.unix_s if event.started.basis == "clock" else None
                picture = event.picture is not None
                seen = RecentVisit(event.visit_id, event.label, unix_s, event.duration_s, event.confidence, picture)
                self._recent.append(seen)
                if unix_s is not None:
                    self._count(event.label, unix_s)

    def add(self, visit: Visit, has_picture: bool) -> None:
        """Add a visit that has just ended."""
        unix_s = self._date_of(visit.started)
        duration_s = visit.ended.monotonic_s - visit.started.monotonic_s
        with self._guard:
            self._recent.append(
                RecentVisit(visit.visit_id, visit.label, unix_s, duration_s, visit.confidence, has_picture)
            )
            if unix_s is None:
                self._undated.append((visit.label, visit.started))
            else:
                self._count(visit.label, unix_s)

    def recent(self) -> tuple[RecentVisit, ...]:
        """Return the last visits, newest first."""
        with self._guard:
            return tuple(reversed(self._recent))

    def today(self, now: datetime) -> int:
        """Return how many visits began on the day of ``now``, which is local time with its zone."""
        return sum(sum(counts) for counts in self.days(now, 1).counts.values())

    def hours(self, now: datetime, number: int = _HOURS) -> Chart:
        """Return the visits of the last hours; the current one is the last bar."""
        begin = now.replace(minute=0, second=0, microsecond=0)
        starts_s = [round(begin.timestamp()) - 3600 * ago for ago in reversed(range(number))]
        with self._guard:
            self._date_the_undated()
            bars = [self._hours.get(start_s, Counter()) for start_s in starts_s]
        return _chart([datetime.fromtimestamp(start_s).astimezone() for start_s in starts_s], bars)

    def days(self, now: datetime, number: int = _DAYS) -> Chart:
        """Return the visits of the last days; the current one is the last bar."""
        dates = [now.date() - timedelta(days=ago) for ago in reversed(range(number))]
        bars: dict[object, Counter[str]] = {date: Counter() for date in dates}
        with self._guard:
            self._date_the_undated()
            for start_s, counts in self._hours.items():
                date = datetime.fromtimestamp(start_s).date()
                if date in bars:
                    bars[date].update(counts)
        return _chart([datetime(date.year, date.month, date.day).astimezone() for date in dates], list(bars.values()))

    def _count(self, label: str, unix_s: float) -> None:
        hour = datetime.fromtimestamp(unix_s).replace(minute=0, second=0, microsecond=0)
        self._hours.setdefault(round(hour.timestamp()), Counter())[label] += 1
        newest_s = max(self._hours)
        for start_s in [old for old in self._hours if old < newest_s - (_DAYS + 1) * 86_400]:
            del self._hours[start_s]

    def _date_the_undated(self) -> None:
        """Count the visits from before the clock was set, once it is."""
        while self._undated:
            label, moment = self._undated[0]
            unix_s = self._date_of(moment)
            if unix_s is None:
                return
            self._undated.popleft()
            self._count(label, unix_s)


def _chart(bars: list[datetime], counted: list[Counter[str]]) -> Chart:
    labels = sorted({label for counts in counted for label in counts})
    return Chart(tuple(bars), {label: tuple(counts[label] for counts in counted) for label in labels})
