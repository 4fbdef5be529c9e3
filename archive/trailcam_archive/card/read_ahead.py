"""Decode photographs in other processes while the last ones are classified."""

import os
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Timer, local
from types import TracebackType
from typing import Self

import numpy as np

from trailcam_archive.card.decode_worker import CODE, HEAD
from trailcam_core.errors import SourceError
from trailcam_core.files.child_reader import describe_death
from trailcam_core.images.resize import Image
from trailcam_core.jobs.cores import usable_cores

_AHEAD = 4  # photographs in memory beside the burst
_MAX_WORKERS = 2  # decoding takes less time than classifying
_LONGEST_S = 120.0  # of one photograph; then its worker is ended
_SLICES = 120  # of that time


class _Watchdog(Timer):
    """A timer that counts no time in which this process is stopped, as by Ctrl-Z: it waits in slices."""

    def run(self) -> None:
        """Call the function after the interval, unless it is cancelled before."""
        for _ in range(_SLICES):
            if self.finished.wait(self.interval / _SLICES):
                return
        self.finished.set()
        self.function()


class DecodeProcess:
    """One worker process, started again after a photograph that killed it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path) -> Image:
        """Return a photograph, (H, W, 3) uint8 RGB.

        Raises:
            SourceError: the file cannot be read as a picture, or it killed the worker.
        """
        process = self._process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - pipes were asked for; for the type checker
        assert process.stdout is not None  # noqa: S101 - see above
        watchdog = _Watchdog(_LONGEST_S, process.kill)
        watchdog.start()
        try:
            process.stdin.write(os.fsencode(path).hex().encode("ascii") + b"\n")
            process.stdin.flush()
            height, width = HEAD.unpack(process.stdout.read(HEAD.size))
            size = 3 * height * width if height else width
            content = process.stdout.read(size)
            if len(content) != size:
                raise OSError("the answer ends early")
        except (OSError, struct.error) as error:
            raise self._bury(process, path, watchdog.finished.is_set()) from error
        finally:
            watchdog.cancel()
        if not height:
            raise SourceError(content.decode("utf-8", "surrogateescape"))
        return np.frombuffer(content, np.uint8).reshape(height, width, 3)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end(self._process)
            self._process = None

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-P", "-c", CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C reaches the parent, which ends its workers
        )

    def _bury(self, process: "subprocess.Popen[bytes]", path: Path, is_late: bool) -> SourceError:
        status = self._end(process)
        self._process = None
        end = describe_death(status) or f"end with exit code {status}"
        if is_late:
            end = f"hang for {_LONGEST_S:g} s"
        return SourceError(f"{path}: the photograph made its decoder {end}. Copy the damaged file again.")

    def _end(self, process: "subprocess.Popen[bytes]") -> int:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what is left in the buffer of a process that died
                    continue
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


class ReadAhead:
    """Decoded photographs in a known order.

    Args:
        paths: every one is taken once, in this order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = deque(paths)
        self._waiting: deque[tuple[Path, Future[Image]]] = deque()
        self._workers: list[DecodeProcess] = []
        self._own = local()
        count = max(1, min(_MAX_WORKERS, usable_cores()))
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="decode")

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
            self._waiting.append((ahead, self._pool.submit(self._read, ahead)))
        expected, future = self._waiting.popleft() if self._waiting else (None, None)
        if future is None or expected != path:
            raise ValueError(f"the next photograph is {expected}, not {path}")
        return future.result()

    def _read(self, path: Path) -> Image:
        worker: DecodeProcess | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = DecodeProcess()
            self._workers.append(worker)
        return worker.read(path)

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End threads and processes."""
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()
