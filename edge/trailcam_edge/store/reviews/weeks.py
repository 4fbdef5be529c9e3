"""Accuracy by week, and whether the recent weeks differ from those before. Pure functions.

Weeks are those of ISO 8601, in local time. Visits and moments of unknown time belong to no week.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trailcam_core.statistics.wilson import Z_99, difference_interval
from trailcam_edge.store.reviews.accuracy import (
    Missed,
    Precision,
    SampledMoment,
    SampledVisit,
    measure_together,
    missed_json,
    precision_json,
)

_RECENT = 4  # weeks, and never more than half of those that have reviews
_MIN_NUMBER = 10  # reviews on each side of a comparison


@dataclass(frozen=True)
class Week:
    """One week: its name such as "2026-W23", the bundles that watched, precision, and missed animals."""

    name: str
    bundles: tuple[str, ...]
    together: Precision
    named: Precision
    missed: Missed


@dataclass(frozen=True)
class Drift:
    """A difference beyond chance: ``low`` to ``high`` is the 99 % interval of recent minus earlier fraction.

    ``what`` is "precision", "named" or "missed"; ``before`` and ``recent`` are counts and numbers of reviews; ``since``
    is the first of the recent weeks. 99 %, because it is computed every week.
    """

    what: str
    since: str
    before: tuple[int, int]
    recent: tuple[int, int]
    low: float
    high: float


def by_week(sample: Iterable[SampledVisit], moments: Iterable[SampledMoment] = ()) -> list[Week]:
    """Return the weeks that have reviewed random visits or moments, in order."""
    weeks: dict[str, tuple[list[SampledVisit], list[SampledMoment]]] = defaultdict(lambda: ([], []))
    for visit in sample:
        if visit.unix_s is not None and visit.found is not None:
            weeks[_week_of(visit.unix_s)][0].append(visit)
    for moment in moments:
        if moment.unix_s is not None and moment.found is not None:
            weeks[_week_of(moment.unix_s)][1].append(moment)
    found = []
    for name, (visits, quiet) in sorted(weeks.items()):
        measured = measure_together(visits, quiet)
        bundles = sorted({visit.bundle for visit in visits} | {moment.bundle for moment in quiet})
        found.append(Week(name, tuple(bundles), measured.together, measured.named, measured.missed))
    return found


def find_drift(weeks: Sequence[Week]) -> list[Drift]:
    """Return in what the recent weeks differ from those before beyond chance."""
    recent = min(_RECENT, len(weeks) // 2)
    if not recent:
        return []
    counts = {
        "precision": [(week.together.right, week.together.number) for week in weeks],
        "named": [(week.named.right, week.named.number) for week in weeks],
        "missed": [(week.missed.animals, week.missed.number) for week in weeks],
    }
    found = []
    for what, each in counts.items():
        before, after = _total(each[:-recent]), _total(each[-recent:])
        if min(before[1], after[1]) < _MIN_NUMBER:
            continue
        low, high = difference_interval(before, after, Z_99)
        if low > 0 or high < 0:
            found.append(Drift(what, weeks[-recent].name, before, after, low, high))
    return found


def week_json(week: Week) -> dict[str, Any]:
    """Return the JSON object of a week."""
    return {
        "week": week.name,
        "bundles": list(week.bundles),
        "together": precision_json(week.together),
        "named": precision_json(week.named),
        "missed": missed_json(week.missed),
    }


def drift_json(drift: Drift) -> dict[str, Any]:
    """Return the JSON object of a difference."""
    return {
        "what": drift.what,
        "since": drift.since,
        "before": list(drift.before),
        "recent": list(drift.recent),
        "low": round(drift.low, 4),
        "high": round(drift.high, 4),
    }


def drift_words(drift: Drift) -> str:
    """Return a sentence about a difference."""
    before, recent = (count / number for count, number in (drift.before, drift.recent))
    what = {
        "precision": "of the labels right",
        "named": "of the animals named right",
        "missed": "quiet moments with an animal",
    }[drift.what]
    return (
        f"From {drift.since} on it differs from before beyond chance: {recent:.0%} {what} "
        f"({drift.recent[0]} of {drift.recent[1]}) after {before:.0%} ({drift.before[0]} of {drift.before[1]}), "
        f"{100 * (recent - before):+.0f} points ({100 * drift.low:+.0f} to {100 * drift.high:+.0f}, 99 % interval)."
    )


def _total(counts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(count for count, _ in counts), sum(number for _, number in counts)


def _week_of(unix_s: float) -> str:
    year, week, _ = datetime.fromtimestamp(unix_s).isocalendar()
    return f"{year}-W{week:02}"
