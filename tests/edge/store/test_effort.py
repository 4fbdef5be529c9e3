"""Effort: what was watched, what was not, and why."""

from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.store.effort import NOT_RUNNING, BlindSpan, summarise_effort
from trailcam_edge.store.records import BlindRecord, WatchRecord
from trailcam_edge.store.wall_time import WallTime


def _watch(start_s: float, end_s: float, basis: str = "clock") -> WatchRecord:
    return WatchRecord("tiny-1.0.0", WallTime(start_s, basis), WallTime(end_s, basis), 1)


def _blind(reason: str, start_s: float, end_s: float) -> BlindRecord:
    return BlindRecord(reason, WallTime(start_s, "clock"), WallTime(end_s, "clock"))


def test_between_two_watches_the_camera_did_not_run() -> None:
    effort = summarise_effort([_watch(0, 100), _watch(150, 300)], [])
    assert effort is not None
    assert effort.blind == (BlindSpan(NOT_RUNNING, 100, 150),)
    assert effort.watched_s == 250
    assert effort.times_known


def test_a_gap_of_a_second_is_a_restart_and_a_longer_one_is_blind() -> None:
    for gap_s, blind in [(1.0, ()), (1.5, (BlindSpan(NOT_RUNNING, 100, 101.5),))]:
        effort = summarise_effort([_watch(0, 100), _watch(100 + gap_s, 300)], [])
        assert effort is not None
        assert effort.blind == blind


def test_a_time_that_is_not_known_at_either_end_is_left_out() -> None:
    never = WallTime(None, "unknown")
    for start, end in [(never, WallTime(50, "clock")), (WallTime(50, "clock"), never)]:
        watches = [_watch(0, 100), WatchRecord("tiny-1.0.0", start, end, 1)]
        effort = summarise_effort(watches, [BlindRecord("updating", start, end), _blind("disk full", 20, 20)])
        assert effort is not None
        assert (effort.watched_s, effort.blind, effort.times_known) == (100, (), False)


def test_an_effort_of_no_length_is_none() -> None:
    assert summarise_effort([_watch(0, 100)], [], since_s=100) is None
    assert summarise_effort([_watch(0, 100)], [], until_s=0) is None


def test_the_longest_reason_comes_first() -> None:
    blind = [_blind("short", 10, 11), _blind("short", 20, 21), _blind("short", 30, 31), _blind("long", 40, 60)]
    effort = summarise_effort([_watch(0, 100)], [*blind, _blind("longer", 61, 90)])
    assert effort is not None
    assert list(effort.blind_by_reason().items()) == [("longer", (29, 1)), ("long", (20, 1)), ("short", (3, 3))]


def test_overlapping_reasons_are_told_apart_but_counted_once() -> None:
    effort = summarise_effort([_watch(0, 100)], [_blind("disk full", 10, 40), _blind("updating", 30, 50)])
    assert effort is not None
    assert effort.watched_s == 60
    assert effort.blind_by_reason() == {"disk full": (30, 1), "updating": (20, 1)}


def test_only_what_lies_between_the_two_times_counts() -> None:
    effort = summarise_effort([_watch(0, 100), _watch(200, 300)], [_blind("updating", 40, 60)], 50, 250)
    assert effort is not None
    assert (effort.start_s, effort.end_s) == (50, 250)
    assert effort.blind == (BlindSpan("updating", 50, 60), BlindSpan(NOT_RUNNING, 100, 200))
    assert effort.watched_s == 90


def test_no_watch_is_no_effort() -> None:
    assert summarise_effort([], [_blind("updating", 0, 5)]) is None
    assert summarise_effort([_watch(0, 100)], [], 200, 300) is None


def test_bounds_are_not_passed_off_as_known_times() -> None:
    effort = summarise_effort([_watch(0, 100, "not before")], [])
    assert effort is not None
    assert not effort.times_known


# Multiples of ten: a pause between two watches is then none at all, or long enough to count.
spans = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=8)


@given(spans.filter(bool), spans)
def test_watched_time_is_what_counting_gives(watched: list[tuple[int, int]], blind: list[tuple[int, int]]) -> None:
    effort = summarise_effort(
        [_watch(10 * start, 10 * (start + length)) for start, length in watched],
        [_blind("x", 10 * start, 10 * (start + length)) for start, length in blind],
    )
    seen = {ten for start, length in watched for ten in range(start, start + length)}
    seen -= {ten for start, length in blind for ten in range(start, start + length)}
    assert (0 if effort is None else effort.watched_s) == 10 * len(seen)
