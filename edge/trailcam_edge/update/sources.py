"""Where releases come from: a folder (an inbox, a USB stick) or an HTTPS host. Neither is trusted with anything."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from trailcam_edge.errors import UpdateError

__all__ = ["FolderFetcher", "PatientFetcher", "PromptFetcher", "open_source"]

_FOLDER_URL = "folder:/"
_CHUNK_BYTES = 1 << 16
_NOT_FOUND = 404


class FolderFetcher(FetcherInterface):
    """Reads plain files below one folder; what is a link, a pipe or a device is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = PurePosixPath(url.removeprefix(_FOLDER_URL))
        if path.is_absolute() or ".." in path.parts:
            raise DownloadError(f"{url}: leaves the folder")
        try:
            descriptor = os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise DownloadHTTPError(f"{path}: {error.strerror}", _NOT_FOUND) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DownloadHTTPError(f"{path}: no plain file", _NOT_FOUND)
        return _chunks(descriptor)


def _chunks(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


class PromptFetcher(Urllib3Fetcher):
    """Hands out bytes as they come; python-tuf's own waits for a whole chunk, which a slow drip fills in days."""

    def _chunks(self, response: urllib3.response.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            while chunk := response.read1(self.chunk_size):
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError from error
        finally:
            response.close()


class PatientFetcher(FetcherInterface):
    """Gives up on a host that sends less than ``least_bytes_per_s`` after ``grace_s``: a slow drip never times out.

    Args:
        fetcher: does the work.
        least_bytes_per_s: 500 is an eighth of what GPRS gives.
        grace_s: for connecting and for small files.
    """

    def __init__(self, fetcher: FetcherInterface, least_bytes_per_s: float = 500.0, grace_s: float = 60.0) -> None:
        self._fetcher = fetcher
        self._least_bytes_per_s = least_bytes_per_s
        self._grace_s = grace_s

    def _fetch(self, url: str) -> Iterator[bytes]:
        start_s = time.monotonic()
        received = 0
        for chunk in self._fetcher.fetch(url):
            received += len(chunk)
            taken_s = time.monotonic() - start_s
            if taken_s > self._grace_s + received / self._least_bytes_per_s:
                raise SlowRetrievalError(f"{url}: {received:,} bytes in {taken_s:.0f} s")
            yield chunk


def open_source(source: str) -> tuple[FetcherInterface, str]:
    """Return what fetches, and the base address, for a folder or an ``https://`` address.

    Raises:
        UpdateError: neither.
    """
    if source.startswith("https://"):
        return PatientFetcher(PromptFetcher(chunk_size=_CHUNK_BYTES)), source.rstrip("/") + "/"
    if "://" in source:
        raise UpdateError(f"{source}: expected a folder or an address that begins with https://.")
    folder = Path(source)
    if not folder.is_dir():
        raise UpdateError(f"{source}: no such folder. Is the stick mounted, the inbox filled?")
    return FolderFetcher(folder), _FOLDER_URL
