"""Worker processes of this machine, one interpreter each: a file that kills its worker costs this one file.

Processes, because a damaged file can abort a native decoder, and with it every thread beside it; they cost no speed
(docs/archives.md has the measurement). Each worker has up to two files, so that it never waits for the parent.
"""

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Protocol

from trailcam_archive.batch.references import shown
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.batch.worker import CODE, ERROR, READY
from trailcam_archive.rows.record import failed, record_to_json
from trailcam_core.errors import DeviceError
from trailcam_core.files.child_reader import describe_death

_AHEAD = 2  # files per worker: the one in work, and the next
_LONGEST_S = {"photograph": 300.0, "clip": 3600.0}  # of one file; then its worker is ended
_START_S = 600.0  # of a machine with much other work, or with its programs on a network
_PAUSE_S = 5.0  # beyond the time that a wait may take: then this process was stopped, and its workers perhaps too
_READ_BYTES = 1 << 16

Result = tuple[Task, str]  # the record as ``record_to_json`` wrote it


class Pool(Protocol):
    """Turns tasks into records, in any order."""

    def wanted(self) -> int:
        """Return how many more tasks the pool takes now."""

    def submit(self, task: Task) -> None:
        """Take a task; call it only while ``wanted`` is above 0."""

    def wait(self, timeout_s: float) -> list[Result]:
        """Return finished tasks, at the latest after ``timeout_s``.

        Raises:
            DeviceError: no worker can run.
        """

    @property
    def pending(self) -> int:
        """Tasks that were submitted and are not returned yet."""

    def close(self) -> None:
        """End the workers; tasks that are pending are dropped."""


@dataclass
class _Worker:
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]
    since_s: float
    ready: bool = False
    tasks: deque[Task] = field(default_factory=deque)
    received: bytearray = field(default_factory=bytearray)

    def is_late(self, now_s: float) -> bool:
        """Return whether the worker takes longer than any file should."""
        if not self.ready:
            return now_s - self.since_s > _START_S
        return bool(self.tasks) and now_s - self.since_s > _LONGEST_S[self.tasks[0].kind]


class WorkerPool:
    """Worker processes, started at once.

    Args:
        settings: of the analysis.
        count: of workers, at least 1.
        code: of a worker; the default is that of ``worker``.
    """

    def __init__(self, settings: AnalysisSettings, count: int, code: str | None = None) -> None:
        self._settings = settings.to_json().encode() + b"\n"
        self._code = code or CODE
        self._selector = selectors.DefaultSelector()
        self._waiting: deque[Task] = deque()
        self._workers: list[_Worker] = []
        self._finished: list[Result] = []
        self._early_deaths = 0
        self._waited_s = time.monotonic()
        for _ in range(count):
            self._start()

    @property
    def pending(self) -> int:
        """Tasks that were submitted and are not returned yet."""
        return len(self._waiting) + len(self._finished) + sum(len(worker.tasks) for worker in self._workers)

    def wanted(self) -> int:
        """Return how many more tasks keep every worker busy."""
        return max(0, _AHEAD * len(self._workers) - self.pending)

    def submit(self, task: Task) -> None:
        """Give a task to the worker with the fewest."""
        self._waiting.append(task)
        self._distribute()

    def wait(self, timeout_s: float) -> list[Result]:
        """Return finished tasks; see ``Pool``.

        Raises:
            DeviceError: the workers die before they are ready, or the model fails.
        """
        for key, _ in self._selector.select(0 if self._finished else timeout_s):
            self._receive(key.data)
        now_s = time.monotonic()
        self._forgive_pause(now_s, timeout_s)
        for worker in [worker for worker in self._workers if worker.is_late(now_s)]:
            worker.process.kill()
            self._bury(worker, f"hang for {now_s - worker.since_s:.0f} s")
        self._distribute()
        finished, self._finished = self._finished, []
        return finished

    def _forgive_pause(self, now_s: float, timeout_s: float) -> None:
        """Count no time in which this process did not run, after Ctrl-Z or by a scheduler: answers may wait unread."""
        pause_s = now_s - self._waited_s - timeout_s
        if pause_s > _PAUSE_S:
            for worker in self._workers:
                worker.since_s += pause_s
        self._waited_s = now_s

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.process.kill()
        while self._workers:
            self._remove(self._workers[0])
        self._selector.close()

    def _start(self) -> None:
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its worker
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", self._code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            process_group=0,  # Ctrl-C reaches the parent, which ends its workers
        )
        worker = _Worker(process, log, time.monotonic())
        self._workers.append(worker)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
        self._write(worker, self._settings)

    def _distribute(self) -> None:
        while self._waiting:
            worker = min(self._workers, key=lambda each: len(each.tasks))
            if len(worker.tasks) >= _AHEAD:
                return
            task = self._waiting.popleft()
            if not worker.tasks and worker.ready:
                worker.since_s = time.monotonic()
            worker.tasks.append(task)
            self._write(worker, task.to_json().encode("ascii") + b"\n")

    def _write(self, worker: _Worker, line: bytes) -> None:
        assert worker.process.stdin is not None  # noqa: S101 - a pipe was asked for; for the type checker
        try:
            worker.process.stdin.write(line)
        except OSError:  # it died: its output ends, which the next wait notices
            return

    def _receive(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None  # noqa: S101 - see above
        piece = os.read(worker.process.stdout.fileno(), _READ_BYTES)
        if not piece:
            status = worker.process.wait()
            self._bury(worker, describe_death(status) or f"end with exit code {status}")
            return
        worker.received += piece
        *lines, rest = worker.received.split(b"\n")
        worker.received = bytearray(rest)
        for line in lines:
            self._take(worker, bytes(line) + b"\n")

    def _take(self, worker: _Worker, line: bytes) -> None:
        worker.since_s = time.monotonic()
        if line.startswith(ERROR):
            raise DeviceError(line.removeprefix(ERROR).decode("utf-8", "replace").strip())
        if line == READY:
            worker.ready = True
            self._early_deaths = 0
            return
        self._finished.append((worker.tasks.popleft(), line.decode("ascii").rstrip()))

    def _bury(self, worker: _Worker, death: str) -> None:
        """Replace a dead worker. The file it worked on gets an error, the next one another worker."""
        if worker.ready and worker.tasks:
            task = worker.tasks.popleft()
            record = failed(f"{shown(task.reference)}: the file made its reader {death}.")
            self._finished.append((task, record_to_json(record)))
        elif not worker.ready:
            self._early_deaths += 1
        self._waiting.extendleft(reversed(worker.tasks))
        last = self._last_words(worker)
        worker.tasks.clear()
        self._remove(worker)
        if self._early_deaths > 1:
            raise DeviceError(f"a worker process cannot start: {death}. {last}".strip())
        self._start()

    def _last_words(self, worker: _Worker) -> str:
        worker.log.seek(max(0, worker.log.seek(0, os.SEEK_END) - 2_000))
        lines = worker.log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        for stream in (worker.process.stdin, worker.process.stdout, worker.log):
            if stream is not None:
                stream.close()
        worker.process.wait()
