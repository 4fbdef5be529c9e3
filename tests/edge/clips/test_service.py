"""Clips of a camera as a whole: from frames and visits to files, and everything that costs a clip."""

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from trailcam_core.errors import ConfigError, DeviceError
from trailcam_edge.clips import service as service_module
from trailcam_edge.clips.service import Clips
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.events import OPENED, UPDATED, Clip, Moment, Visit, VisitChange
from trailcam_edge.events.clock import RecordingClock, SystemClock
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels

from .conftest import needs_av

IMAGE = np.full((54, 96, 3), 90, np.uint8)
FAST = ClipSettings(before_s=1, longest_s=3, write_timeout_s=60)


class FakeSource:
    """A recording of ``seconds``, 8 frames a second."""

    delivery = "recording"

    def __init__(self, seconds: float = 10) -> None:
        self._number = round(8 * seconds)

    def frames(self) -> Iterator[Frame]:
        for number in range(self._number):
            yield Frame(PackedPixels(IMAGE, "BGR"), 1000 + number / 8, number, "f")

    def __enter__(self) -> "FakeSource":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeEncoder:
    """Encodes at once; fails with ``error``, and waits for ``go`` before."""

    def __init__(self, _settings: object) -> None:
        self.error: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def encode(self, frames: Any) -> bytes:
        self.go.wait(30)
        if self.error is not None:
            raise self.error
        return b"mp4" * len(frames)

    def stop(self) -> None:
        self.error = DeviceError("the camera was stopped while it was written")
        self.go.set()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Clips, list[Clip]]]]:
    """Return a function that makes clips with an encoder of the test, and what they stored."""
    monkeypatch.setattr(service_module, "Encoder", FakeEncoder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    made: list[Clips] = []

    def open_one(settings: ClipSettings = FAST, clock: Any = None) -> tuple[Clips, list[Clip]]:
        stored: list[Clip] = []
        clips = Clips(settings, clock or SystemClock(), 10.0, False)
        clips.connect(lambda clip: stored.append(clip) or True)  # type: ignore[func-returns-value]
        made.append(clips)
        return clips, stored

    yield open_one
    for each in made:
        if each._thread.is_alive():
            each.close()


def change(visit_id: str, started_s: float, kind: str = OPENED, label: str = "deer") -> VisitChange:
    moments = Moment(started_s, None, "b"), Moment(started_s + 1, None, "b")
    return VisitChange(kind, Visit(visit_id, label, *moments, 0.9, 3, 5, None, "b 1", 10.0))


def watch(clips: Clips, opens: dict[int, list[VisitChange]], seconds: float = 10) -> None:
    """Read a recording as the loop does."""
    with clips.tapped(lambda: FakeSource(seconds))() as source:  # type: ignore[arg-type, return-value]
        for number, frame in enumerate(source.frames()):
            for each in opens.get(number, []):
                clips.change(each)
            clips.frame("deer", frame.timestamp_s)


def test_a_visit_becomes_a_clip_with_its_offset_and_length(opened: Any) -> None:
    clips, stored = opened()
    watch(clips, {20: [change("v", 1002.0)], 24: [change("v", 1002.0, UPDATED)]})
    clips.close()
    (clip,) = stored
    assert (clip.visit_id, clip.offset_s, clip.duration_s) == ("v", -1.0, 3.0)
    assert clip.content == b"mp4" * 25


def test_times_of_a_recording_count_from_its_start(opened: Any) -> None:
    clips, stored = opened(clock=RecordingClock())
    watch(clips, {20: [change("v", 2.0)]})
    clips.close()
    assert [clip.offset_s for clip in stored] == [-1.0]


def test_twenty_visits_at_once_get_clips_as_far_as_the_memory_allows(
    opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clips, stored = opened(ClipSettings(before_s=1, longest_s=3, max_memory_mb=1))
    watch(clips, {20: [change(f"v{number}", 1002.0, label=f"animal {number}") for number in range(20)]})
    clips.close()
    assert len(stored) == 20

    clips, stored = opened(ClipSettings(before_s=1, longest_s=3, max_memory_mb=1))
    clips._settings = ClipSettings(max_memory_mb=1.0)
    object.__setattr__(clips._settings, "max_memory_mb", 0.03)  # three clips of this size
    clips._encoder.go.clear()
    watch(clips, {20: [change(f"v{number}", 1002.0) for number in range(20)]})
    clips._encoder.go.set()
    clips.close()
    assert 0 < len(stored) < 20
    assert caplog.text.count("too many others wait to be written") == 20 - len(stored)


def test_what_fails_costs_one_clip_and_says_why(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    clips, stored = opened()
    clips._encoder.error = DeviceError("its encoder ended before it was whole (crash (SIGKILL))")
    watch(clips, {20: [change("v", 1002.0)]})
    while "visit v gets no clip" not in caplog.text:
        time.sleep(0.01)
    assert "visit v gets no clip: its encoder ended before it was whole (crash (SIGKILL))." in caplog.text
    clips._encoder.error = RuntimeError("odd")
    clips.change(change("w", 1009.0))
    clips.frame("deer", 1100.0)
    while "visit w gets no clip" not in caplog.text:
        time.sleep(0.01)
    clips._encoder.error = None
    clips.change(change("x", 1009.0))
    clips.frame("deer", 1100.0)
    clips.close()
    assert [clip.visit_id for clip in stored] == ["x"]


def test_a_store_that_refuses_is_said(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    clips, _ = opened()
    clips.connect(lambda clip: False)
    watch(clips, {20: [change("v", 1002.0)]})
    clips.close()
    assert "visit v gets no clip: the store does not take it at present." in caplog.text


def test_a_stop_in_the_middle_of_writing_ends_in_time_and_leaves_nothing(
    opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clips, stored = opened()
    clips._encoder.go.clear()
    watch(clips, {20: [change("v", 1002.0)], 70: [change("w", 1009.0)]})
    clips.close(timeout_s=0.3)
    assert stored == []
    assert caplog.text.count("the camera was stopped while it was written") == 2


def test_a_missing_pyav_is_one_error_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"\[clips\] needs PyAV, which is not installed: .*pip install .*clips"):
        Clips(FAST, SystemClock(), 10.0, False)


@needs_av
def test_with_the_real_encoder_a_clip_is_a_video() -> None:
    stored: list[Clip] = []
    clips = Clips(FAST, SystemClock(), 10.0, False)
    clips.connect(lambda clip: stored.append(clip) or True)  # type: ignore[func-returns-value]
    watch(clips, {20: [change("v", 1002.0)]})
    clips.close(60)
    assert stored[0].content[4:8] == b"ftyp"
