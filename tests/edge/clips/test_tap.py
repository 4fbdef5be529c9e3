"""The tap: rate, size and orientation of frames, and a source that never waits."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_edge.clips import tap as tap_module
from trailcam_edge.clips.ring import ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.clips.tap import FrameTap, TappedSource, shrink
from trailcam_edge.events.clock import SystemClock
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.pixels import PackedPixels, PlanarPixels

RED = (40, 40, 200)  # B, G, R


def frame(at_s: float = 0.0, size: tuple[int, int] = (96, 54), **options: Any) -> Frame:
    image = np.full((size[1], size[0], 3), RED, np.uint8)
    return Frame(PackedPixels(image, "BGR", **options), at_s, 0, "f")


def taken(rate_hz: float, camera_hz: float, seconds: float) -> list[ClipFrame]:
    got: list[ClipFrame] = []
    tap = FrameTap(ClipSettings(rate_hz=rate_hz), SystemClock(), got.append)
    for number in range(round(camera_hz * seconds)):
        tap.offer(frame(100 + number / camera_hz), wait=True)
    tap.close()
    return got


@pytest.mark.parametrize(("camera_hz", "expected"), [(30, 80), (25, 80), (8, 80), (5, 50), (8.2, 80)])
def test_the_rate_is_a_limit_and_frames_are_even(camera_hz: float, expected: int) -> None:
    got = taken(8, camera_hz, 10)
    assert len(got) == pytest.approx(expected, abs=3)
    gaps = np.diff([each.at_s for each in got])
    assert gaps.max() <= 2 / min(8, camera_hz) + 0.01


def test_a_clock_of_the_camera_that_jumps_back_does_not_stop_the_frames() -> None:
    got: list[ClipFrame] = []
    tap = FrameTap(ClipSettings(rate_hz=8), SystemClock(), got.append)
    for at_s in (1000.0, 1000.125, 10.0, 10.125, 10.25):
        tap.offer(frame(at_s), wait=True)
    tap.close()
    assert len(got) == 5


def test_a_frame_is_shrunk_upright_and_of_the_right_colour() -> None:
    got: list[ClipFrame] = []
    tap = FrameTap(ClipSettings(longer_side_px=160), SystemClock(), got.append)
    turned = Orientation(rotate_deg=90, roi=(0, 0, 1, 0.5))
    tap.offer(frame(5.0, (640, 360), orientation=turned), wait=True)
    tap.close()
    (made,) = got
    assert (made.at_s, made.size_px) == (5.0, (160, 142))  # the upper half of 360 x 640
    image = cv2.imdecode(np.frombuffer(made.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert np.abs(image.astype(int) - RED).max() <= 6


@pytest.mark.parametrize("kind", ["RGB", "I420"])
def test_every_kind_of_pixels_becomes_bgr(kind: str) -> None:
    pixels: Any = PackedPixels(np.full((54, 96, 3), RED[::-1], np.uint8), "RGB")
    if kind == "I420":
        image = np.full((54, 96, 3), RED, np.uint8)
        pixels = PlanarPixels(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8), 96, kind)
    small = shrink(Frame(pixels, 0.0, 0, "f"), 160)
    assert small.shape == (54, 96, 3)
    assert np.abs(small.astype(int) - RED).max() <= 8
    assert not np.shares_memory(small, pixels.array)


def test_a_live_camera_never_waits_for_the_compressor(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    encode = cv2.imencode
    monkeypatch.setattr(tap_module.cv2, "imencode", lambda *arguments: release.wait(30) and encode(*arguments))
    got: list[ClipFrame] = []
    tap = FrameTap(ClipSettings(rate_hz=30), SystemClock(), got.append)
    start_s = time.monotonic()
    for number in range(30):
        tap.offer(frame(number / 30), wait=False)
    assert time.monotonic() - start_s < 10
    release.set()
    tap.close()
    assert len(got) + tap.dropped == 30
    assert len(got) <= 4


class FakeSource:
    delivery = "live"

    def __init__(self) -> None:
        self.steps: list[str] = []

    def frames(self) -> Iterator[Frame]:
        yield from (frame(float(number)) for number in range(3))

    def __enter__(self) -> "FakeSource":
        self.steps.append("enter")
        return self

    def __exit__(self, *_: object) -> None:
        self.steps.append("exit")


def test_a_tapped_source_is_the_source() -> None:
    source: Any = FakeSource()
    offered: list[tuple[float, bool]] = []
    with TappedSource(source, lambda each, wait: offered.append((each.timestamp_s, wait))) as tapped:
        assert tapped.delivery == "live"
        assert [each.timestamp_s for each in tapped.frames()] == [0, 1, 2]
    assert offered == [(0, False), (1, False), (2, False)]
    assert source.steps == ["enter", "exit"]


def test_a_frame_for_which_there_is_no_memory_is_missing_and_the_next_ones_come(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[ClipFrame] = []

    def add(each: ClipFrame) -> None:
        if each.at_s < 1001:
            raise MemoryError
        got.append(each)

    tap = FrameTap(ClipSettings(rate_hz=8), SystemClock(), add)
    for number in range(10):
        tap.offer(frame(1000.0 + number), wait=number == 0)
        wait_s = time.monotonic() + 10
        while tap._waiting.qsize() and time.monotonic() < wait_s:
            time.sleep(0.005)
    tap.close()
    assert len(got) == 9
    assert "a frame is missing in clips: out of memory" in caplog.text


def test_a_frame_that_cannot_be_shrunk_is_missing_and_its_source_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(image: Any, size: Any, **rest: Any) -> Any:
        if not calls:
            calls.append(1)
            raise cv2.error("no resize")
        return resize(image, size, **rest)

    calls: list[int] = []
    got: list[ClipFrame] = []
    resize = cv2.resize
    monkeypatch.setattr(tap_module.cv2, "resize", fail)
    tap = FrameTap(ClipSettings(rate_hz=8), SystemClock(), got.append)
    for number in range(3):
        tap.offer(frame(1000.0 + number), wait=True)
    tap.close()
    assert len(got) == 2
    assert "a frame is missing in clips: no resize" in caplog.text
