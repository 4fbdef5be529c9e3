"""HTTP POSTs to a server that may fail, stall or send invalid responses.

Plain ``http.client``, which neither follows redirects (a redirected POST becomes a GET, and the event is lost with a
status of 200) nor takes a proxy from the environment.
"""

import contextlib
import http.client
import socket
import threading
import time
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from trailcam_core.network.secrets import mask_webhook
from trailcam_core.network.tls import client_context
from trailcam_edge.sinks.worker import BodyTooLargeError, SinkError, SinkRejectedError

_MAX_ANSWER_BYTES = 65_536
# Of the status codes 400 to 499 these do not concern the event: an expired token, a wrong address, a busy server. The
# event waits. The others reject this event permanently.
_TRY_AGAIN = frozenset({401, 403, 404, 405, 407, 408, 421, 423, 425, 426, 429})


class HttpPost:
    """POST requests to one address; a status of 200 to 299 with a complete response in time means delivered."""

    def __init__(self, url: str, timeout_s: float, token: str | None = None) -> None:
        """Prepare requests; nothing is connected yet.

        Args:
            url: of http or https.
            timeout_s: of the whole exchange.
            token: sent as "Authorization: Bearer TOKEN".
        """
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._context = client_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.place = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._shown = mask_webhook(self.place)
        self._timeout_s = timeout_s
        self._headers = {"User-Agent": "trailcam"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(self, body: bytes, headers: dict[str, str]) -> None:
        """Post a body.

        Raises:
            SinkError: no complete response in time, or a status that may change.
            SinkRejectedError: the server rejects this body permanently; ``BodyTooLargeError`` for its size.
        """
        end_s = time.monotonic() + self._timeout_s
        connection = self._new_connection()
        try:
            connection.sock = self._connect(connection.port, end_s)
            answer = self._exchange(connection, body, headers, end_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SinkError(
                f"{self._shown}: no complete response in time ({error or type(error).__name__})."
            ) from error
        finally:
            connection.close()
        self._check_status(answer)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], end_s: float
    ) -> http.client.HTTPResponse:
        """Send a request over an open connection, and return the response, read to its end if the status is 2xx."""
        late = threading.Event()
        # A socket's time-out restarts with every byte. The timer bounds the whole exchange.
        timer = threading.Timer(max(0.0, end_s - time.monotonic()), _disconnect, [connection, late])
        timer.daemon = True
        timer.start()
        try:
            cut = _send_request(connection, self._target, body, self._headers | headers)
            with connection.getresponse() as answer:
                if 200 <= answer.status < 300:
                    if cut is not None:
                        raise cut
                    _read_to_the_end(answer)
            if late.is_set():  # http.client accepts a connection that ends within the headers
                raise TimeoutError("disconnected")
            return answer
        finally:
            timer.cancel()

    def _new_connection(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _connect(self, port: int, end_s: float) -> socket.socket:
        """Return a socket that is connected, and secured for https.

        Each address of the host gets a share of the time that is left: an address of IPv6 without a way to it, which
        answers nothing, must not take all of it.

        Raises:
            OSError: no address can be reached in time, or the certificate is not accepted.
        """
        addresses = socket.getaddrinfo(self._host, port, type=socket.SOCK_STREAM)
        reason: OSError = TimeoutError("no connection")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(left_s / (len(addresses) - number))
                opened.connect(address)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened.settimeout(max(0.001, end_s - time.monotonic()))
                if self._context is None:
                    return opened
                return self._context.wrap_socket(opened, server_hostname=self._host)
            except OSError as error:
                opened.close()
                reason = error
        raise reason

    def _check_status(self, answer: http.client.HTTPResponse) -> None:
        message = f"{self._shown}: answered {answer.status} {answer.reason}."
        if 200 <= answer.status < 300:
            return
        if 300 <= answer.status < 400:
            raise SinkError(f"{message} Redirects are not followed: set url to the address that it names.")
        if answer.status == http.client.REQUEST_ENTITY_TOO_LARGE:
            raise BodyTooLargeError(message)
        if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
            raise SinkRejectedError(message)
        raise SinkError(message, _retry_after_s(answer.headers))


def _retry_after_s(headers: Message) -> float:
    """Return the seconds that a busy server asks to wait, 0 if it names none. RFC 9110, section 10.2.3.

    A date is compared with the date of the answer, because the clock of a camera may be wrong.
    """
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after) if len(after) < 10 else 0.0
    try:
        end, start = (parsedate_to_datetime(text) for text in (after, headers.get("Date", "")))
        return max((end - start).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):  # no date, or only one of them names its time zone
        return 0.0


def _send_request(
    connection: http.client.HTTPConnection, target: str, body: bytes, headers: dict[str, str]
) -> OSError | None:
    """Send a request; return the error of a server that has closed the connection before the end of the body.

    A server that refuses a body, as too large, may answer and close before it has read all of it; the answer can still
    be read. RFC 9112, section 9.3.
    """
    try:
        connection.request("POST", target, body, headers)
    except (BrokenPipeError, ConnectionResetError) as error:
        return error
    return None


def _read_to_the_end(answer: http.client.HTTPResponse) -> None:
    """Read a response to its end to check that it is complete, up to a maximum size."""
    left = _MAX_ANSWER_BYTES
    while left > 0:
        piece = answer.read1(left)
        if not piece:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            return
        left -= len(piece)


def _disconnect(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    open_socket: socket.socket | None = connection.sock
    if open_socket is not None:
        with contextlib.suppress(OSError):  # it has ended already
            open_socket.shutdown(socket.SHUT_RDWR)
