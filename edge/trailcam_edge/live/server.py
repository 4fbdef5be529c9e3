"""The server of the live page: a thread per connection, few connections, none for long.

It can slow nothing down: the live loop hands over a reference and goes on. More than ``_MAX_CONNECTIONS`` are answered
with a 503 at once, a request that does not arrive in time is hung up on, and only so many viewers get pictures.
"""

import contextlib
import errno
import socket
import socketserver
import threading
import time
from typing import Any

from trailcam_core.errors import DeviceError
from trailcam_edge.live.access import Access, Address
from trailcam_edge.live.handler import Handler, Reports
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.page import read_page

__all__ = ["LiveServer", "Viewers", "serve_live"]

_MAX_CONNECTIONS = 32  # a browser keeps two or three
_VIEWER_IDLE_S = 15.0
_POLL_S = 0.5
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 15\r\nConnection: close\r\n\r\n"
    b"Too many connections; try again in a moment.\n"
)


class Viewers:
    """Who gets pictures: at most ``limit`` at once; who has not asked for a while makes room."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._guard = threading.Lock()
        self._asked_s: dict[str, float] = {}

    def admit(self, viewer: str, now_s: float) -> bool:
        """Say whether this viewer may have the next picture."""
        with self._guard:
            self._asked_s = {name: asked for name, asked in self._asked_s.items() if now_s < asked + _VIEWER_IDLE_S}
            if viewer not in self._asked_s and len(self._asked_s) >= self.limit:
                return False
            self._asked_s[viewer] = now_s
            return True

    def count(self, now_s: float) -> int:
        """Return how many are looking."""
        with self._guard:
            return sum(now_s < asked + _VIEWER_IDLE_S for asked in self._asked_s.values())


class LiveServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens from the moment it is made; ``start`` begins to answer."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, address: Address, handler: type[Handler], viewers: Viewers) -> None:
        self.viewers = viewers
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._connections = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._deadlines: dict[socket.socket, float] = {}
        self._open: set[socket.socket] = set()
        super().__init__((address.host, address.port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name="live page", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens, also where any free port was asked for."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to answer, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and hang up: a browser that asks again shall find whoever listens here next."""
        self.shutdown()
        self.server_close()
        self._thread.join()
        for connection in list(self._open):
            _hang_up(connection)

    def expect_by(self, connection: socket.socket, deadline_s: float | None) -> None:
        """Hang up on a connection at ``deadline_s`` (monotonic) unless this is called again; None lets it be."""
        if deadline_s is None:
            self._deadlines.pop(connection, None)
        else:
            self._deadlines[connection] = deadline_s

    def service_actions(self) -> None:
        """Hang up on requests that take too long to arrive; called twice a second."""
        now_s = time.monotonic()
        for connection, deadline_s in list(self._deadlines.items()):
            if now_s > deadline_s:
                self._deadlines.pop(connection, None)
                _hang_up(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or say at once that there are too many."""
        if not self._connections.acquire(blocking=False):
            request.settimeout(0.1)
            with contextlib.suppress(OSError):  # it may not wait for the answer
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._connections.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._deadlines.pop(request, None)
            self._open.discard(request)
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a connection that broke go: it was the other side's."""


def serve_live(address: Address, access: Access, viewers: int, view: LiveView, reports: Reports) -> LiveServer:
    """Listen, and begin to answer.

    Raises:
        DeviceError: the port is in use, or the address is not this machine's.
    """
    offered = {"access": access, "page": read_page(), "view": view, "reports": reports}
    handler = type("LiveHandler", (Handler,), offered)
    try:
        server = LiveServer(address, handler, Viewers(viewers))
    except OSError as error:
        raise DeviceError(f"The live page cannot listen on {address.shown}: {_explain(error, address)}") from error
    server.start()
    return server


def _explain(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        other = Address(address.host, address.port + 1).shown
        return f'the port is in use by another program. Choose another: "--live {other}".'
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "this machine has no such address. 0.0.0.0 stands for all that it has."
    if error.errno == errno.EACCES:
        return "ports below 1024 belong to root. Choose one above."
    return f"{error.strerror or error}."


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself
