"""The filter of a list of visits, from the query of an address and back. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from trailcam_edge.events import UNKNOWN, stated_confidence
from trailcam_edge.store.reviews import tables
from trailcam_edge.store.wall_time import Timeline

REVIEW_STATES = {
    "no": ("not reviewed", tables.UNREVIEWED),
    "yes": ("reviewed", tables.REVIEWED),
    "corrected": ("corrected", tables.CORRECTED),
    "disputed": ("reviewers differ", tables.DISPUTED),
    "deleted": ("deleted", tables.DELETED),
}
CONFIDENCES = (50, 70, 80, 90, 95)
_MAX_LABEL = 200
_MAX_SPANS = 300  # starts of the machine in one day: SQLite takes 999 values


@dataclass(frozen=True)
class VisitFilter:
    """Visits to show: of this label, of this local day, with at least this confidence in percent, in this state."""

    label: str | None = None
    day: date | None = None
    confidence: int = 0
    review: str | None = None

    def query(self, **more: object) -> str:
        """Return the query of an address with this filter, with a question mark, or nothing."""
        fields = {
            "label": self.label,
            "day": self.day,
            "confidence": self.confidence or None,
            "review": self.review,
        } | more
        text = urlencode({name: value for name, value in fields.items() if value is not None})
        return f"?{text}" if text else ""

    @property
    def is_empty(self) -> bool:
        """True if it lets every visit through."""
        return self == VisitFilter()


def parse_filter(query: Mapping[str, str]) -> VisitFilter:
    """Return the filter of a query; a field that makes no sense is left out: any client can write an address."""
    label = query.get("label") or None
    review = query.get("review")
    confidence = query.get("confidence", "")
    return VisitFilter(
        label if label is not None and len(label) <= _MAX_LABEL else None,
        parse_day(query.get("day", "")),
        min(int(confidence), 100) if confidence.isascii() and confidence.isdigit() and len(confidence) < 4 else 0,
        review if review in REVIEW_STATES else None,
    )


def parse_day(text: str) -> date | None:
    """Return a day of the years 2000 to 2099, or None."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def day_span(day: date) -> tuple[float, float]:
    """Return the Unix times at which a day of this machine's zone begins and ends."""
    start = datetime(day.year, day.month, day.day)
    return start.astimezone().timestamp(), (start + timedelta(days=1)).astimezone().timestamp()


def condition_of(chosen: VisitFilter, timeline: Timeline) -> tuple[str, list[object]]:
    """Return the condition in SQL over ``visits``, and its values."""
    conditions: list[str] = []
    values: list[object] = []
    if chosen.label is not None:
        conditions.append("label = ?")
        values.append(chosen.label)
    if chosen.confidence:
        conditions.append(f"confidence >= ? AND label <> '{UNKNOWN}'")
        values.append(chosen.confidence / 100)
    if chosen.day is not None:
        spans = timeline.spans(*day_span(chosen.day))[-_MAX_SPANS:]
        part = "(started_boot_id = ? AND started_monotonic_s >= ? AND started_monotonic_s < ?)"
        conditions.append(f"({' OR '.join([part] * len(spans))})" if spans else "0")
        values += [value for span in spans for value in span]
    conditions.append(f"NOT {tables.DELETED}" if chosen.review is None else REVIEW_STATES[chosen.review][1])
    return " AND ".join(conditions), values


def percent_of(label: str, confidence: float, decimals: int = 0) -> str:
    """Return a confidence in words, "" beside "unknown"."""
    stated = stated_confidence(label, confidence)
    return "" if stated is None else f"{stated:.{decimals}%}"
