"""A network camera for measurements: MJPEG over HTTP at a fixed pace, each picture stamped with the time it was made.

The stamp is a row of black and white squares, so it survives JPEG, and whoever reads it knows how old the picture is
whatever was queued on the way.
"""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["MjpegServer", "read_stamp_s", "stamp"]

_BITS = 40  # of tenths of a millisecond: three years
_UNITS_PER_S = 10_000
_SQUARE_PX = 16  # the size of a JPEG macroblock
_BOUNDARY = "frame"


def stamp(image: npt.NDArray[np.uint8], time_s: float) -> None:
    """Write ``time_s`` (monotonic seconds) into the top left corner of a picture of at least 640x16 px."""
    units = round(time_s * _UNITS_PER_S)
    for bit in range(_BITS):
        image[:_SQUARE_PX, bit * _SQUARE_PX : (bit + 1) * _SQUARE_PX] = 255 * (units >> bit & 1)


def read_stamp_s(image: npt.NDArray[np.uint8]) -> float:
    """Read what ``stamp`` wrote, after any JPEG of usable quality."""
    middle = image[_SQUARE_PX // 2, _SQUARE_PX // 2 : _BITS * _SQUARE_PX : _SQUARE_PX]
    bits = middle.reshape(_BITS, -1).mean(axis=1) > 127
    return sum(1 << bit for bit in range(_BITS) if bits[bit]) / _UNITS_PER_S


class MjpegServer:
    """Serves ``image`` on a free port of this machine, stamped, ``rate_hz`` times a second, to any number of clients.

    Args:
        image: (H, W, 3) uint8, at least 640 px wide.
        rate_hz: pictures a second.
        pictures: how many until the connection is closed; None is for ever.
    """

    def __init__(self, image: npt.NDArray[np.uint8], rate_hz: float, pictures: int | None = None) -> None:
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.end_headers()
                outer._serve(self, image.copy(), rate_hz, pictures)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Keep the terminal clean."""

        self._ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/video.mjpg"

    def _serve(
        self, handler: BaseHTTPRequestHandler, image: npt.NDArray[np.uint8], rate_hz: float, pictures: int | None
    ) -> None:
        due_s = time.monotonic()
        number = 0
        while not self._ending.is_set() and (pictures is None or number < pictures):
            stamp(image, time.monotonic())
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                handler.wfile.write(head.encode("ascii") + jpeg + b"\r\n")
            except OSError:
                return  # the client went away
            number += 1
            due_s += 1 / rate_hz
            self._ending.wait(max(0.0, due_s - time.monotonic()))

    def close(self) -> None:
        """End every connection."""
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """It serves already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection."""
        self.close()
