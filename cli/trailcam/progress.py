"""Progress bars on stderr for long jobs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from trailcam_core.jobs.progress import Progress


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Yield a ``Progress`` that shows one bar per stage, with the time left; the bar is removed at the end."""
    bars = _Bars()
    try:
        yield bars
    finally:
        bars.close()


class _Bars:
    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        bar = self._bar if self._bar is not None and stage == self._stage else self._start(stage)
        bar.total = total
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def _start(self, stage: str) -> "tqdm[NoReturn]":
        self.close()
        bar: tqdm[NoReturn] = tqdm(desc=stage, file=sys.stderr, dynamic_ncols=True, mininterval=0.2)
        self._stage, self._bar = stage, bar
        return bar

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
