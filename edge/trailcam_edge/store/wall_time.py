"""Wall time on a machine without a clock battery: a pure function of boots and clock readings.

A moment is a boot and seconds of that boot's monotonic clock. A reading is the wall clock at such a moment, after it
had been set. The readings of one boot are one offset, wall minus monotonic, that holds for the whole
boot, before the reading as well as after it. When readings of one boot contradict each other the clock was corrected,
and the newest is believed. A boot without any reading is placed between its neighbours.

A recording counts as a boot without neighbours. If it states when it was made, its readings are that time; otherwise it
has none. Stores of before have upper bounds as readings of a recording: it was made before it was read.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from trailcam_edge.events import Visit, has_neighbours, is_dated, is_recording

EARLIEST_WALL_S = 1_735_689_600.0  # 2025-01-01: this code is younger, so an earlier clock has not been set
EARLIEST_RECORDED_S = 946_684_800.0  # 2000-01-01: an earlier time of a digital recording is a clock that was reset
LATEST_WALL_S = 4_102_444_800.0  # 2100-01-01: a later clock has been set to nonsense
_STEP_S = 5.0  # offsets that differ by more were a step of the clock, not drift
_DRIFT = 200e-6  # twice what the worst common crystal does (100 ppm)
_NO_OFFSETS: tuple[list[float], list[float]] = ([], [])


@dataclass(frozen=True)
class Boot:
    """One start of the machine and the latest moment known of it; boots are listed in the order of their start."""

    boot_id: str
    last_monotonic_s: float


@dataclass(frozen=True)
class ClockReading:
    """At ``monotonic_s`` of this boot a clock that had been set showed ``wall_s`` (Unix time)."""

    boot_id: str
    monotonic_s: float
    wall_s: float


class WallTime(NamedTuple):  # cheaper than a dataclass: a store has millions
    """A Unix time and how it is known.

    ``basis`` is "clock" (right as far as the clock was), "not before" or "not after" (this boot's clock was never set;
    the time is the bound that the neighbouring boots give), or "unknown", with ``unix_s`` None.
    """

    unix_s: float | None
    basis: str

    @property
    def known(self) -> bool:
        """True if a clock that had been set gives the time."""
        return self.basis == "clock"


def is_plausible(wall_s: float, boot_id: str = "") -> bool:
    """Return True if a wall time can be that of a set clock, rather than the start value of one without a battery."""
    return (EARLIEST_RECORDED_S if is_dated(boot_id) else EARLIEST_WALL_S) <= wall_s <= LATEST_WALL_S


class Timeline:
    """Wall time for every moment of every boot."""

    def __init__(self, boots: Sequence[Boot], readings: Iterable[ClockReading]) -> None:
        """Take the boots in the order of their start, and the readings of each boot in the order they were taken."""
        taken: dict[str, list[ClockReading]] = {boot.boot_id: [] for boot in boots}
        for reading in readings:
            if is_plausible(reading.wall_s, reading.boot_id) and reading.boot_id in taken:
                taken[reading.boot_id].append(reading)
        self._last_s = {boot.boot_id: boot.last_monotonic_s for boot in boots}
        self._offsets = {boot_id: _offsets(found) for boot_id, found in taken.items() if not is_recording(boot_id)}
        self._start_s: dict[str, tuple[float, str]] = {}
        neighbours = [boot for boot in boots if has_neighbours(boot.boot_id)]
        self._bound_from_before(neighbours)
        self._bound_from_after(neighbours)
        for boot_id, found in taken.items():
            if found and is_recording(boot_id):
                self._start_s[boot_id] = min(each.wall_s - each.monotonic_s for each in found), "not after"

    def resolve(self, boot_id: str, monotonic_s: float) -> WallTime:
        """Return the wall time of a moment; "unknown" for a boot that is not listed."""
        constant = self.constant(boot_id)
        if constant is not None:
            return tuple.__new__(WallTime, (constant[0] + monotonic_s, constant[1]))
        times_s, offsets_s = self._offsets.get(boot_id, _NO_OFFSETS)
        if not times_s:
            return WallTime(None, "unknown")
        place = bisect_left(times_s, monotonic_s)
        if place == len(times_s) or (place and monotonic_s - times_s[place - 1] <= times_s[place] - monotonic_s):
            place -= 1
        return tuple.__new__(WallTime, (offsets_s[place] + monotonic_s, "clock"))

    def constant(self, boot_id: str) -> tuple[float, str] | None:
        """Return wall minus monotonic time and its basis, None if it is unknown or not the same in the whole boot."""
        times_s, offsets_s = self._offsets.get(boot_id, _NO_OFFSETS)
        if times_s:
            return (offsets_s[0], "clock") if len(times_s) == 1 else None
        return self._start_s.get(boot_id)

    def spans(self, since_s: float, until_s: float) -> list[tuple[str, float, float]]:
        """Return each boot that touches a time, and the monotonic seconds in which that time begins and ends in it.

        Args:
            since_s: Unix time; moments of it belong to the time.
            until_s: Unix time; moments of it do not.
        """
        found = []
        for boot_id, last_s in self._last_s.items():
            start, end = self.resolve(boot_id, 0.0).unix_s, self.resolve(boot_id, last_s).unix_s
            if start is None or end is None or start >= until_s or end < since_s:
                continue
            found.append((boot_id, self._monotonic(boot_id, since_s), self._monotonic(boot_id, until_s)))
        return found

    def _monotonic(self, boot_id: str, unix_s: float) -> float:
        """Return the monotonic time that resolves to a Unix time; offsets of one boot differ by seconds at most."""
        monotonic_s = 0.0
        for _ in range(2):  # the second step uses the offset that holds there
            monotonic_s += unix_s - (self.resolve(boot_id, monotonic_s).unix_s or 0.0)
        return monotonic_s

    def _bound_from_before(self, boots: Sequence[Boot]) -> None:
        """Bound each boot from below: it starts after the last known moment of the one before."""
        earliest_s: float | None = None
        for boot in boots:
            if not self._offsets[boot.boot_id][0] and earliest_s is not None:
                self._start_s[boot.boot_id] = earliest_s, "not before"
            end_s = self.resolve(boot.boot_id, boot.last_monotonic_s).unix_s
            earliest_s = end_s if end_s is not None else earliest_s

    def _bound_from_after(self, boots: Sequence[Boot]) -> None:
        """Bound boots before the first set clock from above: each ends before the next one starts."""
        latest_s: float | None = None
        for boot in reversed(boots):
            if self._offsets[boot.boot_id][0]:
                latest_s = self.resolve(boot.boot_id, 0.0).unix_s
            elif boot.boot_id not in self._start_s and latest_s is not None:
                latest_s -= boot.last_monotonic_s
                self._start_s[boot.boot_id] = latest_s, "not after"


def _offsets(readings: list[ClockReading]) -> tuple[list[float], list[float]]:
    """Return monotonic times and wall minus monotonic of the newest reading and those that agree with it, sorted."""
    if not readings:
        return _NO_OFFSETS
    newest = readings[-1]
    offset_s = newest.wall_s - newest.monotonic_s
    kept = sorted(
        (reading.monotonic_s, reading.wall_s - reading.monotonic_s)
        for reading in readings
        if abs(reading.wall_s - reading.monotonic_s - offset_s)
        <= _STEP_S + _DRIFT * abs(reading.monotonic_s - newest.monotonic_s)
    )
    return [time_s for time_s, _ in kept], [offset_s for _, offset_s in kept]


def wall_of_picture(visit: Visit) -> datetime | None:
    """Return when a picture was taken, at the start where that is unknown; the clock may have been set later."""
    if is_recording(visit.started.boot_id):
        return None
    for moment in (visit.started, visit.ended):
        if (
            moment.wall is not None
            and moment.boot_id == visit.started.boot_id
            and is_plausible(moment.wall.timestamp(), moment.boot_id)
        ):
            elapsed_s = moment.monotonic_s - visit.started.monotonic_s - (visit.picture_offset_s or 0.0)
            return moment.wall - timedelta(seconds=elapsed_s)
    return None
