"""Fetchers of releases: from a folder (an inbox, a USB stick) or an HTTPS host. Neither is trusted."""

import os
import re
import ssl
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, runtime_checkable

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from trailcam_core.errors import UpdateError
from trailcam_core.network.secrets import mask_address
from trailcam_core.network.tls import client_context
from trailcam_edge.update.errors import NotFetchedError

_FOLDER_URL = "folder:/"
_CHUNK_BYTES = 1 << 16
_NOT_FOUND = 404
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")
_RETRIES = urllib3.Retry(connect=2, read=0, status=0, other=0, redirect=5, backoff_factor=0.5)
_X509_NOT_OF_TODAY = (9, 10)  # openssl/x509_vfy.h: not yet valid, has expired
_X509_OTHER_NAME = (62, 64)  # of a host, of an address


@dataclass(frozen=True)
class Piece:
    """Bytes of a file from ``offset`` on; ``validator`` is the host's identifier of this state of the file, or None."""

    offset: int
    validator: str | None
    chunks: Iterator[bytes]


@runtime_checkable
class RangedFetcher(Protocol):
    """Fetch a file from an offset on."""

    def fetch_from(self, url: str, offset: int, validator: str | None) -> Piece:
        """Fetch from ``offset`` on if the file still has the state ``validator``, else from the beginning.

        Raises:
            DownloadError: nothing arrived.
        """


class FolderFetcher(FetcherInterface):
    """Read plain files below one folder; links, also of folders, pipes and devices count as missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = PurePosixPath(url.removeprefix(_FOLDER_URL))
        if path.is_absolute() or ".." in path.parts:
            raise DownloadError(f"{url}: leaves the folder")
        try:
            descriptor = _open_below(self._folder, path)
        except OSError as error:
            raise DownloadHTTPError(f"{path}: {error.strerror}", _NOT_FOUND) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DownloadHTTPError(f"{path}: no plain file", _NOT_FOUND)
        return _chunks(descriptor, path)


def _open_below(folder: Path, path: PurePosixPath) -> int:
    """Open a file without following a link on the way from ``folder``, which itself may be one.

    Raises:
        OSError: it is missing, or a part of the way is a link.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(folder, flags | os.O_DIRECTORY)
    for part in path.parts:
        above = descriptor
        try:
            descriptor = os.open(part, flags | os.O_NOFOLLOW, dir_fd=above)
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
        raise DownloadError(f"{path}: {error.strerror}. Check that the stick is still plugged in.") from error


class PromptFetcher(Urllib3Fetcher):
    """Yield bytes as they arrive; python-tuf's fetcher waits for a whole chunk, which a slow host fills in days."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # python-tuf has no public way to set the context; its pools are made of these arguments when first used.
        self._proxy_env._kw_args["ssl_context"] = client_context()

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._body(self._request(url, {}), url)

    def fetch_from(self, url: str, offset: int, validator: str | None) -> Piece:
        """Request a range; a host without ranges, or with another file by now, sends the whole file.

        Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range) and 15.5.17 (416).
        """
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if validator is not None:
                headers["If-Range"] = validator
        try:
            response = self._request(url, headers)
        except DownloadHTTPError as error:
            if not offset or error.status_code != _RANGE_NOT_SATISFIABLE:
                raise
            return self.fetch_from(url, 0, None)
        start = 0
        if response.status == _PARTIAL_CONTENT:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != offset:
                response.close()
                if not offset:
                    raise DownloadError(f"{url}: the host sends a part that was not requested")
                return self.fetch_from(url, 0, None)
            start = offset
        return Piece(start, _strong_validator(response.headers), self._body(response, url))

    def _request(self, url: str, headers: dict[str, str]) -> urllib3.response.BaseHTTPResponse:
        timeout = urllib3.Timeout(self.socket_timeout)
        try:
            response = self._proxy_env.request(
                "GET", url, headers=headers, preload_content=False, timeout=timeout, retries=_RETRIES
            )
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            if isinstance(reason, urllib3.exceptions.TimeoutError):
                raise SlowRetrievalError(f"{url}: no answer within {self.socket_timeout} s") from error
            raise DownloadError(f"{url}: {_describe(reason)}") from error
        if response.status >= 400:
            response.close()
            raise DownloadHTTPError(f"{url}: the host answers {response.status}", response.status)
        return response

    def _body(self, response: urllib3.response.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        try:
            while chunk := response.read1(self.chunk_size):
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: nothing came for {self.socket_timeout} s") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DownloadError(f"{url}: the connection was lost") from error
        finally:
            response.close()


def _strong_validator(headers: urllib3.HTTPHeaderDict) -> str | None:
    """Return the strong ETag, which identifies the exact content. RFC 9110, section 8.8.1."""
    etag: str | None = headers.get("ETag")
    return etag if etag is not None and re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', etag) else None


def _describe(reason: BaseException | None) -> str:
    """Return the reason of a failed connection; a rejected certificate has a separate cure."""
    seen = reason
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or (seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None)
    if seen is None:
        return str(reason)
    if seen.verify_code in _X509_OTHER_NAME:
        return f"the host's certificate is for another name ({seen.verify_message})"
    if seen.verify_code in _X509_NOT_OF_TODAY:
        today = time.strftime("%Y-%m-%d")
        return f"{seen.verify_message}: this machine's date is {today}. Check it"
    return (
        f"no authority known to this machine has signed the host's certificate ({seen.verify_message}). If it is "
        "your own authority, add it with update-ca-certificates"
    )


class MinimumRateFetcher(FetcherInterface):
    """Abort a download slower than ``min_bytes_per_s`` after ``grace_s``: a slow trickle never times out by itself.

    Args:
        fetcher: downloads.
        min_bytes_per_s: 500 is an eighth of the rate of GPRS.
        grace_s: for connecting and for small files.
    """

    def __init__(self, fetcher: PromptFetcher, min_bytes_per_s: float = 500.0, grace_s: float = 60.0) -> None:
        self._fetcher = fetcher
        self._min_bytes_per_s = min_bytes_per_s
        self._grace_s = grace_s

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._checked(url, time.monotonic(), self._fetcher.fetch(url))

    def fetch_from(self, url: str, offset: int, validator: str | None) -> Piece:
        """Fetch a range with the same minimum rate."""
        start_s = time.monotonic()
        piece = self._fetcher.fetch_from(url, offset, validator)
        return replace(piece, chunks=self._checked(url, start_s, piece.chunks))

    def _checked(self, url: str, start_s: float, chunks: Iterator[bytes]) -> Iterator[bytes]:
        received = 0
        for chunk in chunks:
            yield chunk  # first: the part may be kept for the next attempt
            received += len(chunk)
            taken_s = time.monotonic() - start_s
            if taken_s > self._grace_s + received / self._min_bytes_per_s:
                raise SlowRetrievalError(f"{url}: {received:,} bytes in {taken_s:.0f} s")


def open_source(source: str) -> tuple[FetcherInterface, str]:
    """Return the fetcher and the base address for a folder or an ``https://`` address.

    Raises:
        NotFetchedError: there is no such folder.
        UpdateError: another kind of address.
    """
    if source.startswith("https://"):
        return MinimumRateFetcher(PromptFetcher(chunk_size=_CHUNK_BYTES)), source.rstrip("/") + "/"
    if "://" in source:
        raise UpdateError(f"{mask_address(source)}: expected a folder or an address that begins with https://.")
    folder = Path(source)
    if not folder.is_dir():
        raise NotFetchedError(f"{mask_address(source)}: no such folder. Mount the stick, or fill the inbox.")
    return FolderFetcher(folder), _FOLDER_URL
