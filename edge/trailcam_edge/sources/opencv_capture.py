"""What sources that read through OpenCV share: how to open one, and buffers that are used again."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["BufferPool", "OpenCapture", "open_ffmpeg", "open_v4l2"]

# A damaged container can keep FFmpeg searching for a minute, and a camera that lost its network never answers.
_OPEN_TIMEOUT_MS = 5_000
_READ_TIMEOUT_MS = 5_000

OpenCapture = Callable[[], Any]  # gives a cv2.VideoCapture, or something that reads like one


def open_ffmpeg(name: str | Path, threads: int | None = None) -> Any:
    """Return a ``cv2.VideoCapture`` of a file or address; it may not be open, which only ``isOpened`` says.

    ``threads`` decode; FFmpeg gives each of them a frame of its own, so each beyond the first delays the stream.
    """
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        _OPEN_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        _READ_TIMEOUT_MS,
    ]
    if threads is not None:
        limits += [cv2.CAP_PROP_N_THREADS, threads]
    return cv2.VideoCapture(str(name), cv2.CAP_FFMPEG, limits)


def open_v4l2(index: int, settings: Sequence[int]) -> Any:
    """Return a ``cv2.VideoCapture`` of /dev/videoN; ``settings`` are property numbers and values in turn."""
    return cv2.VideoCapture(index, cv2.CAP_V4L2, list(settings))


class BufferPool:
    """Arrays that frames give back and that the next frames are read into.

    A picture of a camera is large enough for the allocator to fetch it from the kernel anew each time, page by page.
    Three are in use at most: one being read, one waiting, one being looked at.
    """

    def __init__(self) -> None:
        self._free: list[npt.NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def take(self) -> npt.NDArray[np.uint8] | None:
        """Return a free array, or None where there is none."""
        with self._lock:
            return self._free.pop() if self._free else None

    def give_back(self, array: npt.NDArray[np.uint8]) -> None:
        """Take an array that nobody looks at any more; too many, or those of a former size, are let go."""
        with self._lock:
            if self._free and self._free[0].shape != array.shape:
                self._free.clear()
            if len(self._free) < 3:
                self._free.append(array)
