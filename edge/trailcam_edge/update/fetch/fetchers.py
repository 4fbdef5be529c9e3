"""Fetch releases from an HTTPS host, which is not trusted; ``open_source`` also opens a folder."""

import re
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable
from urllib.parse import urljoin

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from trailcam_core.errors import UpdateError
from trailcam_core.network.secrets import mask_address
from trailcam_core.network.tls import client_context
from trailcam_edge.update.errors import NotFetchedError
from trailcam_edge.update.fetch.folder_fetcher import FOLDER_URL, FolderFetcher
from trailcam_edge.update.fetch.waiting import LateError, within

_CHUNK_BYTES = 1 << 16
_OK = 200
_PARTIAL_CONTENT = 206
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_ANSWERS_OF_ANY_REQUEST = (404, 429, 503)  # it is missing, or the host is busy: without a range it is the same
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")
_RETRIES = urllib3.Retry(
    connect=2, read=0, status=0, other=0, redirect=False, backoff_factor=0.5, respect_retry_after_header=False
)
_X509_NOT_OF_TODAY = (9, 10)  # openssl/x509_vfy.h: not yet valid, has expired
_X509_OTHER_NAME = (62, 64)  # of a host, of an address

Answer = TypeVar("Answer")


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


class PromptFetcher(Urllib3Fetcher):
    """Yield bytes as they arrive; python-tuf's fetcher waits for a whole chunk, which a slow host fills in days."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # python-tuf has no public way to set the context; its pools are made of these arguments when first used.
        self._proxy_env._kw_args["ssl_context"] = client_context()

    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self._request(url, {})
        if response.status != _OK:
            response.close()
            raise DownloadHTTPError(f"{url}: the host answers {response.status}", response.status)
        return self._body(response, url)

    def fetch_from(self, url: str, offset: int, validator: str | None) -> Piece:
        """Request a range; a host without ranges, or with another file by now, sends the whole file.

        A host that refuses the range, or compresses it, is asked for the whole file: it would do so every time.

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
            if not offset or error.status_code in _ANSWERS_OF_ANY_REQUEST:
                raise
            return self.fetch_from(url, 0, None)
        start = 0
        if response.status == _PARTIAL_CONTENT:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            plain = response.headers.get("Content-Encoding", "identity").lower() == "identity"
            if found is None or int(found[1]) != offset or not plain:
                response.close()
                if not offset:
                    raise DownloadError(f"{url}: the host sends a part that was not requested")
                return self.fetch_from(url, 0, None)
            start = offset
        return Piece(start, _strong_validator(response.headers), self._body(response, url))

    def _request(self, url: str, headers: dict[str, str]) -> urllib3.response.BaseHTTPResponse:
        """Return an answer with the status 200 or 206, after redirects.

        Raises:
            DownloadHTTPError: another status.
            DownloadError: no answer, or a redirect that is not followed.
        """
        place = url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._request_once(place, headers)
            if response.status not in _REDIRECTS:
                break
            response.close()  # its body is not read: it may have no end
            place = _redirected(place, response.headers.get("Location") or "")
        else:
            raise DownloadError(f"{url}: more than {_MAX_REDIRECTS} redirects")
        if response.status not in (_OK, _PARTIAL_CONTENT):
            response.close()
            raise DownloadHTTPError(f"{url}: the host answers {response.status}", response.status)
        return response

    def _request_once(self, url: str, headers: dict[str, str]) -> urllib3.response.BaseHTTPResponse:
        timeout = urllib3.Timeout(self.socket_timeout)
        shown = mask_address(url)  # that of a redirect may hold a token
        try:
            return self._proxy_env.request(
                "GET", url, headers=headers, preload_content=False, timeout=timeout, retries=_RETRIES, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            if isinstance(reason, urllib3.exceptions.TimeoutError):
                raise SlowRetrievalError(f"{shown}: no answer within {self.socket_timeout} s") from error
            raise DownloadError(f"{shown}: {_describe(reason)}") from error

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


def _redirected(url: str, location: str) -> str:
    """Return the address that a redirect names.

    Raises:
        DownloadError: it is none, or leaves https.
    """
    try:
        target = urljoin(url, location)
        schemes = tuple(urllib3.util.parse_url(address).scheme for address in (url, target))
    except (ValueError, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(f"{mask_address(url)}: redirects to what is no address") from error
    if not location or schemes[1] not in ({"https"} if schemes[0] == "https" else {"http", "https"}):
        shown = mask_address(target) if location else "nothing"
        raise DownloadError(f"{mask_address(url)}: redirects to {shown}, expected an https:// address")
    return target


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
        aborted = isinstance(reason, urllib3.exceptions.ProtocolError) and len(reason.args) > 1
        return str(reason.args[1] if aborted and reason is not None else reason)
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
        grace_s: for small files, and to begin.
        answer_s: until the headers of an answer are there, with redirects and attempts to connect.
    """

    def __init__(
        self, fetcher: PromptFetcher, min_bytes_per_s: float = 500.0, grace_s: float = 60.0, answer_s: float = 120.0
    ) -> None:
        self._fetcher = fetcher
        self._min_bytes_per_s = min_bytes_per_s
        self._grace_s = grace_s
        self._answer_s = answer_s

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._checked(url, self._answer(url, lambda: self._fetcher.fetch(url)))

    def fetch_from(self, url: str, offset: int, validator: str | None) -> Piece:
        """Fetch a range with the same minimum rate."""
        piece = self._answer(url, lambda: self._fetcher.fetch_from(url, offset, validator))
        return replace(piece, chunks=self._checked(url, piece.chunks))

    def _answer(self, url: str, request: Callable[[], Answer]) -> Answer:
        try:
            return within(self._answer_s, request)
        except LateError:
            raise SlowRetrievalError(f"{url}: no answer within {self._answer_s:g} s") from None

    def _checked(self, url: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        received, start_s = 0, time.monotonic()
        while True:
            left_s = start_s + self._grace_s + received / self._min_bytes_per_s - time.monotonic()
            try:
                chunk = within(left_s, lambda: next(chunks, b""))
            except LateError:
                taken_s = time.monotonic() - start_s
                raise SlowRetrievalError(f"{url}: {received:,} bytes in {taken_s:.0f} s") from None
            if not chunk:
                return
            yield chunk
            received += len(chunk)


def open_source(source: str) -> tuple[FetcherInterface, str]:
    """Return the fetcher and the base address for a folder or an ``https://`` address.

    Raises:
        NotFetchedError: there is no such folder, or it cannot be read.
        UpdateError: another kind of address.
    """
    if source.startswith("https://"):
        return MinimumRateFetcher(PromptFetcher(chunk_size=_CHUNK_BYTES)), source.rstrip("/") + "/"
    if "://" in source:
        raise UpdateError(f"{mask_address(source)}: expected a folder or an address that begins with https://.")
    folder = Path(source)
    try:
        found = stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except OSError as error:
        raise NotFetchedError(
            f"{mask_address(source)}: {error.strerror}. Plug the stick in again, and check that this user may read it."
        ) from error
    if not found:
        raise NotFetchedError(f"{mask_address(source)}: no such folder. Mount the stick, or fill the inbox.")
    return FolderFetcher(folder), FOLDER_URL
