"""Start ``trailcam_benchmarks.worker.worker``, read its answers, and say why where it gives none."""

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

__all__ = ["CHILD", "Answers", "ChildError", "LostError", "Run", "ask", "run_child"]

CHILD = (sys.executable, "-m", "trailcam_benchmarks.worker.worker")
LIMIT_S = 3600.0  # of one round; Xception on the smallest board needs minutes
_STDERR_BYTES = 2_000
_SIGNALLED = 128

Answer = dict[str, Any]
Answers = Generator[Answer, None, None]
Run = Callable[[Request], Answers]


class ChildError(Exception):
    """The process gave no answer; the text says why, for the row of the table, ``code`` how it ended if it did."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class LostError(Exception):
    """The machine itself is out of reach, so nothing more can be measured; the text says why."""


def run_child(request: Request, command: tuple[str, ...] = CHILD, limit_s: float = LIMIT_S) -> Answers:
    """Give each answer of a child as it comes; the process has ended when there are no more or this is closed.

    Args:
        request: what to do.
        command: program that reads the request on stdin.
        limit_s: seconds beyond ``request.seconds`` after which it is ended.

    Raises:
        ChildError: it refused, crashed, ran out of time, or said something that is no answer; or it could not be
            started, as when the disk or the table of processes is full.
    """
    with contextlib.ExitStack() as stack:
        try:
            errors = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            raise ChildError(f"the process could not be started: {error}") from error
        answers = cast(IO[str], process.stdout)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(request.seconds + limit_s, end)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError), cast(IO[str], process.stdin) as stdin:
                stdin.write(json.dumps(asdict(request)))  # who ends before reading says more by the exit code
            for line in answers:
                answer = _parse(line)
                if "error" in answer:
                    raise ChildError(str(answer["error"]))
                yield answer
            code = process.wait()
        finally:
            timer.cancel()
            timer.join()
            process.kill()
            process.wait()
            answers.close()
        if late.is_set():
            raise ChildError(f"gave no answer within {request.seconds + limit_s:.0f} s and was ended")
        if code:
            errors.seek(0, 2)
            errors.seek(max(0, errors.tell() - _STDERR_BYTES))
            raise ChildError(_reason(code, errors.read().decode("utf-8", "replace")), code)


def ask(run: Run, request: Request) -> Answer:
    """Return the one answer to a request.

    Raises:
        ChildError: there is none.
    """
    found = list(run(request))
    if not found:
        raise ChildError("the process ended without an answer")
    return found[-1]


def _parse(line: str) -> Answer:
    try:
        answer = json.loads(line)
    except json.JSONDecodeError as error:
        raise ChildError(f"the process said {line[:80]!r}, which is no answer") from error
    if not isinstance(answer, dict):
        raise ChildError(f"the process said {line[:80]!r}, which is no answer")
    return answer


def _reason(code: int, errors: str) -> str:
    last = (errors.strip().splitlines() or [""])[-1][:200]
    number = -code if code < 0 else code - _SIGNALLED  # the second is how a shell says it
    if number in set(signal.Signals):
        ended = f"the process was ended by {signal.Signals(number).name}"
        if number == signal.SIGKILL:
            ended += ", as Linux does when memory runs out"
    else:
        ended = f"the process ended with exit code {code}"
    return f"{ended}: {last}" if last else ended
