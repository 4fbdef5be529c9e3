"""When the camera watches: windows of the days around a moment, in Unix time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from trailcam_edge.recognition.schedule.expression import CLOCK, SUN_EVENTS, Point, Window
from trailcam_edge.recognition.schedule.settings import ScheduleSettings
from trailcam_edge.recognition.schedule.sun import DAWN_DEG, SUNRISE_DEG, crossing, local_day, solar_noon

_DAYS = range(-2, 4)  # around now: a window lasts at most two days


@dataclass(frozen=True)
class Hours:
    """The state at one moment: ``watching``, and the Unix time of the next change, None if there is none near."""

    watching: bool
    until_s: float | None


ALWAYS = Hours(True, None)


class Schedule:
    """The schedule of one camera.

    Args:
        settings: windows and place.
        zone: time zone of the windows; None for that of the machine.
    """

    def __init__(self, settings: ScheduleSettings, zone: tzinfo | None = None) -> None:
        self._settings = settings
        self._windows = settings.windows
        self._zone = zone

    def hours(self, now_s: float) -> Hours:
        """Return whether the camera watches at a Unix time, and until when."""
        if not self._windows:
            return ALWAYS
        spans = _merged([span for window in self._windows for span in self._spans(window, now_s)])
        inside = next((end_s for start_s, end_s in spans if start_s <= now_s < end_s), None)
        if inside is not None:
            return Hours(True, inside)
        return Hours(False, min((start_s for start_s, _ in spans if start_s > now_s), default=None))

    def _spans(self, window: Window, now_s: float) -> list[tuple[float, float]]:
        """Return start and end of a window on each day around now; empty ones are left out."""
        by_sun = window.start.name in SUN_EVENTS and window.end.name in SUN_EVENTS
        days = self._days(now_s, by_sun)
        spans = []
        for day in days:
            start_s, end_s = self._at(window.start, day), self._at(window.end, day)
            if _ends_next_day(window) if by_sun else end_s <= start_s:
                end_s = self._at(window.end, day + timedelta(days=1))
            if end_s > start_s:
                spans.append((start_s, end_s))
        return spans

    def _days(self, now_s: float, by_sun: bool) -> list[date]:
        longitude_deg = self._settings.longitude_deg
        if by_sun and longitude_deg is not None:
            today = local_day(now_s, longitude_deg)
        else:
            today = datetime.fromtimestamp(now_s, self._zone).date()
        return [today + timedelta(days=number) for number in _DAYS]

    def _at(self, point: Point, day: date) -> float:
        offset = timedelta(minutes=point.minutes)
        if point.name == CLOCK:  # by the clock on the wall, on which an hour is missing or twice at a change of DST
            return (datetime(day.year, day.month, day.day, tzinfo=self._zone) + offset).timestamp()
        latitude_deg, longitude_deg = self._settings.latitude_deg or 0.0, self._settings.longitude_deg or 0.0
        if point.name == "noon":
            return solar_noon(day, longitude_deg) + offset.total_seconds()
        elevation_deg = DAWN_DEG if point.name in ("dawn", "dusk") else SUNRISE_DEG
        rising = point.name in ("dawn", "sunrise")
        return crossing(day, latitude_deg, longitude_deg, elevation_deg, rising) + offset.total_seconds()


def _ends_next_day(window: Window) -> bool:
    """Return True if a window between two events of the sun spans the night."""
    ranks = [(SUN_EVENTS.index(point.name), point.minutes) for point in (window.start, window.end)]
    return ranks[1] < ranks[0]


def _merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans that do not touch, in order."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
