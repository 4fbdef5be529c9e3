"""Run one program with a limit of time, output and memory."""

import contextlib
import os
import pwd
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

_MAX_OUTPUT_BYTES = 4096
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Limits:
    """Limits of one run; ``user`` None is the user of the camera."""

    timeout_s: float
    max_memory_mb: int
    user: str | None = None


def run_program(command: tuple[str, ...], stdin: bytes, limits: Limits) -> str | None:
    """Run a program without a shell; return None if it succeeded, else why it did not.

    Its environment has PATH and LANG only, its folder is ``/``. Output beyond the first 4 kB is refused: the pipe is
    closed, and a program that goes on writing gets SIGPIPE.

    Args:
        command: absolute path and arguments.
        stdin: less than a pipe holds (64 kB).
        limits: time, memory and user.
    """
    until_s = time.monotonic() + limits.timeout_s
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": _PATH, "LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
            **_identity(limits.user),
        )
    except (OSError, ValueError, KeyError) as error:
        return f"cannot be started ({error})"
    try:
        with contextlib.suppress(OSError, ValueError):  # ended already
            resource.prlimit(process.pid, resource.RLIMIT_AS, (limits.max_memory_mb << 20,) * 2)
        output = _talk(process, stdin, until_s)
        code = process.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return f"did not end within {limits.timeout_s:g} s and was killed"
    finally:
        _kill_all(process)
    if code == 0:
        return None
    ended = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    shown = " ".join(output.decode("utf-8", "replace").split())[:200].rstrip()
    return f"{ended}{': ' + shown if shown else ''}"


def _identity(user: str | None) -> dict[str, Any]:
    """Return the arguments of ``Popen`` for another user, with the group of that user alone.

    Raises:
        KeyError: there is no such user.
    """
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _talk(process: "subprocess.Popen[bytes]", stdin: bytes, until_s: float) -> bytes:
    """Write the input, and return the output up to its limit."""
    given, taken = process.stdin, process.stdout
    if given is None or taken is None:
        raise ValueError("no pipes")
    with contextlib.suppress(OSError):  # it reads nothing
        given.write(stdin)
        given.flush()
    with contextlib.suppress(OSError):
        given.close()
    output = b""
    with taken:
        while len(output) < _MAX_OUTPUT_BYTES and time.monotonic() < until_s:
            ready, _, _ = select.select([taken], [], [], max(0.0, until_s - time.monotonic()))
            piece = os.read(taken.fileno(), _MAX_OUTPUT_BYTES - len(output)) if ready else b""
            if not piece:
                break
            output += piece
    return output


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    """Kill the program and the children that it has left."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
