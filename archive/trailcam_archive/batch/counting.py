"""Count the files of a job in a thread beside it, so that progress has a total without a list in memory."""

import threading
from types import TracebackType
from typing import Self

from trailcam_archive.batch.listing import Shard, Skipped, list_files
from trailcam_archive.batch.references import is_address
from trailcam_core.errors import TrailcamError


class FileCounter:
    """``count`` grows until ``is_done``. Storage addresses are not counted: to list them twice costs money."""

    def __init__(self, sources: tuple[str, ...], shard: Shard) -> None:
        self.count = 0
        self.is_done = False
        self._sources = [source for source in sources if not is_address(source)]
        self._shard = shard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="count files", daemon=True)

    def _run(self) -> None:
        try:
            for self.count, _ in enumerate(list_files(self._sources, self._shard, Skipped()), 1):  # noqa: B020
                if self._stop.is_set():
                    return
        except (OSError, TrailcamError):  # the job itself meets the same, and reports it
            return
        self.is_done = len(self._sources) > 0

    def __enter__(self) -> Self:
        """Start to count."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting."""
        self._stop.set()
        self._thread.join()
