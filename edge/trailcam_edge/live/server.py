"""Server of the live page: one thread for each connection, and limits on their number and duration.

The live loop hands over a reference and continues, so no request can slow it down. ``limits`` has the places for
connections. A connection without a place is answered with a 503; requests that miss their deadline are disconnected.
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
from trailcam_edge.live.limits import MAX_CONNECTIONS, Deadlines, Places, Viewers
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.pages.router import Pages

_MAX_THREADS = MAX_CONNECTIONS + 16  # a thread ends shortly after its connection has lost its place
_POLL_S = 0.5
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 15\r\nConnection: close\r\n\r\n"
    b"Too many connections; try again in a moment.\n"
)


class LiveServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listen from construction on; ``start`` begins to answer. The attributes are those of ``handler.Host``."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, address: Address, access: Access, viewers: int, view: LiveView, reports: Reports) -> None:
        self.access = access
        self.pages = Pages(reports, read_assets())
        self.view = view
        self.reports = reports
        self.viewers = Viewers(viewers)
        self.deadlines = Deadlines()
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.places = Places()
        self._thread_places = threading.BoundedSemaphore(_MAX_THREADS)
        super().__init__((address.host, address.port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name="live page", daemon=True)

    @property
    def port(self) -> int:
        """The port, also where any free one was requested."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to answer, in a separate thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and disconnect all clients, so that their next request reaches the next server."""
        self.shutdown()
        self.server_close()
        self._thread.join()
        self.places.disconnect_all()

    def service_actions(self) -> None:
        """Disconnect overdue requests; called twice a second."""
        self.deadlines.disconnect_overdue(time.monotonic())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or refuse it if there are too many."""
        if not self._thread_places.acquire(blocking=False):
            self._refuse(request)
            return
        if not self.places.enter(request, client_address[0]):
            self._thread_places.release()
            self._refuse(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def _refuse(self, request: Any) -> None:
        request.settimeout(0.1)
        with contextlib.suppress(OSError):  # the client may not wait for the response
            request.sendall(_BUSY)
        self.shutdown_request(request)

    def _leave(self, request: Any) -> None:
        self.deadlines.expect_by(request, None)
        self.places.leave(request)
        self._thread_places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a broken connection: the client caused it."""


def serve_live(address: Address, access: Access, viewers: int, view: LiveView, reports: Reports) -> LiveServer:
    """Listen, and begin to answer.

    Raises:
        DeviceError: the port is in use, or the address is not one of this machine.
    """
    try:
        server = LiveServer(address, access, viewers, view, reports)
    except OSError as error:
        raise DeviceError(f"The live page cannot listen on {address.shown}: {_explain(error, address)}") from error
    server.start()
    return server


def _explain(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        other = Address(address.host, address.port + 1).shown
        return f'the port is in use by another program. Choose another: "--live {other}".'
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "this machine has no such address. 0.0.0.0 listens on all of its addresses."
    if error.errno == errno.EACCES:
        return "ports below 1024 are reserved for root. Choose a higher one."
    return f"{error.strerror or error}."
