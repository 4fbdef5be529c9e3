"""Progress bars on stderr for long jobs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from trailcam_core.jobs.progress import Progress

_LOG_INTERVAL_S = 60.0


@contextmanager
def job_progress() -> Iterator[Progress]:
    """Yield a ``Progress``: a bar for each stage on a terminal, and elsewhere, as in a log, a line per minute.

    A bar has the time left; it is removed at the end of its stage.
    """
    if not sys.stderr.isatty():
        yield _LoggedProgress()
        return
    bars = _Bars()
    try:
        yield bars
    finally:
        bars.close()


class _LoggedProgress:
    def __init__(self) -> None:
        self._due_s = time.monotonic() + _LOG_INTERVAL_S
        self._stage, self._done = "", 0
        self._since = self._due_s, 0

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now_s = time.monotonic()
        if stage != self._stage or done < self._done:  # the time left is that of this stage, at its own rate
            self._since = now_s, done
        self._stage, self._done = stage, done
        if now_s < self._due_s:
            return
        self._due_s = now_s + _LOG_INTERVAL_S
        start_s, first = self._since
        left = ""
        if done > first:
            minutes = round((total - done) * (now_s - start_s) / (done - first) / 60)
            left = f", about {minutes:,} min left" if minutes else ", less than a minute left"
        # Printed and not logged: a library that sets up the root logger would change the form of the line.
        print(f"{stage}: {done:,} of {total:,}{left}{f' ({note})' if note else ''}", file=sys.stderr, flush=True)


class _Bars:
    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        bar = self._bar
        if bar is None or stage != self._stage or done < bar.n:
            bar = self._start(stage, done, total)
        bar.total = total
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def _start(self, stage: str, done: int, total: int) -> "tqdm[NoReturn]":
        """Show a bar that counts the rate from ``done`` on: a job that was resumed starts in the middle."""
        self.close()
        bar: tqdm[NoReturn] = tqdm(
            desc=stage, initial=done, total=total, file=sys.stderr, dynamic_ncols=True, mininterval=0.2, leave=False
        )
        self._stage, self._bar = stage, bar
        return bar

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
