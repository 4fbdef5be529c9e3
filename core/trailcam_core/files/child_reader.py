"""Read a file in a child process before this one reads it.

A damaged file can abort its native reader, and with it the process that reads it: here that is a child.
"""

import signal
import subprocess
import sys
from pathlib import Path

_TIMEOUT_S = 120.0


def read_in_child(module: str, path: Path, timeout_s: float = _TIMEOUT_S) -> str | None:
    """Run ``python -m module path``, which reads the file; return how the child died, None if it ended by itself.

    The child may end with any exit code: an error that Python reports is reported again by the caller's own reading.
    """
    command = [sys.executable, "-P", "-m", module, str(path)]  # -P: nothing is imported from the working folder
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=timeout_s, check=False)
        return describe_death(done.returncode)
    except subprocess.TimeoutExpired:
        return f"hang for {timeout_s:g} s"


def describe_death(exit_status: int) -> str | None:
    """Return how a signal ended a process, for a sentence like "the file made its reader abort (SIGABRT)"."""
    if exit_status >= 0:
        return None
    try:
        name = signal.Signals(-exit_status).name
    except ValueError:
        name = f"signal {-exit_status}"
    return f"{'abort' if name == 'SIGABRT' else 'crash'} ({name})"
