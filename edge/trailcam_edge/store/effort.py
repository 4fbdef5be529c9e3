"""Effort: how long the camera watched, and when and why it was blind. Pure functions of stored records."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from trailcam_edge.store.records import BlindRecord, WatchRecord

NOT_RUNNING = "not running"  # switched off, without power, or stopped
_MIN_GAP_S = 1.0


@dataclass(frozen=True)
class BlindSpan:
    """A period in which nothing could be seen, in Unix time."""

    reason: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Effort:
    """Effort of one camera between two times; ``watched_s`` leaves out every blind span, overlapping ones once.

    ``times_known`` is False if some of it depends on bounds, because a boot's clock was never set.
    """

    start_s: float
    end_s: float
    watched_s: float
    blind: tuple[BlindSpan, ...]
    times_known: bool

    def blind_by_reason(self) -> dict[str, tuple[float, int]]:
        """Return seconds and number of spans for each reason, the longest first."""
        totals: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        for span in self.blind:
            seconds, number = totals[span.reason]
            totals[span.reason] = (seconds + span.end_s - span.start_s, number + 1)
        return dict(sorted(totals.items(), key=lambda item: -item[1][0]))


def summarise_effort(
    watches: Iterable[WatchRecord],
    blind_times: Iterable[BlindRecord],
    since_s: float | None = None,
    until_s: float | None = None,
) -> Effort | None:
    """Return the effort between two times, or None if the camera did not watch then.

    Between two watches the camera did not run. After a power cut a watch ends at the last note of it, so that up to a
    minute is counted as blind in which it still watched: effort is never overstated.
    """
    watches, blind_times = list(watches), list(blind_times)
    times = [record.started for record in watches] + [record.ended for record in watches]
    times += [record.started for record in blind_times] + [record.ended for record in blind_times]
    spans = sorted(
        (watch.started.unix_s, watch.ended.unix_s)
        for watch in watches
        if watch.started.unix_s is not None and watch.ended.unix_s is not None
    )
    if not spans:
        return None
    start_s = max(spans[0][0], since_s if since_s is not None else spans[0][0])
    last_s = max(end_s for _, end_s in spans)
    end_s = min(last_s, until_s if until_s is not None else last_s)
    if end_s <= start_s:
        return None
    found = [
        BlindSpan(blind.reason, blind.started.unix_s, blind.ended.unix_s)
        for blind in blind_times
        if blind.started.unix_s is not None and blind.ended.unix_s is not None
    ]
    reached_s = spans[0][1]
    for next_start_s, next_end_s in spans[1:]:
        if next_start_s - reached_s > _MIN_GAP_S:
            found.append(BlindSpan(NOT_RUNNING, reached_s, next_start_s))
        reached_s = max(reached_s, next_end_s)
    blind = tuple(
        BlindSpan(span.reason, max(span.start_s, start_s), min(span.end_s, end_s))
        for span in sorted(found, key=lambda span: (span.start_s, span.end_s, span.reason))
        if min(span.end_s, end_s) > max(span.start_s, start_s)
    )
    return Effort(start_s, end_s, end_s - start_s - _union_s(blind), blind, all(time.known for time in times))


def _union_s(spans: Iterable[BlindSpan]) -> float:
    """Return how long at least one of the spans, sorted by their start, lasts."""
    total_s = 0.0
    reached_s = float("-inf")
    for span in spans:
        total_s += max(0.0, span.end_s - max(span.start_s, reached_s))
        reached_s = max(reached_s, span.end_s)
    return total_s
