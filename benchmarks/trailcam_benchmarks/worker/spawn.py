"""Start ``trailcam_benchmarks.worker.worker`` and read its replies, or the reason of its failure."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from dataclasses import asdict
from typing import IO, Any, cast

from trailcam_benchmarks.worker.worker import Request

WORKER_COMMAND = (sys.executable, "-m", "trailcam_benchmarks.worker.worker")
LIMIT_S = 3600.0  # of one round; Xception on the smallest board needs minutes
_STDERR_BYTES = 2_000
_SIGNALLED = 128

Reply = dict[str, Any]
Replies = Generator[Reply, None, None]
Run = Callable[[Request], Replies]


class WorkerError(Exception):
    """A worker failed; the text is the reason for the row of the table, ``code`` its exit code if it ended."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class LostError(Exception):
    """The machine is out of reach, so nothing more can be measured; the text is the reason."""


def run_worker(request: Request, command: tuple[str, ...] = WORKER_COMMAND, limit_s: float = LIMIT_S) -> Replies:
    """Yield the replies of a worker; its process has ended after the last one, or when this is closed.

    Args:
        request: for the worker.
        command: program that reads the request on stdin.
        limit_s: seconds beyond ``request.seconds`` until it is killed.

    Raises:
        WorkerError: it refused, crashed, ran out of time or printed anything else than replies; or it could not be
            started, as when the disk or the table of processes is full.
    """
    with contextlib.ExitStack() as stack:
        try:
            errors = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            raise WorkerError(f"the process could not be started: {error}") from error
        answers = cast(IO[str], process.stdout)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(request.seconds + limit_s, end)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError), cast(IO[str], process.stdin) as stdin:
                stdin.write(json.dumps(asdict(request)))  # a worker that ends before reading reports by its exit code
            for line in answers:
                answer = _parse(line)
                if "error" in answer:
                    raise WorkerError(str(answer["error"]))
                yield answer
            code = process.wait()
        finally:
            timer.cancel()
            timer.join()
            process.kill()
            process.wait()
            answers.close()
        if late.is_set():
            raise WorkerError(f"no reply within {request.seconds + limit_s:.0f} s, so the process was ended")
        if code:
            errors.seek(0, 2)
            errors.seek(max(0, errors.tell() - _STDERR_BYTES))
            raise WorkerError(_reason(code, errors.read().decode("utf-8", "replace")), code)


def request_one(run: Run, request: Request) -> Reply:
    """Return the last reply to a request.

    Raises:
        WorkerError: there is none.
    """
    found = list(run(request))
    if not found:
        raise WorkerError("the process ended without a reply")
    return found[-1]


def _parse(line: str) -> Reply:
    try:
        answer = json.loads(line)
    except json.JSONDecodeError as error:
        raise WorkerError(f"the process printed {line[:80]!r}, expected a reply in JSON") from error
    if not isinstance(answer, dict):
        raise WorkerError(f"the process printed {line[:80]!r}, expected a reply in JSON")
    return answer


def _reason(code: int, errors: str) -> str:
    last = (errors.strip().splitlines() or [""])[-1][:200]
    number = -code if code < 0 else code - _SIGNALLED  # the second is the exit code of a shell
    if number in set(signal.Signals):
        ended = f"the process was ended by {signal.Signals(number).name}"
        if number == signal.SIGKILL:
            ended += ", as Linux does when memory runs out"
    else:
        ended = f"the process ended with exit code {code}"
    return f"{ended}: {last}" if last else ended
