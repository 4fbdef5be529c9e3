"""Pictures that are decoded ahead of their use, by a few threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image

_READERS = 2  # threads; decoding leaves the interpreter's lock
_READ_AHEAD = 8  # pictures: of 12 Mpx they take 300 MB


def read_ahead(paths: Iterable[Path], read: Callable[[Path], Image]) -> Iterator[tuple[Path, Image | SourceError]]:
    """Yield each path with its picture, or with the error of a file that is none, in the order of the paths.

    Args:
        paths: read as needed, so they may be endless.
        read: decodes a file; raises ``SourceError``.
    """

    def try_read(path: Path) -> Image | SourceError:
        try:
            return read(path)
        except SourceError as error:
            return error

    waiting: deque[tuple[Path, Future[Image | SourceError]]] = deque()
    pool = ThreadPoolExecutor(_READERS, thread_name_prefix="pictures")
    try:
        for path in paths:
            waiting.append((path, pool.submit(try_read, path)))
            if len(waiting) > _READ_AHEAD:
                first, reading = waiting.popleft()
                yield first, reading.result()
        for first, reading in waiting:
            yield first, reading.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
