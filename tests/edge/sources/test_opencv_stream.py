"""Cameras that OpenCV reads: over the network for real, USB cameras on a capture that misbehaves."""

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.sources import open_source, opencv_stream
from trailcam_edge.sources.opencv_capture import open_ffmpeg
from trailcam_edge.sources.opencv_stream import CaptureSource, network_source
from trailcam_edge.sources.stream_config import StreamConfig
from trailcam_project.experiments.mjpeg_server import MjpegServer, read_stamp_s, stamped

SCENE = np.full((240, 640, 3), (30, 60, 200), np.uint8)  # blue first, as OpenCV writes


class FakeCapture:
    """Reads like ``cv2.VideoCapture``; frames of any sizes, then nothing."""

    def __init__(self, frames: list[np.ndarray], waits_s: list[float] | None = None, opened: bool = True) -> None:
        self._frames = iter(frames)
        self._waits_s: Iterator[float] = iter(waits_s or itertools.repeat(0.0))
        self._opened = opened
        self._grabbed: np.ndarray | None = None
        self.released = False
        self.buffers: list[np.ndarray | None] = []

    def isOpened(self) -> bool:  # noqa: N802
        return self._opened

    def get(self, what: int) -> float:
        return 10.0 if what == cv2.CAP_PROP_FPS else 0.0

    def grab(self) -> bool:
        time.sleep(next(self._waits_s))
        self._grabbed = next(self._frames, None)
        return self._grabbed is not None

    def retrieve(self, buffer: np.ndarray | None) -> tuple[bool, Any]:
        self.buffers.append(buffer)
        frame = self._grabbed
        if frame is None:
            return False, None
        if buffer is not None and buffer.shape == frame.shape:
            buffer[:] = frame
            return True, buffer
        return True, frame.copy()

    def release(self) -> None:
        self.released = True


def source_of(capture: FakeCapture, **options: Any) -> CaptureSource:
    return CaptureSource("/dev/video0", lambda: capture, lambda: SourceError("why"), **options)


def refuse(error: SourceError) -> None:
    raise error


def test_an_mjpeg_stream_is_read_in_the_right_colours() -> None:
    with MjpegServer(stamped(SCENE), rate_hz=50) as server, open_source(server.address, refuse) as source:
        assert source.delivery == "live"
        frames = list(itertools.islice(source.frames(), 3))
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert np.abs(frames[0].image[200, 300].astype(int) - (200, 60, 30)).max() < 12
    assert frames[0].timestamp_s < frames[2].timestamp_s


