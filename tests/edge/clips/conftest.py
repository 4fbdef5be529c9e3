"""JPEG frames with a moving spot, and a test for PyAV."""

import importlib.util
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from trailcam_edge.clips.ring import ClipFrame

MakeFrames = Callable[..., list[ClipFrame]]

needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="PyAV is not installed: extra clips")


@pytest.fixture(scope="session")
def make_frames() -> MakeFrames:
    """Return a function that makes frames of a moving spot: ``number`` of them, ``step_s`` apart."""

    def make(
        number: int, step_s: float = 0.125, size: tuple[int, int] = (128, 72), first_s: float = 100.0
    ) -> list[ClipFrame]:
        frames = []
        for index in range(number):
            image = np.full((size[1], size[0], 3), 60, np.uint8)
            cv2.circle(image, (10 + 3 * index % size[0], size[1] // 2), 8, (0, 0, 255), -1)
            content = bytes(cv2.imencode(".jpg", image)[1])
            frames.append(ClipFrame(first_s + index * step_s, content, size))
        return frames

    return make
