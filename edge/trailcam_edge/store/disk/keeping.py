"""Which pictures of visits are kept longest, because people can learn from them. Pure functions.

The identifier of a visit is random, so the first of a day in the order of identifiers are a random sample of that day.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.store.settings import CollectSettings

RARE_FRACTION, RARE_COUNT = 0.01, 5  # of all visits that a rare label has at most; the larger of both
_DAY_S = 86_400


class KeptVisit(NamedTuple):
    """A visit with a picture; ``time_s`` is Unix time, or seconds since a start while the clock was not set."""

    event_id: int
    visit_id: str
    label: str
    confidence: float
    time_s: float


def choose_kept(visits: Iterable[KeptVisit], settings: CollectSettings) -> frozenset[int]:
    """Return the ``event_id`` of the visits that ``[collect]`` names, for each day in UTC."""
    days: dict[int, list[KeptVisit]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for visit in visits:
        days[int(visit.time_s // _DAY_S)].append(visit)
        counts[visit.label] += 1
    few = max(RARE_COUNT, RARE_FRACTION * counts.total())
    kept: set[int] = set()
    for day in days.values():
        drawn = sorted(day, key=lambda visit: visit.visit_id)
        named = sorted(
            (visit for visit in day if visit.label not in (UNKNOWN, NOTHING)), key=lambda each: each.confidence
        )
        kinds = (
            (drawn, settings.random_per_day),
            (named, settings.unsure_per_day),
            ([visit for visit in drawn if counts[visit.label] <= few], settings.rare_per_day),
            ([visit for visit in drawn if visit.label == UNKNOWN], settings.unknown_per_day),
        )
        kept.update(visit.event_id for chosen, number in kinds for visit in chosen[:number])
    return frozenset(kept)