class SlowCamera:
    """A capture that states a rate of 2 frames/s, so that an image that waits for a busy machine is not a new one."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)

    def get(self, what: int) -> float:
        return 2.0 if what == cv2.CAP_PROP_FPS else float(self._capture.get(what))


def test_the_first_frame_of_a_stream_is_not_one_that_was_collected_while_it_was_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = 0

    def pictures() -> Iterator[bytes]:
        nonlocal sent
        for jpeg in stamped(SCENE)():
            yield jpeg
            sent += 1
            if sent > 20:
                time.sleep(0.5)

    monkeypatch.setattr(opencv_stream, "open_ffmpeg", lambda *a, **options: SlowCamera(open_ffmpeg(*a, **options)))
    with MjpegServer(pictures, rate_hz=1000) as server, network_source(server.address) as source:
        while sent < 20:  # they wait by now
            time.sleep(0.01)
        asked_s = time.monotonic()
        frame = next(source.frames())
    assert read_stamp_s(frame.image) > asked_s


def test_a_stream_that_the_other_side_closes_is_lost_not_ended() -> None:
    with MjpegServer(stamped(SCENE, pictures=15), rate_hz=20) as server, network_source(server.address) as source:
        frames = list(itertools.islice(source.frames(), 5))
        assert len(frames) == 5
        with pytest.raises(SourceError, match="no image arrived after frame"):
            list(source.frames())


def test_an_address_where_nobody_answers_says_so_without_the_password() -> None:
    with pytest.raises(SourceError, match="cannot be opened as a stream") as caught:
        open_source("http://user:secret@127.0.0.1:9/video.mjpg", refuse)
    assert "secret" not in str(caught.value)
    assert "user:***@127.0.0.1:9" in str(caught.value)


def test_buffers_that_were_given_back_are_read_into_again() -> None:
    capture = FakeCapture([np.full((8, 8, 3), level, np.uint8) for level in range(6)])
    frames = source_of(capture).frames()
    held = next(frames)
    for level in range(1, 5):
        frame = next(frames)
        assert frame.pixels.image()[0, 0, 0] == level
        frame.give_back()
    assert held.pixels.image()[0, 0, 0] == 0  # still ours
    assert len({id(buffer) for buffer in capture.buffers if buffer is not None}) == 1


def test_other_sizes_in_the_middle_are_delivered_as_they_are() -> None:
    sizes = [(48, 64), (48, 64), (24, 32), (96, 128), (48, 64)]
    source = source_of(FakeCapture([np.zeros((*size, 3), np.uint8) for size in sizes]))
    frames = source.frames()
    found = []
    for _ in sizes:
        frame = next(frames)
        found.append(frame.image.shape[:2])
        frame.give_back()
    assert found == sizes
    with pytest.raises(SourceError, match="after frame 5"):
        next(frames)


def test_frames_that_waited_while_the_stream_was_opened_are_let_go() -> None:
    frames = [np.full((4, 4, 3), level, np.uint8) for level in range(5)]
    capture = FakeCapture(frames, waits_s=[0.1, 0, 0.1, 0.1, 0])
    first = next(source_of(capture, skip_backlog=True).frames())
    assert first.image[0, 0, 0] == 3


def test_a_camera_that_does_not_open_is_explained_and_let_go() -> None:
    capture = FakeCapture([], opened=False)
    with pytest.raises(SourceError, match="why"):
        source_of(capture)
    assert capture.released


def test_a_camera_is_let_go_at_the_end() -> None:
    capture = FakeCapture([])
    with source_of(capture):
        assert not capture.released
    assert capture.released


def test_a_usb_camera_that_is_not_there_is_named() -> None:
    for name in ("99", "/dev/video99"):
        with pytest.raises(SourceError, match="/dev/video99: no such camera"):
            open_source(name, refuse)


@pytest.mark.parametrize(("images", "said"), [(1, "delivered one image and ended"), (0, "no image arrived")])
def test_an_address_of_single_images_is_called_that(images: int, said: str) -> None:
    capture = FakeCapture([SCENE] * images)
    source = CaptureSource("http://camera/snapshot.jpg", lambda: capture, SourceError, skip_backlog=True)
    with pytest.raises(SourceError, match=said):
        list(source.frames())


def test_images_of_a_stream_that_do_not_decode_are_passed_over() -> None:
    images: list[Any] = [SCENE, SCENE, None, SCENE, None, None, SCENE]  # None: OpenCV says that there is no image
    capture = FakeCapture(images, [0.06] * 40)  # slower than images that had been waiting
    source = CaptureSource("http://camera/stream", lambda: capture, SourceError, skip_backlog=True)
    frames = source.frames()
    assert [frame.sequence for frame in itertools.islice(frames, 3)] == [0, 1, 2]
    with pytest.raises(SourceError, match="no image arrived after frame 3"):
        next(frames)


def test_a_usb_camera_is_asked_for_the_large_size_because_crops_are_cut_from_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    module = sys.modules[open_source.__module__]
    monkeypatch.setattr(module, "usb_source", lambda index, size_px, *_: asked.append((index, size_px)))
    monkeypatch.chdir(tmp_path)
    open_source("3", lambda error: None, stream=StreamConfig(picture_size_px=(1280, 720)))
    assert asked == [(3, (1280, 720))]
