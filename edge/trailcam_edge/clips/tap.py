"""Frames of a source for clips, beside the live loop: shrunk at once, compressed in a thread of low priority."""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.clips.ring import ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.events.clock import Clock
from trailcam_edge.sources import Frame, Source
from trailcam_edge.sources.frame import WrappedSource
from trailcam_edge.sources.pixels import PackedPixels

_log = logging.getLogger(__name__)
_WAITING = 2  # frames between the camera and the compressor: 1.5 MB each
LATE_FRAMES = _WAITING + 2  # behind the camera at most: one is compressed, and one waits to be put there
_NICE = 10
_EARLY_FRACTION = 0.1  # of the time between two frames: clocks of cameras are not even
_MISSING = "a frame is missing in clips: %s"
_ORDERS = {"BGR": None, "RGB": cv2.COLOR_RGB2BGR}

Shrunken = npt.NDArray[np.uint8]  # (H, W, 3) BGR, upright


class FrameTap:
    """Compress frames; ``offer`` may be called by any one thread and never waits for the compressor of a live camera.

    Args:
        settings: rate and size.
        clock: of the visits.
        add: gets each compressed frame.
    """

    def __init__(self, settings: ClipSettings, clock: Clock, add: Callable[[ClipFrame], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._add = add
        self._due_s = float("-inf")
        self._waiting: queue.Queue[tuple[float, Shrunken] | None] = queue.Queue(_WAITING)
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="clip frames", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame, wait: bool) -> None:
        """Take a frame if it is due, and the compressor has time.

        Args:
            frame: valid until this returns.
            wait: for the compressor, because the source waits as well.
        """
        period_s = 1 / self._settings.rate_hz
        late_s = frame.timestamp_s - self._due_s
        if -period_s <= late_s < -_EARLY_FRACTION * period_s:
            return
        self._due_s = (self._due_s if abs(late_s) < period_s else frame.timestamp_s) + period_s
        if not wait and self._waiting.full():
            self.dropped += 1
            return
        at_s = self._clock.moment(frame.timestamp_s).monotonic_s
        try:
            small = shrink(frame, self._settings.longer_side_px)
        except (cv2.error, MemoryError) as error:  # clips are no reason to end the source, whose thread this is
            _log.warning(_MISSING, str(error) or "out of memory")
            return
        self._waiting.put((at_s, small))

    def close(self) -> None:
        """End after the frames that wait."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        lower_priority()
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
        while (item := self._waiting.get()) is not None:
            at_s, image = item
            try:
                content = bytes(cv2.imencode(".jpg", image, quality)[1])
                self._add(ClipFrame(at_s, content, (image.shape[1], image.shape[0])))
            except (cv2.error, MemoryError) as error:  # without this thread ``offer`` would not return
                _log.warning(_MISSING, str(error) or "out of memory")


class TappedSource(WrappedSource):
    """A source whose frames are also offered for clips."""

    def __init__(self, inner: Source, offer: Callable[[Frame, bool], None]) -> None:
        super().__init__(inner)
        self._offer = offer

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the source."""
        waits = self.delivery != "live"
        for frame in super().frames():
            self._offer(frame, waits)
            yield frame


def shrink(frame: Frame, longer_side_px: int) -> Shrunken:
    """Return the largest image of a frame with its longer side shrunk to this, (H, W, 3) uint8 BGR, upright.

    The array is not shared with the frame.
    """
    pixels: Any = frame.large_pixels or frame.pixels
    if isinstance(pixels, PackedPixels) and pixels.order in _ORDERS:
        delivered, order, orientation = pixels.orientation.crop(pixels.array), pixels.order, pixels.orientation
    else:
        delivered, order, orientation = frame.picture(), "RGB", None
    height, width = delivered.shape[:2]
    factor = min(1.0, longer_side_px / max(height, width))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = np.asarray(cv2.resize(delivered, size, interpolation=cv2.INTER_AREA), np.uint8)
    if orientation is not None:
        small = orientation.upright(small)
    conversion = _ORDERS[order]
    small = small if conversion is None else np.asarray(cv2.cvtColor(small, conversion), np.uint8)
    return small.copy() if np.shares_memory(small, delivered) else small


def lower_priority() -> None:
    """Let the calling thread give way to the live loop; Linux has a priority for each thread."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    except OSError as error:
        _log.debug("priority of clips: %s", error)
