"""Lock the folder of a training against a second process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trailcam_core.errors import TrainError

LOCK_FILE = "lock"  # holds the process id for the user; the lock itself ends with the process


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder of an unfinished training inside the block; the folder may be renamed meanwhile.

    Raises:
        TrainError: another process holds it, or finished it just now.
        OSError: the lock file cannot be written.
    """
    path = folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError as error:
        raise TrainError(f"{folder}: is gone. Another process finished or removed it.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise TrainError(
                f"{folder}: process {holder} is training in it. Wait until it is done, or stop it and go on then."
            ) from error
        if not path.exists() or os.fstat(descriptor).st_ino != path.stat().st_ino:
            raise TrainError(f"{folder}: is gone. Another process finished or removed it.")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
