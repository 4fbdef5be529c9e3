"""A network camera for measurements and system tests: Motion JPEG over HTTP, as ``multipart/x-mixed-replace``.

stamped    one picture with the time of its creation as a row of squares, which survives JPEG
in_turn    given JPEG files one after the other, the same for every viewer
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

Frames = Callable[[], Iterator[bytes]]  # JPEG files for one viewer

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
    """Return the time of a stamp, after any JPEG of usable quality."""
    middle = image[_SQUARE_PX // 2, _SQUARE_PX // 2 : _BITS * _SQUARE_PX : _SQUARE_PX]
    bits = middle.reshape(_BITS, -1).mean(axis=1) > 127
    return sum(1 << bit for bit in range(_BITS) if bits[bit]) / _UNITS_PER_S


def stamped(image: npt.NDArray[np.uint8], pictures: int | None = None) -> Frames:
    """Return frames of a (H, W, 3) picture, W at least 640, each stamped; without end if ``pictures`` is None."""

    def frames() -> Iterator[bytes]:
        copy, number = image.copy(), 0
        while pictures is None or number < pictures:
            stamp(copy, time.monotonic())
            yield cv2.imencode(".jpg", copy)[1].tobytes()
            number += 1

    return frames


def in_turn(jpegs: Sequence[bytes], hold_s: float) -> Frames:
    """Return endless frames that change every ``hold_s``; all viewers see the same one."""
    started_s = time.monotonic()

    def frames() -> Iterator[bytes]:
        while True:
            yield jpegs[int((time.monotonic() - started_s) / hold_s) % len(jpegs)]

    return frames


class MjpegServer:
    """Serve frames to any number of viewers, from construction to ``close`` or the end of a ``with`` block.

    While ``silent`` is set it keeps its connections and sends nothing, like a camera that hangs.

    Args:
        frames: called once per viewer; the connection is closed after the last frame.
        rate_hz: frames per second.
        address: port 0 for any free one.
    """

    def __init__(self, frames: Frames, rate_hz: float = 10.0, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.connections = 0
        self.silent = threading.Event()
        self._ending = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.end_headers()
                outer._serve(self, frames(), rate_hz)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Log nothing."""

        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The URL of the stream on this machine."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/video.mjpg"

    def _serve(self, handler: BaseHTTPRequestHandler, frames: Iterator[bytes], rate_hz: float) -> None:
        due_s = time.monotonic()
        for jpeg in frames:
            while self.silent.is_set() and not self._ending.wait(0.05):
                pass
            if self._ending.is_set():
                return
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                handler.wfile.write(head.encode("ascii") + jpeg + b"\r\n")
            except OSError:
                return  # the viewer has disconnected
            due_s += 1 / rate_hz
            self._ending.wait(max(0.0, due_s - time.monotonic()))

    def close(self) -> None:
        """Close every connection and the port."""
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the server, which is running already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection and the port."""
        self.close()
