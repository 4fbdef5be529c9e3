"""Motion gate: skip frames in which nothing moves.

A small grey image is compared with a background that slowly follows the scene. Off by default: it saves energy in quiet
scenes, but misses an animal that moves more slowly than the background follows.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.camera.settings import MotionSettings


class MotionGate:
    """Compare each frame with the background; buffers are reused for every frame."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: npt.NDArray[np.float32] | None = None
        self._difference = np.zeros((0, 0), np.float32)
        self._previous_s = 0.0
        self._open_until_s = -math.inf

    def passes(self, luma: npt.NDArray[np.uint8], timestamp_s: float) -> bool:
        """Return True if something moves, or moved less than ``hold_s`` ago.

        The first frame passes, and so does one of another size: the background is not known yet.

        Args:
            luma: (H, W) brightness, small: every pixel is compared.
            timestamp_s: of the frame; it does not decrease.
        """
        if self._background is None or self._background.shape != luma.shape:
            self._background = luma.astype(np.float32)
            self._difference = np.empty_like(self._background)
            moved = True
        else:
            moved = self._changed_share(luma, self._background) >= self._settings.changed_share
            elapsed_s = max(0.0, timestamp_s - self._previous_s)
            cv2.accumulateWeighted(luma, self._background, 1 - math.exp(-elapsed_s / self._settings.follow_s))
        self._previous_s = timestamp_s
        if moved:
            self._open_until_s = timestamp_s + self._settings.hold_s
        return timestamp_s <= self._open_until_s

    def _changed_share(self, luma: npt.NDArray[np.uint8], background: npt.NDArray[np.float32]) -> float:
        """Return the fraction of pixels that changed by more than the whole scene did, as when a cloud passes."""
        difference = self._difference
        np.subtract(luma, background, out=difference)
        difference -= difference.mean()
        np.abs(difference, out=difference)
        return float(np.count_nonzero(difference > self._settings.level_step)) / difference.size
