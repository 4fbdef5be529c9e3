"""A camera that answers as Picamera2 0.3.38 does, with padded rows, any format, and every way to fail.

It implements what ``trailcam_edge.sources.picamera`` calls; names and shapes are those of Picamera2's own sources.
"""

import threading
import time
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trailcam_edge.sources.picamera import PiCamera

Buffer = npt.NDArray[np.uint8]

_ROWS = {"YUV420": 1.5, "YVU420": 1.5, "NV12": 1.5, "NV21": 1.5}


class FakeCamera:
    """Gives the same two buffers again and again; what is asked for is bent to what the camera has."""

    def __init__(self, main: Buffer, lores: Buffer | None, found: dict[str, Any], frames: int = 3) -> None:
        self.camera_controls: dict[str, Any] = {"FrameDurationLimits": (33333, 120000, None)}
        self.metadata: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}
        self.lent = 0
        self.closed = False
        self.errors: dict[str, Exception] = {}
        self.mapped: list[str] = []
        self._buffers = {"main": main, "lores": lores}
        self._found = found
        self._frames = frames
        self._lock = threading.Lock()

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return asked

    def configure(self, configuration: dict[str, Any]) -> None:
        self._fail("configure")

    def camera_configuration(self) -> dict[str, Any]:
        return self._found

    def start(self) -> None:
        self._fail("start")

    def capture_request(self, wait: float | None = None, flush: bool | None = None) -> "FakeRequest":
        assert not self.closed
        if flush:
            raise KeyError("ExposureTime")
        self._fail("capture")
        if self._frames == 0:
            raise TimeoutError
        self._frames -= 1
        with self._lock:
            self.lent += 1
            assert self.lent <= self.asked["buffer_count"], "the camera ran out of buffers"
        return FakeRequest(self)

    def stop(self) -> None:
        assert self.lent == 0, "stopped while somebody looks at a frame"

    def close(self) -> None:
        self.closed = True
        self._fail("close")

    def _fail(self, where: str) -> None:
        if where in self.errors:
            raise self.errors[where]

    def buffer(self, stream: str) -> Buffer:
        self.mapped.append(stream)
        found = self._buffers[stream]
        assert found is not None
        return found.reshape(-1)

    def opened(self) -> PiCamera:
        return PiCamera(self, FakeMappedArray, "SMPTE170M")


class FakeRequest:
    """A frame that must be given back exactly once."""

    def __init__(self, camera: FakeCamera) -> None:
        self.camera = camera
        self.released = False

    def get_metadata(self) -> dict[str, Any]:
        return self.camera.metadata

    def release(self) -> None:
        assert not self.released
        self.released = True
        with self.camera._lock:
            self.camera.lent -= 1


class FakeMappedArray:
    """A view of the camera's memory that is only valid inside of the block."""

    def __init__(self, request: FakeRequest, stream: str, reshape: bool = True, write: bool = True) -> None:
        assert not request.released, "mapped after it was given back"
        assert not reshape, "Picamera2's own reshape cuts the padding off NV12 and so loses the stride"
        self._buffer = request.camera.buffer(stream).copy()
        self.array = self._buffer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._buffer[:] = 0


def stream(format: str, width: int, height: int, stride: int) -> dict[str, Any]:  # noqa: A002 - Picamera2's own key
    """What ``camera_configuration`` says of one stream."""
    rows = height * _ROWS.get(format, 1)
    return {"format": format, "size": (width, height), "stride": stride, "framesize": int(rows * stride)}


def blank_stream(width: int = 64, height: int = 48, stride: int = 96) -> tuple[Buffer, dict[str, Any]]:
    """Return a grey YUV420 buffer and what the camera says of it."""
    return np.full((height * 3 // 2, stride), 128, np.uint8), stream("YUV420", width, height, stride)


def monotonic_ns(ago_s: float) -> int:
    """Return a sensor timestamp."""
    return int((time.monotonic() - ago_s) * 1e9)
