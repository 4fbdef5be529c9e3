"""Pause outside the hours of the schedule: frames arrive, and are not classified."""

import logging
import time
from collections.abc import Iterator
from datetime import datetime

from trailcam_edge.events import BlindTime
from trailcam_edge.events.clock import Clock
from trailcam_edge.recognition.schedule import Schedule, ScheduleSettings

REASON = "schedule"
_log = logging.getLogger(__name__)
_CHECK_S = 1.0


class Pause:
    """State of the schedule; while the date is unknown, the camera watches.

    Args:
        settings: of the schedule.
        clock: dates the pause.
    """

    frame_s = 1.0  # between two frames while paused: enough for the live page and the watchdog

    def __init__(self, settings: ScheduleSettings, clock: Clock) -> None:
        self._schedule = Schedule(settings)
        self._clock = clock
        self._started_s: float | None = None
        self._checked_s = float("-inf")

    @property
    def active(self) -> bool:
        """True while the camera does not watch."""
        return self._started_s is not None

    def reload(self, settings: ScheduleSettings) -> None:
        """Follow other settings from the next ``update`` on."""
        self._schedule = Schedule(settings)
        self._checked_s = float("-inf")

    def update(self) -> Iterator[BlindTime]:
        """Compare the time with the schedule; yield the pause as a blind time when it ends."""
        if time.monotonic() < self._checked_s + _CHECK_S:
            return
        self._checked_s = time.monotonic()
        wall = self._clock.moment(self._clock.monotonic_s()).wall
        hours = None if wall is None else self._schedule.hours(wall.timestamp())
        if hours is None or hours.watching:
            yield from self.end()
        elif self._started_s is None:
            self._started_s = self._clock.monotonic_s()
            until = "" if hours.until_s is None else f" until {datetime.fromtimestamp(hours.until_s):%Y-%m-%d %H:%M}"
            _log.info("outside the hours of [schedule]: nothing is classified%s.", until)

    def end(self) -> Iterator[BlindTime]:
        """End a pause and yield it."""
        if self._started_s is not None:
            now_s = self._clock.monotonic_s()
            yield BlindTime(REASON, self._clock.moment(self._started_s), self._clock.moment(now_s))
            self._started_s = None
            _log.info("within the hours of [schedule]: watching.")
