"""Wall time from boots and clock readings, whatever the clock did."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.store.wall_time import Boot, ClockReading, Timeline, WallTime, is_plausible

SUMMER_S = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
HOUR_S = 3600.0


def test_a_reading_dates_what_came_before_and_after_it() -> None:
    timeline = Timeline([Boot("a", 500)], [ClockReading("a", 100, SUMMER_S)])
    assert timeline.resolve("a", 40) == WallTime(SUMMER_S - 60, "clock")
    assert timeline.resolve("a", 400) == WallTime(SUMMER_S + 300, "clock")


def test_a_clock_that_starts_in_1970_says_nothing() -> None:
    timeline = Timeline([Boot("a", 500)], [ClockReading("a", 100, 100.0)])
    assert timeline.resolve("a", 40) == WallTime(None, "unknown")
    assert not is_plausible(0.0)


def test_a_clock_is_plausible_from_2025_on() -> None:
    first_s = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    assert is_plausible(first_s)
    assert not is_plausible(first_s - 0.5)


def test_only_a_time_from_a_clock_is_known() -> None:
    assert WallTime(SUMMER_S, "clock").known
    assert not WallTime(SUMMER_S, "not before").known


def test_1970_becomes_2026_for_the_whole_boot_once_the_clock_is_set() -> None:
    readings = [ClockReading("a", 10, 10.0), ClockReading("a", 600, SUMMER_S)]
    assert Timeline([Boot("a", 700)], readings).resolve("a", 10) == WallTime(SUMMER_S - 590, "clock")


@pytest.mark.parametrize("jump_s", [-30 * 24 * HOUR_S, -HOUR_S, HOUR_S, 400 * 24 * HOUR_S])
def test_a_corrected_clock_is_believed_and_order_is_kept(jump_s: float) -> None:
    readings = [ClockReading("a", 100, SUMMER_S), ClockReading("a", 200, SUMMER_S + 100 + jump_s)]
    timeline = Timeline([Boot("a", 300)], readings)
    times = [timeline.resolve("a", second).unix_s for second in (50, 150, 199, 201, 300)]
    assert times == [SUMMER_S + jump_s + second - 100 for second in (50, 150, 199, 201, 300)]


def test_slow_drift_is_followed_instead_of_called_a_correction() -> None:
    month_s = 30 * 24 * HOUR_S
    readings = [ClockReading("a", 0, SUMMER_S), ClockReading("a", month_s, SUMMER_S + month_s + 50)]
    timeline = Timeline([Boot("a", month_s)], readings)
    assert timeline.resolve("a", 60) == WallTime(SUMMER_S + 60, "clock")
    assert timeline.resolve("a", month_s - 60) == WallTime(SUMMER_S + month_s - 10, "clock")


@pytest.mark.parametrize("sign", [-1, 1])
def test_beyond_a_step_of_five_seconds_and_the_drift_of_a_crystal_a_clock_was_corrected(sign: int) -> None:
    def moved_by(offset_s: float) -> WallTime:
        later = ClockReading("a", 15_000, SUMMER_S + 10_000 + sign * offset_s)
        return Timeline([Boot("a", 15_000)], [ClockReading("a", 5_000, SUMMER_S), later]).resolve("a", 5_000)

    assert moved_by(6.9) == moved_by(7.0) == WallTime(SUMMER_S, "clock")  # 5 s and 200 ppm of 10,000 s
    corrected_s = moved_by(7.1).unix_s
    assert corrected_s is not None
    assert corrected_s == pytest.approx(SUMMER_S + sign * 7.1, abs=1e-3)


def test_a_boot_without_clock_stands_after_the_one_before() -> None:
    boots = [Boot("a", 1000), Boot("b", 500), Boot("c", 50)]
    timeline = Timeline(boots, [ClockReading("a", 1000, SUMMER_S)])
    assert timeline.resolve("b", 20) == WallTime(SUMMER_S + 20, "not before")
    assert timeline.resolve("c", 7) == WallTime(SUMMER_S + 507, "not before")


def test_a_first_boot_without_clock_stands_before_the_next() -> None:
    boots = [Boot("a", 1000), Boot("b", 500), Boot("c", 50)]
    timeline = Timeline(boots, [ClockReading("c", 50, SUMMER_S)])
    assert timeline.resolve("b", 500) == WallTime(SUMMER_S - 50, "not after")
    assert timeline.resolve("a", 1000) == WallTime(SUMMER_S - 550, "not after")


def test_a_recording_was_made_before_it_was_read_and_has_no_neighbours() -> None:
    boots = [Boot("a", 1000), Boot("recording-1", 600), Boot("recording-2", 9), Boot("b", 50)]
    readings = [
        ClockReading("a", 1000, SUMMER_S),
        ClockReading("recording-1", 0, SUMMER_S),
        ClockReading("recording-1", 600, SUMMER_S),
    ]
    timeline = Timeline(boots, readings)
    assert timeline.resolve("recording-1", 0) == WallTime(SUMMER_S - 600, "not after")
    assert timeline.resolve("recording-1", 600) == WallTime(SUMMER_S, "not after")
    assert timeline.resolve("recording-2", 3) == WallTime(None, "unknown")
    assert timeline.resolve("b", 7) == WallTime(SUMMER_S + 7, "not before")


@pytest.mark.parametrize("wall_s", [1e9, 4.2e9, 1e300, float("inf"), float("nan")])
def test_a_clock_that_cannot_be_right_counts_as_not_set(wall_s: float) -> None:
    assert not is_plausible(wall_s)
    assert Timeline([Boot("a", 9)], [ClockReading("a", 3, wall_s)]).resolve("a", 3) == WallTime(None, "unknown")


def test_nothing_known_is_said_to_be_unknown() -> None:
    assert Timeline([Boot("a", 9)], []).resolve("a", 3) == WallTime(None, "unknown")
    assert Timeline([], []).resolve("never seen", 3) == WallTime(None, "unknown")


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e9, 4e9)), max_size=12),
    st.lists(st.floats(0, 1e6), min_size=2, max_size=12),
)
def test_time_never_runs_backwards_by_more_than_the_clock_was_corrected(
    readings: list[tuple[float, float]], seconds: list[float]
) -> None:
    timeline = Timeline([Boot("a", 1e6)], [ClockReading("a", *reading) for reading in readings])
    times = [timeline.resolve("a", second) for second in sorted(seconds)]
    assert len({time.basis for time in times}) == 1
    for second, earlier, later_second, later in zip(
        sorted(seconds), times, sorted(seconds)[1:], times[1:], strict=False
    ):
        if earlier.unix_s is not None and later.unix_s is not None:
            allowed_s = 2 * (5 + 200e-6 * 1e6)  # both ends may rest on readings that drift explains
            assert abs((later.unix_s - earlier.unix_s) - (later_second - second)) <= allowed_s
