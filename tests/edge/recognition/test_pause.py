"""The live loop outside the hours of its schedule."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trailcam_edge.events import BlindTime, Moment, Visit, VisitChange
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.pause import Pause
from trailcam_edge.recognition.schedule import ScheduleSettings
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings
from trailcam_edge.regions import RegionSettings

from .. import live_fakes as fakes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULES = VisitSettings(vote_spacing_s=0.02, cool_down_s=0.2, vote_age_s=5.0, longest_s=60.0)


class JumpingClock:
    """The real monotonic clock, and a date that a test sets; None is an unknown one."""

    def __init__(self, wall: datetime | None) -> None:
        self.wall = wall

    def monotonic_s(self) -> float:
        return time.monotonic()

    def moment(self, monotonic_s: float) -> Moment:
        return Moment(monotonic_s, self.wall, "boot")


def around(moment: datetime, first_h: int, last_h: int) -> ScheduleSettings:
    """Return a window in the time zone of this machine, in hours from a moment."""
    start, end = ((moment + timedelta(hours=hours)).astimezone() for hours in (first_h, last_h))
    return ScheduleSettings(f"{start:%H:%M}..{end:%H:%M}")


def run(script: Any, schedule: ScheduleSettings, clock: JumpingClock, classifier: Any = None) -> list[Any]:
    settings = LoopSettings(motion=RegionSettings(enabled=False), visits=RULES, schedule=schedule)
    source = fakes.ScriptedSource(script, "live")
    found = watch(lambda: source, classifier or fakes.ColourClassifier(), settings, clock=clock, changes=True)
    return list(found)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pause, "frame_s", 0.01)
    monkeypatch.setattr("trailcam_edge.recognition.pause._CHECK_S", 0.0)


def test_outside_its_hours_the_camera_shows_frames_and_classifies_none() -> None:
    classifier = fakes.ColourClassifier()
    script = lambda: iter(["red", 0.03] * 8)  # noqa: E731
    found = run(script, around(NOON, 2, 3), JumpingClock(NOON), classifier)
    results = [item for item in found if isinstance(item, FrameResult)]
    assert results
    assert all(result.paused and result.answer is None for result in results)
    assert classifier.fake.calls == 1  # proves that the model runs
    (blind,) = [item for item in found if isinstance(item, BlindTime)]
    assert blind.reason == "schedule"
    assert blind.ended.monotonic_s > blind.started.monotonic_s


@pytest.mark.parametrize("wall", [NOON, None])
def test_within_its_hours_or_without_a_date_the_camera_watches(wall: datetime | None) -> None:
    script = lambda: iter(["red", 0.03] * 8)  # noqa: E731
    schedule = around(NOON, -1, 1) if wall is not None else around(NOON, 2, 3)
    found = run(script, schedule, JumpingClock(wall))
    assert not any(item.paused for item in found if isinstance(item, FrameResult))
    assert [type(item) for item in found if not isinstance(item, FrameResult)] == [VisitChange, Visit]


def test_a_visit_ends_with_the_hours_and_a_clock_that_jumps_back_begins_them_again() -> None:
    clock = JumpingClock(NOON)

    def script() -> Any:
        for _ in range(8):
            yield "red"
            yield 0.03
        clock.wall = NOON + timedelta(hours=5)
        for _ in range(8):
            yield "red"
            yield 0.03
        clock.wall = NOON
        for _ in range(8):
            yield "red"
            yield 0.03

    found = run(script, around(NOON, -1, 1), clock)
    order = [
        item.kind if isinstance(item, VisitChange) else type(item).__name__
        for item in found
        if not isinstance(item, FrameResult)
    ]
    assert order == ["opened", "Visit", "BlindTime", "opened", "Visit"]
    paused = [item.paused for item in found if isinstance(item, FrameResult)]
    assert paused.count(True) >= 2
    assert paused[-1] is False


def test_another_schedule_is_followed_after_a_reload() -> None:
    pause = Pause(around(NOON, 2, 3), JumpingClock(NOON))
    assert list(pause.update()) == []
    assert pause.active
    pause.reload(replace(around(NOON, -1, 1)))
    (blind,) = pause.update()
    assert blind.reason == "schedule"
    assert not pause.active
