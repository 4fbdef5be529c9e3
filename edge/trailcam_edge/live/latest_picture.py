"""Hand the latest frame and its result from the live loop to the viewers' threads.

While a viewer asks, the loop shrinks the frame, which costs less than converting it whole, and continues. A picture is
encoded by the thread of the first viewer that requests it, once for all viewers; without viewers nothing is kept.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

import cv2

from trailcam_core.images.boxes import Box
from trailcam_core.images.resize import Image
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.regions.polygons import Polygon
from trailcam_edge.store.disk.picture_folder import encode_jpeg

_INTEREST_S = 10.0  # without a request pictures are discarded
_MAX_SIDE_PX = 960  # a JPEG of 60 to 120 kB
_SMALL_SIDE_PX = 640  # for narrow screens: half of that
_QUALITY = 75
_MAX_BOXES = 20  # that the page draws
_MAX_POINTS = 200  # of masks: the record is a header of the picture


@dataclass(frozen=True)
class FrameSummary:
    """Result of the newest frame; ``outcome``, boxes and masks as in ``FrameResult``."""

    sequence: int = -1
    outcome: str | None = None
    confidence: float = 0.0
    latency_ms: float | None = None
    rate_hz: float = 0.0
    age_ms: float = 0.0
    dropped: int = 0
    open_labels: tuple[str, ...] = ()
    at_s: float = float("-inf")  # monotonic
    box: Box | None = None
    boxes: tuple[Box, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    only: tuple[Polygon, ...] = ()


@dataclass(frozen=True)
class LivePicture:
    """A JPEG and the result of its frame."""

    summary: FrameSummary
    jpeg: bytes


class LiveView:
    """The newest frame; ``show`` is called by the loop, everything else by any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._summary = FrameSummary()
        self._frames = 0
        self._image: tuple[FrameSummary, Image] | None = None
        self._pictures: dict[int, LivePicture] = {}  # by their longer side
        self._requested_s = dict.fromkeys((_MAX_SIDE_PX, _SMALL_SIDE_PX), float("-inf"))
        self._closed = False

    def show(self, result: FrameResult) -> None:
        """Replace the newest frame; never waits for a viewer."""
        answer = result.answer
        now_s = time.monotonic()
        previous = self._summary
        summary = FrameSummary(
            self._frames,
            result.outcome,
            0.0 if answer is None else answer.confidence,
            previous.latency_ms if answer is None else answer.latency_ms,
            result.rate_hz,
            result.age_ms,
            result.dropped,
            result.open_labels,
            now_s,
            result.box,
            result.boxes,
            result.ignore,
            result.only,
        )
        wanted_px = max((side for side, at_s in self._requested_s.items() if now_s < at_s + _INTEREST_S), default=0)
        image = (summary, result.frame.pixels.small(wanted_px)) if wanted_px else None
        with self._changed:
            self._frames += 1
            self._summary, self._image = summary, image
            if image is None:
                self._pictures = {}
            self._changed.notify_all()

    def summary(self) -> FrameSummary:
        """Return the result of the newest frame."""
        return self._summary

    def picture(self, after: int, timeout_s: float, small: bool = False) -> LivePicture | None:
        """Return a picture newer than ``after``, or None if none comes in time or the view is closed."""
        side_px = _SMALL_SIDE_PX if small else _MAX_SIDE_PX
        with self._changed:
            self._requested_s[side_px] = time.monotonic()
            self._changed.wait_for(lambda: self._closed or self._is_newer(after), timeout_s)
            image = self._image
        if self._closed or image is None or image[0].sequence <= after:
            return None
        with self._encoding:
            picture = self._pictures.get(side_px)  # encoded meanwhile by another thread
            if picture is None or picture.summary.sequence < image[0].sequence:
                picture = LivePicture(image[0], encode_jpeg(_shrink(image[1], side_px), _QUALITY))
                self._pictures[side_px] = picture
            return picture

    def close(self) -> None:
        """Release all waiting viewers."""
        with self._changed:
            self._closed = True
            self._image, self._pictures = None, {}
            self._changed.notify_all()

    def _is_newer(self, after: int) -> bool:
        return self._image is not None and self._image[0].sequence > after


def frame_record(summary: FrameSummary) -> dict[str, Any]:
    """Return the JSON object of one frame."""
    return {
        "sequence": summary.sequence,
        "outcome": summary.outcome,
        "confidence": round(summary.confidence, 4),
        "latency_ms": None if summary.latency_ms is None else round(summary.latency_ms, 1),
        "rate_hz": round(summary.rate_hz, 2),
        "age_ms": round(summary.age_ms, 1),
        "dropped": summary.dropped,
        "open": list(summary.open_labels),
        "box": None if summary.box is None else _corners(summary.box),
        "boxes": [_corners(box) for box in summary.boxes[:_MAX_BOXES]],
        "ignore": _points(summary.ignore),
        "only": _points(summary.only),
    }


def _corners(box: Box) -> list[float]:
    return [round(value, 4) for value in (box.x, box.y, box.width, box.height)]


def _points(polygons: tuple[Polygon, ...]) -> list[list[list[float]]]:
    """Return polygons for a header; an empty list if they have too many points for it."""
    points = [[[round(value, 3) for value in point] for point in polygon] for polygon in polygons]
    return points if sum(map(len, points)) <= _MAX_POINTS else []


def _shrink(image: Image, side_px: int) -> Image:
    height, width = image.shape[:2]
    share = side_px / max(height, width)
    if share >= 1:
        return image
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
