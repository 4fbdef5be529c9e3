"""Read files in threads ahead of the work that needs them, in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from trailcam_core.errors import SourceError

_T = TypeVar("_T")

_READERS, _AHEAD = 2, 8  # threads, and read files that wait: 8 pictures of 12 Mpx are 300 MB


def read_ahead(paths: Iterable[Path], read: Callable[[Path], _T]) -> Iterator[tuple[Path, _T | SourceError]]:
    """Yield each path with what ``read`` returns, or with the error of a file that cannot be read as a picture.

    Args:
        paths: taken as needed, so they may be endless.
        read: called in threads.
    """
    waiting: deque[tuple[Path, Future[_T | SourceError]]] = deque()

    def attempt(path: Path) -> _T | SourceError:
        try:
            return read(path)
        except SourceError as error:
            return error

    pool = ThreadPoolExecutor(_READERS, thread_name_prefix="read-ahead")
    try:
        for path in paths:
            waiting.append((path, pool.submit(attempt, path)))
            if len(waiting) > _AHEAD:
                first, reading = waiting.popleft()
                yield first, reading.result()
        for first, reading in waiting:
            yield first, reading.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
