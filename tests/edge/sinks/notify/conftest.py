"""A server that is compatible with ntfy, and can misbehave; stored events with pictures."""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.events import Moment, Visit, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings


class Ntfy(ThreadingHTTPServer):
    """Takes messages as ntfy does: JSON by POST to /, files by PUT or POST to /TOPIC."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.hang_s = 0.0
        self.max_bytes = 1_000_000_000
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about a client that has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Ntfy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.server.hang_s)
        status = self.server.status if len(body) <= self.server.max_bytes else 413
        if status == 200:
            self.server.got.append((self.path, dict(self.headers), body))
        answer = json.dumps({"id": "x", "event": "message"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    """A server on a port of its own."""
    server = Ntfy()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def dripping() -> Iterator[str]:
    """Return the place of a server that sends one byte a second for ever."""

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.request.sendall(b"X")
                    time.sleep(0.2)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Drip) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    """A store."""
    opened = EventStore(StoreSettings(tmp_path / "store", min_free_bytes=0))
    yield opened
    opened.close()


@pytest.fixture
def add(store: EventStore) -> Callable[..., None]:
    """Return a function that opens a visit of this number."""
    start = datetime.now(UTC)

    def add_visit(number: int, label: str = "lynx", kind: str = "opened") -> None:
        image = np.random.default_rng(number).integers(0, 255, (180, 320, 3), np.uint8)
        image = cv2.resize(image[:18, :32], (1280, 720))
        moments = [Moment(second, start + timedelta(seconds=second), "boot-0") for second in (number, number + 0.8)]
        visit = Visit(f"v{number}", label, moments[0], moments[1], 0.9, 3, 3, image, "b 1", 9.0)
        if kind == "closed":
            store.add_visit(visit)
        else:
            store.add_change(VisitChange(kind, visit))

    return add_visit
