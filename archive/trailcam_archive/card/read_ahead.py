"""Decode photographs in other threads while the last ones are classified."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from trailcam_archive.card.photographs import READ_SIZE
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image
from trailcam_core.jobs.cores import usable_cores

_AHEAD = 4  # photographs in memory beside the burst
_MAX_THREADS = 2


class ReadAhead:
    """Decoded photographs in a known order.

    Args:
        paths: every one is taken once, in this order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = deque(paths)
        self._waiting: deque[tuple[Path, Future[Image]]] = deque()
        self._pool = ThreadPoolExecutor(min(_MAX_THREADS, usable_cores()), thread_name_prefix="decode")

    def take(self, path: Path) -> Image:
        """Return the next photograph, (H, W, 3) uint8 RGB.

        Args:
            path: for the check that it is the next one.

        Raises:
            SourceError: the file cannot be read as a picture.
            ValueError: another one is next.
        """
        while self._paths and len(self._waiting) < _AHEAD:
            ahead = self._paths.popleft()
            self._waiting.append((ahead, self._pool.submit(read_image, ahead, READ_SIZE)))
        expected, future = self._waiting.popleft() if self._waiting else (None, None)
        if future is None or expected != path:
            raise ValueError(f"the next photograph is {expected}, not {path}")
        return future.result()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)
