"""The sun, against the times of another library."""

from datetime import UTC, date, datetime

import pytest

from trailcam_edge.recognition.schedule.sun import DAWN_DEG, SUNRISE_DEG, crossing, local_day, solar_noon

# Source: the library astral 3.2, UTC, to the minute.
PUBLISHED = [
    ((47.37, 8.54), date(2026, 6, 21), "03:29", "19:26"),
    ((47.37, 8.54), date(2026, 12, 21), "07:10", "15:37"),
    ((-33.87, 151.21), date(2026, 1, 1), "18:48", "09:09"),
    ((0.0, 0.0), date(2026, 3, 20), "06:04", "18:11"),
    ((40.71, -74.01), date(2026, 7, 4), "09:31", "00:30"),
]


@pytest.mark.parametrize(("place", "day", "rise", "fall"), PUBLISHED)
def test_sunrise_and_sunset_are_those_of_the_tables(
    place: tuple[float, float], day: date, rise: str, fall: str
) -> None:
    for text, rising in ((rise, True), (fall, False)):
        found = datetime.fromtimestamp(crossing(day, *place, SUNRISE_DEG, rising), UTC)
        minutes = (found.hour * 60 + found.minute + found.second / 60) - int(text[:2]) * 60 - int(text[3:])
        assert abs((minutes + 720) % 1440 - 720) <= 2.0, (place, day, text, found)


def test_in_polar_day_the_night_has_no_length_and_in_polar_night_the_day() -> None:
    summer, winter = date(2026, 6, 21), date(2026, 12, 21)
    tromso = (69.65, 18.96)
    noon_s = solar_noon(summer, tromso[1])
    assert crossing(summer, *tromso, SUNRISE_DEG, True) == noon_s - 43_200
    assert crossing(summer, *tromso, SUNRISE_DEG, False) == noon_s + 43_200
    assert crossing(winter, *tromso, SUNRISE_DEG, True) == crossing(winter, *tromso, SUNRISE_DEG, False)
    assert crossing(winter, *tromso, DAWN_DEG, True) < crossing(winter, *tromso, DAWN_DEG, False)  # a civil twilight


@pytest.mark.parametrize("latitude_deg", [-90.0, 90.0])
def test_at_the_poles_there_is_an_answer(latitude_deg: float) -> None:
    for month in range(1, 13):
        day = date(2026, month, 15)
        rise_s = crossing(day, latitude_deg, 0.0, SUNRISE_DEG, True)
        assert 0 <= solar_noon(day, 0.0) - rise_s <= 43_200


def test_the_day_is_that_of_the_place() -> None:
    late_s = datetime(2026, 6, 1, 23, tzinfo=UTC).timestamp()
    assert local_day(late_s, 174.8) == date(2026, 6, 2)
    assert local_day(late_s, -157.8) == date(2026, 6, 1)
