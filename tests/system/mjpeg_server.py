"""A network camera: Motion JPEG over HTTP, as ``multipart/x-mixed-replace``, which can fall silent and come back."""

import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_BOUNDARY = "frame"


class MjpegServer:
    """Serves JPEGs in turn, each for ``hold_s``, at ``rate_hz``; everybody sees the same moment.

    ``silent`` set, it keeps its connections and sends nothing: a camera that hangs.
    """

    def __init__(self, pictures: Sequence[bytes], address: tuple[str, int], hold_s: float, rate_hz: float = 10) -> None:
        self.silent = threading.Event()
        outer, started_s = self, time.monotonic()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.end_headers()
                while True:
                    while outer.silent.is_set() and not outer.closed:
                        time.sleep(0.05)
                    if outer.closed:
                        return
                    picture = pictures[int((time.monotonic() - started_s) / hold_s) % len(pictures)]
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + picture + b"\r\n")
                    except OSError:  # the viewer went away
                        return
                    time.sleep(1 / rate_hz)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        self.closed = False
        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection and the port."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
