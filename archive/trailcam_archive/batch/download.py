"""Fetch one picture from a web server, within bounds of size and time."""

import time
from urllib.parse import unquote

import urllib3

from trailcam_core.errors import SourceError
from trailcam_core.network.secrets import mask_address
from trailcam_core.network.tls import client_context

MAX_DOWNLOAD_BYTES = 256_000_000  # as for a file
_LONGEST_S = 60.0
_SILENCE_S = 15.0
_CHUNK_BYTES = 1 << 16
_RETRIES = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=5)  # it logs a retry with the whole address

_REASONS = (  # special ones first
    (urllib3.exceptions.NameResolutionError, "no such host"),
    (urllib3.exceptions.NewConnectionError, "no connection"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (urllib3.exceptions.SSLError, "its certificate is not accepted"),
    (urllib3.exceptions.LocationValueError, "no address of a web server, expected such as http://HOST/NAME.jpg"),
    (urllib3.exceptions.ResponseError, "it redirects more than 5 times"),
    (urllib3.exceptions.ProtocolError, "the server closed it early, or does not speak HTTP"),
)


def download(address: str, max_bytes: int = MAX_DOWNLOAD_BYTES, longest_s: float = _LONGEST_S) -> bytes:
    """Return the content at an http:// or https:// address.

    Args:
        address: may hold a password or token; no message shows it.
        max_bytes: a larger content is refused, and not fetched to its end.
        longest_s: time for everything, also for a host that sends slowly.

    Raises:
        SourceError: no answer, another status than 200, or a bound is passed.
    """
    end_s = time.monotonic() + longest_s
    timeout = urllib3.Timeout(connect=min(_SILENCE_S, longest_s), read=min(_SILENCE_S, longest_s))
    with urllib3.PoolManager(ssl_context=client_context(), retries=_RETRIES, timeout=timeout) as pool:
        try:
            auth = urllib3.util.parse_url(address).auth
            headers = urllib3.util.make_headers(basic_auth=unquote(auth) if auth else None, user_agent="trailcam")
            response = pool.request("GET", address, preload_content=False, headers=headers)
        except (urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise SourceError(f"{mask_address(address)}: cannot be fetched ({_reason(error)}).") from error
        try:
            if response.status != 200:
                raise SourceError(f"{mask_address(address)}: the server answers {response.status}, expected 200.")
            return _read(response, mask_address(address), max_bytes, end_s)
        finally:
            response.close()


def _read(response: urllib3.response.BaseHTTPResponse, name: str, max_bytes: int, end_s: float) -> bytes:
    content = bytearray()
    try:
        while chunk := response.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise SourceError(f"{name}: more than {max_bytes:,} bytes, expected a picture.")
            if time.monotonic() > end_s:
                raise SourceError(f"{name}: {len(content):,} bytes came in time, then it was given up: too slow.")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SourceError(f"{name}: the connection was lost ({_reason(error)}).") from error
    return bytes(content)


def _reason(error: Exception) -> str:
    """Return the kind of a failure; the texts of urllib3 hold the address with its secrets."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    return next((text for kind, text in _REASONS if isinstance(cause, kind)), type(cause).__name__)
