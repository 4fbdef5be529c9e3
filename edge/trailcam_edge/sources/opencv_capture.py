"""Shared parts of the sources that use OpenCV: opening a capture, and a pool of buffers."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# A damaged container can keep FFmpeg searching for a minute, and a camera that lost its network never answers.
_OPEN_TIMEOUT_MS = 5_000
_READ_TIMEOUT_MS = 5_000

OpenCapture = Callable[[], Any]  # returns a cv2.VideoCapture, or an object with its methods


def open_ffmpeg(name: str | Path, threads: int | None = None) -> Any:
    """Return a ``cv2.VideoCapture`` of a file or address; check ``isOpened``.

    ``threads`` decode; FFmpeg gives each thread a separate frame, so each beyond the first delays the stream.
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
    """Arrays that frames return and that the next frames are read into.

    Without a pool the allocator would fetch the memory of each image from the kernel, page by page. At most three are
    in use: one being read, one waiting, one being classified. So one that is free is enough, and a third array that a
    delay has needed is freed afterwards.
    """

    def __init__(self) -> None:
        self._free: npt.NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def take(self) -> npt.NDArray[np.uint8] | None:
        """Return the free array, or None if there is none."""
        with self._lock:
            taken, self._free = self._free, None
            return taken

    def give_back(self, array: npt.NDArray[np.uint8]) -> None:
        """Return an array to the pool, in place of the one that is free."""
        with self._lock:
            self._free = array
