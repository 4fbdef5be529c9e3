"""The lines of visits in each form of ``trailcam events``: tables, JSON and CSV."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import inf

from trailcam.commands.events.reviews import csv_lines, json_lines, review_lines
from trailcam_core.files.names import printable
from trailcam_edge.events import UNKNOWN, stated_confidence
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.records import CLOCK, EventLine, EventRecord

_LINE = "%-20s %6.1f s  %s %3.0f%%  %s\n"  # in half the time of an f-string, for stores of a million events
_UNKNOWN_LINE = "%-20s %6.1f s  %s       %s\n"
_QUARTER_S = 900
_MARKS = {"not before": ">", "not after": "<"}
ALL = "1"


@dataclass(frozen=True)
class Query:
    """The visits to print, and their form. All values are of JSON, so that another process can get them.

    ``store`` is the folder, ``form`` a key of ``FORMS``, ``only`` a condition on visits in SQL, the rest is as for
    ``StoreReader.events``.
    """

    store: str
    form: str
    only: str = ALL
    label: str | None = None
    since_s: float | None = None
    until_s: float | None = None
    station: str | None = None

    def lines(self, reader: StoreReader, after: int, last: int) -> Iterator[str]:
        """Yield the lines of the visits whose number is above ``after`` and at most ``last``."""
        reader.restrict(f"({self.only}) AND visits.event_id <= {last}")
        return FORMS[self.form](reader, self, after)

    def has_unknown(self, reader: StoreReader, after: int) -> bool:
        """Return True if one of the visits above ``after`` is unknown."""
        if self.label not in (None, UNKNOWN):
            return False
        unknown = reader.events(UNKNOWN, self.since_s, self.until_s, after, station=self.station)
        return next(unknown, None) is not None

    def events(self, reader: StoreReader, after: int) -> Iterator[EventRecord]:
        """Return the visits whose number is above ``after``."""
        return reader.events(self.label, self.since_s, self.until_s, after, station=self.station)


def when(unix_s: float | None, basis: str) -> str:
    """Return a time in the zone of this machine; a bound is marked with > or <."""
    if unix_s is None:
        return "at an unknown time"
    quarter, second = divmod(unix_s, _QUARTER_S)
    hour, first = _local_quarter(quarter)
    text = f"{hour}{CLOCK[first + int(second)]}"
    return text if basis == "clock" else _MARKS.get(basis, "") + text


def _table(reader: StoreReader, query: Query, after: int) -> Iterator[str]:
    return _table_lines(reader.lines(query.label, query.since_s, query.until_s, after))


def _table_lines(events: Iterator[EventLine]) -> Iterator[str]:
    """Yield a line for each visit; visits of one quarter of an hour share the text of their hour."""
    shown = _Shown()
    quarter_s, hour, first = inf, "", 0
    for unix_s, basis, duration_s, label, confidence, picture in events:
        if basis == "clock" and unix_s is not None:
            second = unix_s - quarter_s
            if not 0 <= second < _QUARTER_S:
                number, second = divmod(unix_s, _QUARTER_S)
                quarter_s = number * _QUARTER_S
                hour, first = _local_quarter(number)
            time = hour + CLOCK[first + int(second)]
        else:
            time = when(unix_s, basis)
        name = printable(picture) if picture else ""
        if label == UNKNOWN:
            yield _UNKNOWN_LINE % (time, duration_s, shown[label], name)
        else:
            yield _LINE % (time, duration_s, shown[label], 100 * confidence, name)


class _Shown(dict[str, str]):
    """Labels as the terminal may show them, in a column: a store has few."""

    def __missing__(self, label: str) -> str:
        self[label] = f"{printable(label):<17}"
        return self[label]


def _station_table(reader: StoreReader, query: Query, after: int) -> Iterator[str]:
    for event in query.events(reader, after):
        time = when(event.started.unix_s, event.started.basis)
        stated = stated_confidence(event.label, event.confidence)
        yield (
            f"{time:<20} {event.duration_s:6.1f} s  {printable(event.label):<17} "
            f"{'' if stated is None else format(stated, '.0%'):>4}  "
            f"{printable(event.station or '-'):<16} {printable(event.source or event.picture or '')}\n"
        )


@lru_cache
def _local_quarter(number: float) -> tuple[str, int]:
    """Return date and hour of a quarter of an hour, and the second in it; no zone changes within one."""
    start = datetime.fromtimestamp(number * _QUARTER_S).astimezone()
    return start.isoformat(" ")[:14], 60 * start.minute


FORMS: dict[str, Callable[[StoreReader, Query, int], Iterator[str]]] = {
    "table": _table,
    "stations": _station_table,
    "reviewed": lambda reader, query, after: review_lines(reader, query.events(reader, after)),
    "json": lambda reader, query, after: json_lines(reader, query.events(reader, after)),
    "csv": lambda reader, query, after: csv_lines(reader, query.events(reader, after)),
}
