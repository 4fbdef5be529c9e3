"""Run a job in a child that dies at one of its writes; for the rehearsals of the store and of updates.

They are run under ``LD_PRELOAD=power_cut.so``, which ``power_cut.c`` beside this file becomes, and with this folder on
``PYTHONPATH``.
"""

import contextlib
import ctypes
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["MODES", "Say", "collect_log", "counted", "in_child"]

MODES = {1: "killed", 2: "power cut", 3: "half a cut"}
Say = Callable[[str], None]
_SHIM = ctypes.CDLL(None)
_SHIM.arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
_SHIM.counted.restype = ctypes.c_long


def counted() -> int:
    """Return how many writes this child has done so far."""
    return int(_SHIM.counted())


def in_child(folder: Path, at: int, mode: int, job: Callable[[Say], None]) -> tuple[bool, list[str]]:
    """Run a job in a child that dies at that write; return whether it died, and what it had acknowledged.

    Args:
        folder: whose writes count.
        at: which write, from 1 on; 0 lets it live.
        mode: of ``MODES``.
        job: gets a function that acknowledges a line.
    """
    for kept in folder.parent.glob(f"{folder.name}.kept-*"):  # of the child before: the shim would keep nothing over it
        kept.unlink()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            _SHIM.arm(str(folder).encode(), at, mode)
            job(lambda text: os.write(writer, f"{text}\n".encode()) and None)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise AssertionError(f"the job failed by itself at point {at}, {MODES[mode]}: see its traceback")
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, said


@contextlib.contextmanager
def collect_log() -> Iterator[list[str]]:
    """Collect the warnings and errors that the device logs."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("trailcam_edge")
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
