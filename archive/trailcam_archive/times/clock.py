"""From the time that a camera showed to Unix time: its zone, and the correction of its clock."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trailcam_archive.times.exif import LAST_YEAR
from trailcam_archive.times.recorded import StatedTime

_SHIFT = re.compile(r"([+-])(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,6}(?:\.\d{1,3})?)s)?")
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2}):?([0-5]\d)?")
_LARGEST_OFFSET = timedelta(hours=14)
_FIRST_YEAR = 2000  # of a store; a camera trap with an earlier date has a clock that was reset
_EARLY = timedelta(days=1)  # a clock may be wrong by its zone


@dataclass(frozen=True)
class CameraClock:
    """How the clock of a camera was set.

    Attributes:
        zone: of times that state none.
        shift: is added to every time; positive where the clock was slow.
        zone_name: as the user wrote it, which the store keeps.
    """

    zone: tzinfo
    shift: timedelta = field(default=timedelta())
    zone_name: str = "UTC"

    @property
    def rule(self) -> str:
        """Zone and shift as a text: two cards of one rule have comparable times."""
        return f"{self.zone_name} {self.shift.total_seconds():+g}s"

    def unix_s(self, stated: StatedTime | None, latest: datetime) -> float | None:
        """Return the Unix time of a recording; None if it is unknown, or later than a day after ``latest``.

        Args:
            stated: by the file.
            latest: an aware time at which the recording exists; a later one cannot be true.
        """
        if stated is None:
            return None
        time = stated.time if stated.time.tzinfo is not None else stated.time.replace(tzinfo=self.zone)
        try:
            shifted = time.astimezone(UTC) + self.shift
        except OverflowError:
            return None
        if not _FIRST_YEAR <= shifted.year <= LAST_YEAR or shifted > latest + _EARLY:
            return None
        return shifted.timestamp()


def read_shift(text: str) -> timedelta:
    """Return a correction such as "+1h23m", "-2d" or "+3600s".

    Raises:
        ValueError: not of this form.
    """
    found = _SHIFT.fullmatch(text.strip())
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f'{text!r} is no correction, expected such as "+1h23m", "-2d" or "+90s", with its sign')
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()[1:])
    shift = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -shift if found[1] == "-" else shift


def read_zone(text: str) -> tzinfo:
    """Return a time zone: a name such as "Europe/Berlin", "UTC", or an offset such as "+02:00".

    Raises:
        ValueError: there is no such zone.
    """
    found = _OFFSET.fullmatch(text.strip())
    if found is not None:
        size = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if size <= _LARGEST_OFFSET:
            return timezone(-size if found[1] == "-" else size)
    elif text and all(part.replace("-", "").replace("+", "").isalnum() for part in text.replace("_", "").split("/")):
        try:
            return ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ValueError(f'{text!r} is no time zone, expected such as "Europe/Berlin", "UTC" or "+02:00"')
