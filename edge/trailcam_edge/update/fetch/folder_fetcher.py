"""Fetch releases from a folder: an inbox, or a USB stick that may be pulled out, damaged or full of other files."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

FOLDER_URL = "folder:/"
_CHUNK_BYTES = 1 << 16
_NOT_FOUND = 404
_ABSENT = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "a part of its path is no folder",
    errno.ELOOP: "a link",
    errno.ENXIO: "no plain file",
}


class FolderFetcher(FetcherInterface):
    """Read plain files below one folder; links, also of folders, pipes and devices count as missing.

    A file that cannot be read is an error and does not count as missing: python-tuf takes a missing root.json for the
    proof that there is no newer one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = PurePosixPath(url.removeprefix(FOLDER_URL))
        if path.is_absolute() or ".." in path.parts:
            raise DownloadError(f"{url}: leaves the folder")
        try:
            descriptor = _open_below(self._folder, path)
        except OSError as error:
            if error.errno in _ABSENT:
                raise DownloadHTTPError(f"{path}: {_ABSENT[error.errno]}", _NOT_FOUND) from error
            raise DownloadError(f"{path}: {error.strerror}") from error
        return _chunks(descriptor, path)


def _open_below(folder: Path, path: PurePosixPath) -> int:
    """Open a plain file without following a link on the way from ``folder``, which itself may be one.

    Raises:
        OSError: it is missing, or a part of the way is a link; ``ENXIO`` if it is something else than a file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(folder, flags | os.O_DIRECTORY)
    for number, part in enumerate(path.parts, start=1):
        above = descriptor
        try:
            found = os.stat(part, dir_fd=above, follow_symlinks=False).st_mode
            # Before it is opened: to open a device may start something, such as a watchdog that restarts the machine.
            if number == len(path.parts) and not stat.S_ISREG(found) and not stat.S_ISLNK(found):
                raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), part)
            descriptor = os.open(
                part, flags | os.O_NOFOLLOW | (os.O_DIRECTORY if number < len(path.parts) else 0), dir_fd=above
            )
        finally:
            os.close(above)
    return descriptor


def _chunks(descriptor: int, path: PurePosixPath) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        while chunk := _read(file, path):
            yield chunk


def _read(file: IO[bytes], path: PurePosixPath) -> bytes:
    try:
        return file.read(_CHUNK_BYTES)
    except OSError as error:  # of the stick, not of this camera's disk
        raise DownloadError(f"{path}: {error.strerror}") from error
