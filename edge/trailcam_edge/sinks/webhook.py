"""Events as HTTP POSTs to a server that may fail, stall or lie.

Plain ``http.client``: nothing that follows redirects (a redirected POST becomes a GET, and the event is lost with a
friendly 200) or takes a proxy from the environment.
"""

import http.client
import json
import socket
import ssl
import threading
from urllib.parse import urlsplit

from trailcam_edge.sinks.settings import WebhookSettings
from trailcam_edge.sinks.worker import SinkError, SinkRejectedError
from trailcam_edge.store.records import EventRecord, event_json

__all__ = ["WebhookSink"]

_MAX_ANSWER_BYTES = 65_536
# Of the answers 400 to 499 these say nothing about the event: a token to be renewed, an address to be put right, a
# server that is busy. The event waits. The others mean that this event will never be taken.
_TRY_AGAIN = frozenset({401, 403, 404, 405, 407, 408, 421, 423, 425, 426, 429})


class WebhookSink:
    """Posts each event as JSON; only an answer of 200 to 299 that arrives whole and in time counts as taken."""

    def __init__(self, settings: WebhookSettings, token: str | None = None) -> None:
        """Prepare requests; nothing is connected yet.

        Args:
            settings: address and time limit.
            token: sent as "Authorization: Bearer TOKEN".
        """
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._place = f"{parts.scheme}://{parts.netloc}{parts.path}"  # the query may hold a secret
        self._timeout_s = settings.timeout_s
        self._headers = {"Content-Type": "application/json", "User-Agent": "trailcam"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def name(self) -> str:
        """The address makes the sink's name, without secrets in it."""
        return f"webhook {self._place}"

    def deliver(self, event: EventRecord) -> None:
        """Post one event.

        Raises:
            SinkError: no whole answer in time, or one that may change.
            SinkRejectedError: the server will never take this event.
        """
        body = json.dumps(event_json(event), ensure_ascii=False).encode("utf-8")
        headers = self._headers | {"Idempotency-Key": event.visit_id}  # it may come twice
        connection = self._connect()
        late = threading.Event()
        # A socket's time-out starts again with every byte. The timer ends the exchange however slowly it drips.
        timer = threading.Timer(self._timeout_s, _hang_up, [connection, late])
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", self._target, body, headers)
            with connection.getresponse() as answer:
                if 200 <= answer.status < 300:
                    _read_to_the_end(answer)
            if late.is_set():  # http.client takes a connection that ends among the headers for the end of them
                raise TimeoutError("hung up")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SinkError(f"{self._place}: no whole answer in time ({error or type(error).__name__}).") from error
        finally:
            timer.cancel()
            connection.close()
        self._judge(answer)

    def close(self) -> None:
        """Nothing is held open."""

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _judge(self, answer: http.client.HTTPResponse) -> None:
        message = f"{self._place}: answered {answer.status} {answer.reason}."
        if 200 <= answer.status < 300:
            return
        if 300 <= answer.status < 400:
            raise SinkError(f"{message} Redirects are not followed: give the address that it names.")
        if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
            raise SinkRejectedError(message)
        after = answer.headers.get("Retry-After", "")
        raise SinkError(message, float(after) if after.isdecimal() and len(after) < 10 else 0.0)


def _read_to_the_end(answer: http.client.HTTPResponse) -> None:
    """Read an answer to know that it is whole, but not more of it than anybody needs."""
    left = _MAX_ANSWER_BYTES
    while left > 0:
        piece = answer.read1(left)
        if not piece:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            return
        left -= len(piece)


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    held: socket.socket | None = connection.sock
    if held is not None:
        try:
            held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself
