"""The id of a camera: one line in ``device-id``, written at provisioning and never changed.

Staged rollouts depend on it. A camera without one creates a random one at its first update.
"""

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from trailcam_core.errors import UpdateError
from trailcam_core.files.atomic import STAGING_PREFIX, sync_directory
from trailcam_edge.update.settings import trusted_file

DEVICE_ID_FILE = "device-id"
_DEVICE_ID = r"[a-z0-9][a-z0-9._-]{0,63}"
_MAX_BYTES = 65  # with the newline
_RANDOM_BYTES = 8


def check_device_id(text: str) -> str:
    """Check an id and return it.

    Raises:
        UpdateError: it breaks the rules.
    """
    if not re.fullmatch(_DEVICE_ID, text):
        raise UpdateError(
            f"device id {text[:80]!r}: expected 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit."
        )
    return text


def read_device_id(folder: Path) -> str | None:
    """Return this camera's id, or None if the file is damaged; a missing one is created with a random id.

    Raises:
        OSError: it is missing and cannot be written.
    """
    path = trusted_file(folder, DEVICE_ID_FILE)
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            _write_new(path, f"cam-{secrets.token_hex(_RANDOM_BYTES)}")
    try:
        with open(path, "rb") as file:
            return check_device_id(file.read(_MAX_BYTES).decode("ascii").removesuffix("\n"))
    except (OSError, UnicodeDecodeError, UpdateError):
        return None


def write_device_id(folder: Path, text: str) -> None:
    """Set this camera's id; setting the same one again changes nothing.

    Raises:
        UpdateError: it breaks the rules, or the camera has another one.
        OSError: the disk is full, read-only or failing.
    """
    path = folder / DEVICE_ID_FILE
    check_device_id(text)
    try:
        _write_new(path, text)
    except FileExistsError:
        known = read_device_id(folder)
        if known != text:
            raise UpdateError(
                f"{path}: is {known or 'damaged'}, {text} was to be written. Staged rollouts depend on it: delete the "
                "file only if this camera has become another one."
            ) from None


def _write_new(path: Path, text: str) -> None:
    """Create a file atomically; of two writers one wins."""
    descriptor, name = tempfile.mkstemp(prefix=STAGING_PREFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        path.hardlink_to(name)
    finally:
        Path(name).unlink()
    sync_directory(path.parent)
