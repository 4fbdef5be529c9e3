"""Zones, corrections, and times that cannot be."""

from datetime import UTC, datetime, timedelta

import pytest

from trailcam_archive.times.clock import CameraClock, read_shift, read_zone
from trailcam_archive.times.recorded import StatedTime

_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _utc(clock: CameraClock, time: datetime) -> datetime | None:
    unix_s = clock.unix_s(StatedTime(time, "exif"), _NOW)
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)


def test_a_time_without_a_zone_is_in_that_of_the_clock_in_summer_and_winter() -> None:
    clock = CameraClock(read_zone("Europe/Berlin"))
    assert _utc(clock, datetime(2012, 6, 9, 14, 0)) == datetime(2012, 6, 9, 12, 0, tzinfo=UTC)
    assert _utc(clock, datetime(2012, 1, 9, 14, 0)) == datetime(2012, 1, 9, 13, 0, tzinfo=UTC)
    assert _utc(clock, datetime(2012, 1, 9, 14, 0, tzinfo=UTC)) == datetime(2012, 1, 9, 14, 0, tzinfo=UTC)


def test_a_correction_is_added() -> None:
    clock = CameraClock(UTC, read_shift("+1h23m"))
    assert _utc(clock, datetime(2012, 6, 9, 14, 0)) == datetime(2012, 6, 9, 15, 23, tzinfo=UTC)


def test_nothing_is_later_than_its_source_and_nothing_known_stays_unknown() -> None:
    clock = CameraClock(UTC)
    assert _utc(clock, datetime(2026, 5, 1, 23, 59)) is not None
    assert _utc(clock, datetime(2026, 5, 2, 0, 1)) is None
    assert clock.unix_s(None, _NOW) is None


def test_a_correction_out_of_the_years_is_unknown() -> None:
    assert _utc(CameraClock(UTC, read_shift("-36500d")), datetime(2012, 6, 9)) is None
    assert _utc(CameraClock(UTC, timedelta(days=-900_000)), datetime(2012, 6, 9)) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("+1h23m", 4980), ("-2d", -172_800), ("+90s", 90), ("+0.5s", 0.5), ("-1d2h3m4s", -93_784)]
)
def test_corrections_are_read(text: str, seconds: float) -> None:
    assert read_shift(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["1h", "+", "", "+1x", "+-1h", "+1m1h", "+1"])
def test_other_corrections_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no correction"):
        read_shift(text)


@pytest.mark.parametrize(("text", "hours"), [("+02:00", 2), ("-0330", -3.5), ("UTC+5", 5), ("UTC", 0)])
def test_zones_by_offset(text: str, hours: float) -> None:
    assert read_zone(text).utcoffset(_NOW) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "Europe/Atlantis", "../etc/passwd", "/etc/passwd", "+15:00", "+01:99", "Europe"])
def test_other_zones_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        read_zone(text)
