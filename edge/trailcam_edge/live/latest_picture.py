"""The newest picture and its answer, between the live loop and those who look.

The loop hands over a reference and goes on. A picture is shrunk and encoded by the thread of whoever asks for it, once
for all of them; while nobody looks nothing is kept and nothing is encoded.
"""

import threading
import time
from dataclasses import dataclass

import cv2

from trailcam_core.images.resize import Image
from trailcam_edge.recognition.observation import Observation
from trailcam_edge.store.picture_folder import encode_jpeg

__all__ = ["Glance", "LivePicture", "LiveView"]

_INTEREST_S = 10.0  # this long after the last look the pictures are let go
_LONGEST_SIDE_PX = 960  # enough for a phone; a JPEG of 60 kB
_QUALITY = 75


@dataclass(frozen=True)
class Glance:
    """The newest frame in figures; ``outcome`` is a label, "unknown", "blank", "person", or None without an answer."""

    sequence: int = -1
    outcome: str | None = None
    confidence: float = 0.0
    latency_ms: float | None = None
    rate_hz: float = 0.0
    age_ms: float = 0.0
    dropped: int = 0
    open_labels: tuple[str, ...] = ()
    at_s: float = float("-inf")  # monotonic


@dataclass(frozen=True)
class LivePicture:
    """A JPEG and the answer that belongs to it."""

    glance: Glance
    jpeg: bytes


class LiveView:
    """One newest frame; ``show`` is called by the loop, everything else by anybody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._glance = Glance()
        self._frames = 0
        self._image: tuple[Glance, Image] | None = None
        self._picture: LivePicture | None = None
        self._looked_s = float("-inf")
        self._closed = False

    def show(self, observation: Observation) -> None:
        """Take the newest observation; never waits for those who look."""
        answer = observation.answer
        now_s = time.monotonic()
        previous = self._glance
        glance = Glance(
            self._frames,
            observation.outcome,
            0.0 if answer is None else answer.confidence,
            previous.latency_ms if answer is None else answer.latency_ms,
            observation.rate_hz,
            observation.age_ms,
            observation.dropped,
            observation.open_labels,
            now_s,
        )
        wanted = now_s < self._looked_s + _INTEREST_S
        image = (glance, observation.frame.image) if wanted else None
        with self._changed:
            self._frames += 1
            self._glance, self._image = glance, image
            if image is None:
                self._picture = None
            self._changed.notify_all()

    def glance(self) -> Glance:
        """Return the newest frame in figures."""
        return self._glance

    def picture(self, after: int, timeout_s: float) -> LivePicture | None:
        """Return a picture newer than ``after``, or None if none comes in time or the view is closed."""
        with self._changed:
            self._looked_s = time.monotonic()
            self._changed.wait_for(lambda: self._closed or self._is_newer(after), timeout_s)
            image = self._image
        if self._closed or image is None or image[0].sequence <= after:
            return None
        with self._encoding:
            picture = self._picture  # of another thread that was quicker
            if picture is None or picture.glance.sequence < image[0].sequence:
                picture = self._picture = LivePicture(image[0], encode_jpeg(_shrink(image[1]), _QUALITY))
            return picture

    def close(self) -> None:
        """Let everybody go who waits for a picture."""
        with self._changed:
            self._closed = True
            self._image = self._picture = None
            self._changed.notify_all()

    def _is_newer(self, after: int) -> bool:
        return self._image is not None and self._image[0].sequence > after


def _shrink(image: Image) -> Image:
    height, width = image.shape[:2]
    share = _LONGEST_SIDE_PX / max(height, width)
    if share >= 1:
        return image
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
