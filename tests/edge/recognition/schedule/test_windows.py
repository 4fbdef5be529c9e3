"""Hours of the schedule: over midnight, changes of the clock, seasons and poles."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.records import FieldError
from trailcam_edge.recognition.schedule import Schedule, ScheduleSettings

ZURICH = ZoneInfo("Europe/Zurich")


def watches(watch: str, moment: datetime, latitude_deg: float = 47.4, longitude_deg: float = 8.5) -> bool:
    zone: tzinfo = moment.tzinfo or UTC
    return Schedule(ScheduleSettings(watch, latitude_deg, longitude_deg), zone).hours(moment.timestamp()).watching


def at(text: str, zone: tzinfo = ZURICH) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_without_windows_the_camera_watches_always() -> None:
    hours = Schedule(ScheduleSettings()).hours(0.0)
    assert (hours.watching, hours.until_s) == (True, None)


def test_a_window_includes_its_start_and_not_its_end() -> None:
    for text, expected in (("05:59:59", False), ("06:00", True), ("09:29:59", True), ("09:30", False)):
        assert watches("06:00..09:30", at(f"2026-05-05T{text}")) is expected


def test_a_window_spans_midnight_and_several_windows_add_up() -> None:
    for text, expected in (("23:00", True), ("03:00", True), ("07:00", False), ("12:30", True), ("13:00", False)):
        assert watches("22:00..06:00, 12:00..13:00", at(f"2026-05-05T{text}")) is expected


def test_the_night_is_from_before_sunset_to_after_sunrise() -> None:
    # Zurich, 21 June 2026: sunrise 05:29, sunset 21:26
    for text, expected in (
        ("20:20", False),
        ("20:30", True),
        ("23:59", True),
        ("02:00", True),
        ("06:25", True),
        ("06:35", False),
        ("12:00", False),
    ):
        assert watches("sunset-1h..sunrise+1h", at(f"2026-06-21T{text}")) is expected


def test_the_end_is_told() -> None:
    hours = Schedule(ScheduleSettings("06:00..09:30"), ZURICH).hours(at("2026-05-05T07:00").timestamp())
    assert hours.until_s == at("2026-05-05T09:30").timestamp()
    hours = Schedule(ScheduleSettings("06:00..09:30"), ZURICH).hours(at("2026-05-05T12:00").timestamp())
    assert hours.until_s == at("2026-05-06T06:00").timestamp()


def test_the_clock_on_the_wall_counts_when_it_is_changed() -> None:
    # 29 March 2026: 02:00 becomes 03:00; 25 October 2026: 03:00 becomes 02:00
    window = Schedule(ScheduleSettings("01:00..04:00"), ZURICH)
    spring = window.hours(at("2026-03-29T01:00").timestamp())
    autumn = window.hours(at("2026-10-25T01:00").timestamp())
    assert spring.until_s is not None
    assert autumn.until_s is not None
    assert spring.until_s - at("2026-03-29T01:00").timestamp() == 2 * 3600
    assert autumn.until_s - at("2026-10-25T01:00").timestamp() == 4 * 3600


def test_in_polar_day_a_night_schedule_shrinks_to_its_offsets_and_in_polar_night_it_is_always() -> None:
    tromso = (69.65, 18.96)
    zone = timezone(timedelta(hours=2))
    assert not any(watches("sunset..sunrise", at(f"2026-06-21T{hour:02}:00", zone), *tromso) for hour in range(24))
    some = [watches("sunset-1h..sunrise+1h", at(f"2026-06-21T{hour:02}:30", zone), *tromso) for hour in range(24)]
    assert sum(some) == 2
    assert all(watches("sunset..sunrise", at(f"2026-12-21T{hour:02}:00", zone), *tromso) for hour in range(24))
    assert not any(watches("sunrise..sunset", at(f"2026-12-21T{hour:02}:00", zone), *tromso) for hour in range(24))


def test_far_from_greenwich_the_night_is_the_night_of_the_place() -> None:
    for longitude_deg, zone in ((174.8, ZoneInfo("Pacific/Auckland")), (-157.8, ZoneInfo("Pacific/Honolulu"))):
        for hour, expected in ((0, True), (3, True), (12, False), (23, True)):
            assert watches("sunset..sunrise", at(f"2026-03-20T{hour:02}:00", zone), 20.0, longitude_deg) is expected


@pytest.mark.parametrize(
    ("watch", "message"),
    [
        ("06:00", "expected windows such as"),
        ("6..9", "expected HH:MM"),
        ("25:00..26:00", "expected HH:MM"),
        ("sunset-..sunrise", "expected HH:MM"),
        ("sunset-13h..sunrise", "at most 12h"),
        ("06:00..06:00", "two different times"),
        ("midnight..noon", "expected HH:MM"),
        (", ".join(["06:00..07:00"] * 21), "at most 20 windows"),
    ],
)
def test_a_text_that_is_no_schedule_is_refused(watch: str, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        ScheduleSettings(watch, 47.0, 8.0)


def test_the_sun_needs_a_place() -> None:
    with pytest.raises(FieldError, match="longitude_deg is missing"):
        ScheduleSettings("sunset..sunrise", latitude_deg=47.0)
    with pytest.raises(FieldError, match="latitude_deg is 91"):
        ScheduleSettings("sunset..sunrise", 91.0, 8.0)
    assert ScheduleSettings("06:00..07:00").windows


_EVENTS = st.sampled_from(["dawn", "sunrise", "noon", "sunset", "dusk"])
_POINTS = st.builds("{}{}".format, _EVENTS, st.sampled_from(["", "-1h", "+30m", "-11h59m", "+12h"])) | st.builds(
    "{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)
)


@given(
    st.lists(st.tuples(_POINTS, _POINTS).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=3),
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.integers(1_767_225_600, 1_798_761_600),
)
def test_the_state_holds_until_the_change_that_is_told_and_changes_then(
    pairs: list[tuple[str, str]], latitude_deg: float, longitude_deg: float, now_s: int
) -> None:
    text = ", ".join(f"{start}..{end}" for start, end in pairs)
    schedule = Schedule(ScheduleSettings(text, latitude_deg, longitude_deg), ZURICH)
    hours = schedule.hours(now_s)
    if hours.until_s is None or hours.until_s > now_s + 86_400:
        return  # at a pole, or always
    assert hours.until_s > now_s
    for share in (0.0, 0.5, 0.99):
        assert schedule.hours(now_s + share * (hours.until_s - now_s)).watching is hours.watching
    assert schedule.hours(hours.until_s + 0.01).watching is not hours.watching


@given(st.text(max_size=40))
def test_any_text_is_a_schedule_or_is_refused(text: str) -> None:
    with contextlib.suppress(FieldError):
        Schedule(ScheduleSettings(text, 47.0, 8.0), ZURICH).hours(1_780_000_000.0)
