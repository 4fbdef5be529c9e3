"""Video files: at their own pace like a camera, or every frame as fast as it is taken."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from trailcam_core.errors import SourceError
from trailcam_edge.sources.frame import Delivery, Frame
from trailcam_edge.sources.opencv_capture import BufferPool, open_ffmpeg
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.pixels import PackedPixels

_LIKELY_RATE_HZ = 25.0  # if the file states none, or an implausible one
_RATES_HZ = (0.1, 1000.0)
_MAX_STEP_S = 10.0  # between two frames; above it the time stamps of the file are damaged


class VideoSource:
    """A video file.

    Args:
        path: the file.
        fast: every frame, as fast as they are read; timestamps are those of the recording. Otherwise frames arrive at
            the pace of the recording, and a frame that is not read in time is dropped.
        orientation: mounting orientation of the camera.
        sleep: waits for a number of seconds.

    Raises:
        SourceError: the file cannot be opened as a video, or not one frame of it decodes.
    """

    def __init__(
        self,
        path: Path,
        fast: bool = True,
        orientation: Orientation | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.delivery: Delivery = "recording" if fast else "live"
        self._path = path
        self._orientation = orientation or UNCHANGED
        self._sleep = sleep
        self._capture = open_ffmpeg(path)
        if not self._capture.isOpened():
            raise SourceError(f"{path}: cannot be opened as a video. It may be damaged, or of a format FFmpeg lacks.")
        rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._rate_hz = rate_hz if _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1] else _LIKELY_RATE_HZ

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, upright as the file states."""
        pool = BufferPool()
        sequence = 0
        timestamp_s = time.monotonic()
        position_s = 0.0
        while True:
            taken, decoded = self._capture.read(pool.take())
            if not taken:
                break
            previous_s, position_s = position_s, float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
            if sequence:
                timestamp_s += self._step_s(position_s - previous_s)
            if self.delivery == "live":
                self._sleep(max(0.0, timestamp_s - time.monotonic()))
            name = f"{self._path.name} #{sequence}"
            pixels = PackedPixels(decoded, "BGR", self._orientation)
            yield Frame(pixels, timestamp_s, sequence, name, give_back=partial(pool.give_back, decoded))
            sequence += 1
        if sequence == 0:
            raise SourceError(f"{self._path}: opens as a video, but not one frame of it decodes. It may be cut off.")

    def _step_s(self, stated_s: float) -> float:
        """Return the time between two frames: as the container states it if that is plausible."""
        return stated_s if 0 < stated_s <= _MAX_STEP_S else 1 / self._rate_hz

    def __enter__(self) -> Self:
        """Return the source, whose file is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._capture.release()
