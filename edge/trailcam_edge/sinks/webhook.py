"""Events as HTTP POSTs to a server that may fail, stall or send invalid responses.

Plain ``http.client``, which neither follows redirects (a redirected POST becomes a GET, and the event is lost with a
status of 200) nor takes a proxy from the environment.
"""

import contextlib
import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

from trailcam_core.network.secrets import mask_address
from trailcam_core.network.tls import client_context
from trailcam_edge.sinks.settings import WebhookSettings
from trailcam_edge.sinks.worker import SinkError, SinkRejectedError
from trailcam_edge.store.records import EventRecord, event_json

_MAX_ANSWER_BYTES = 65_536
# Of the status codes 400 to 499 these do not concern the event: an expired token, a wrong address, a busy server. The
# event waits. The others reject this event permanently.
_TRY_AGAIN = frozenset({401, 403, 404, 405, 407, 408, 421, 423, 425, 426, 429})


class WebhookSink:
    """Post each event as JSON; a status of 200 to 299 with a complete response in time means delivered."""

    def __init__(self, settings: WebhookSettings, token: str | None = None) -> None:
        """Prepare requests; nothing is connected yet.

        Args:
            settings: address and time limit.
            token: sent as "Authorization: Bearer TOKEN".
        """
        parts = urlsplit(settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._context = client_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._place = mask_address(f"{parts.scheme}://{parts.netloc}{parts.path}")
        self._timeout_s = settings.timeout_s
        self._headers = {"Content-Type": "application/json", "User-Agent": "trailcam"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def name(self) -> str:
        """The name of the sink, made of the address without its secrets."""
        return f"webhook {self._place}"

    def deliver(self, event: EventRecord) -> None:
        """Post one event.

        Raises:
            SinkError: no complete response in time, or a status that may change.
            SinkRejectedError: the server rejects this event permanently.
        """
        body = json.dumps(event_json(event), ensure_ascii=False).encode("utf-8")
        headers = self._headers | {"Idempotency-Key": event.visit_id}  # an event may be sent twice
        connection = self._connect()
        late = threading.Event()
        # A socket's time-out restarts with every byte. The timer bounds the whole exchange.
        timer = threading.Timer(self._timeout_s, _disconnect, [connection, late])
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", self._target, body, headers)
            with connection.getresponse() as answer:
                if 200 <= answer.status < 300:
                    _read_to_the_end(answer)
            if late.is_set():  # http.client accepts a connection that ends within the headers
                raise TimeoutError("disconnected")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SinkError(
                f"{self._place}: no complete response in time ({error or type(error).__name__})."
            ) from error
        finally:
            timer.cancel()
            connection.close()
        self._check_status(answer)

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _check_status(self, answer: http.client.HTTPResponse) -> None:
        message = f"{self._place}: answered {answer.status} {answer.reason}."
        if 200 <= answer.status < 300:
            return
        if 300 <= answer.status < 400:
            raise SinkError(f"{message} Redirects are not followed: set url to the address that it names.")
        if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
            raise SinkRejectedError(message)
        after = answer.headers.get("Retry-After", "")
        raise SinkError(message, float(after) if after.isdecimal() and len(after) < 10 else 0.0)


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
