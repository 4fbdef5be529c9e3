"""Bring the store of a camera home: its database, and the pictures and clips that are not here yet, newest first.

Everything is read as the user of the service, which cannot read more than it may. Names and sizes that the camera sends
are checked: a captured camera can fill its own folder up to the budget, and nothing else.
"""

import importlib.resources
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from trailcam_core.files.atomic import make_folder, staged_file
from trailcam_core.network.ssh.errors import HostError, OfflineError
from trailcam_deploy.ssh.connection import Connection

SERVICE_USER = "trailcam"
PYTHON = "/opt/trailcam/bin/python3"
_NAME = re.compile(r"pictures/[A-Za-z0-9._-]{1,120}\.jpg|clips/[A-Za-z0-9._-]{1,120}\.mp4")
_DATABASE = "events.db"
_INCOMING = "incoming"  # a folder in which the database is completed before it takes the place of the old one
_MAX_DATABASE_BYTES = 4_000_000_000
_MAX_LINE_BYTES = 1000
_CHUNK_BYTES = 1 << 16
_COLLECT_S = 6 * 3600.0


def _ignore(_size: int) -> None:
    """Take no notice of progress."""


def _as_it_is(_folder: Path) -> None:
    """Take the database as it came."""


@dataclass
class Collected:
    """What came home: number of new pictures and clips, bytes, and the number of both that are left on the camera."""

    pictures: int = 0
    clips: int = 0
    size_bytes: int = 0
    left: int = 0
    moved: Callable[[int], None] = field(default=_ignore, repr=False)


def collect_store(
    connection: Connection,
    store: str,
    folder: Path,
    budget_bytes: int,
    moved: Callable[[int], None] = _ignore,
    python: str = PYTHON,
    adopt: Callable[[Path], None] = _as_it_is,
) -> Collected:
    """Bring what is new of a store into a folder, which is a store itself afterwards.

    Args:
        connection: to the camera.
        store: folder of the store there.
        folder: here; made if missing. What an interrupted run has brought stays.
        budget_bytes: of pictures and clips in this run; the database comes always.
        moved: gets the size of each chunk.
        python: interpreter there.
        adopt: gets the folder with the new database, before that takes the place of the one in ``folder``.

    Raises:
        OfflineError: the connection is lost.
        HostError: the camera has no such store, or sends what no camera sends.
    """
    make_folder(folder / "pictures")
    known = [f"{name}/{path.name}" for name in ("pictures", "clips") for path in sorted((folder / name).glob("[!.]*"))]
    program = importlib.resources.files("trailcam_deploy").joinpath("data/collect.py").read_text(encoding="utf-8")
    found = Collected(moved=moved)
    words = ["runuser", "-u", SERVICE_USER, "--", python, "-I", "-c", program, store, str(budget_bytes)]
    ended = False

    def read(output: IO[bytes]) -> None:
        nonlocal ended
        ended = _read(output, folder, budget_bytes, found, adopt)

    connection.receive(words, "".join(f"{name}\n" for name in known).encode(), read, _COLLECT_S)
    if not ended:
        raise OfflineError("the connection was lost. Run the same command again; what has arrived is kept.")
    return found


def _read(output: IO[bytes], folder: Path, budget_bytes: int, found: Collected, adopt: Callable[[Path], None]) -> bool:
    """Write the files of a stream; return False if it was cut off."""
    while line := output.readline(_MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            return False
        header = _header(line)
        if "left" in header:
            found.left = int(header["left"])
            return True
        name, size = str(header["name"]), int(header["size"])
        limit = _MAX_DATABASE_BYTES if name == _DATABASE else budget_bytes - found.size_bytes
        if (name != _DATABASE and not _NAME.fullmatch(name)) or not 0 <= size <= limit:
            raise HostError(f"it sent {name[:100]!r} of {size} bytes, which no camera sends. Nothing of it was kept.")
        place = folder / _INCOMING / name if name == _DATABASE else folder / name
        make_folder(place.parent)
        if not _write(output, place, size, found.moved):
            return False
        if name == _DATABASE:
            adopt(place.parent)
            place.rename(folder / name)
            shutil.rmtree(place.parent)
        else:
            found.pictures += name.startswith("pictures/")
            found.clips += name.startswith("clips/")
            found.size_bytes += size
    return False


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        if isinstance(header, dict) and ("left" in header or {"name", "size"} <= header.keys()):
            return header
    except (ValueError, RecursionError):
        pass
    raise HostError(f"it sent {line[:60]!r}, expected the store of a camera. Is the same Trailcam installed there?")


def _write(output: IO[bytes], path: Path, size: int, moved: Callable[[int], None]) -> bool:
    """Write one file in one step; return False, and leave the old one, if the stream ends before."""
    rest = size
    try:
        with staged_file(path) as file:
            while rest:
                chunk = output.read(min(rest, _CHUNK_BYTES))
                if not chunk:
                    raise EOFError
                file.write(chunk)
                moved(len(chunk))
                rest -= len(chunk)
    except EOFError:
        return False
    return True
