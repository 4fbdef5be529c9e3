"""Run the rest of a command in a child process, so that a library that aborts the process leaves a message."""

import atexit
import os
import signal
import sys
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def continue_in_child(explanation: str) -> int | None:
    """Fork; the child returns None and goes on with the command, the parent returns its exit code when it has ended.

    Call it before the library is imported: a child has none of the threads of its parent. The parent leaves Ctrl-C to
    the child, which the terminal asks too, and passes on what asks it to end.

    Args:
        explanation: for stderr, if native code aborts the child; the exit code is 1 then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # until the parent knows what to do with them
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return None

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _ENDING[1:]:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGABRT:
        print(explanation, file=sys.stderr)
        return 1
    return code if code >= 0 else 128 - code  # as a shell states a signal


def end_without_libraries(code: int) -> None:
    """Let this process end with ``code`` as soon as Python exits, before what libraries registered for that moment."""

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(end)  # the last one is called first
