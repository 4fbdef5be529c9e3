"""Cameras that OpenCV reads: USB and other V4L2 devices, RTSP and MJPEG over the network.

``cv2.VideoCapture`` queues frames and returns the oldest first, so a thread must read them continuously, as
``trailcam_edge.camera.capture_thread`` does.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2

from trailcam_core.errors import SourceError
from trailcam_core.network.secrets import encoding_hint, is_cut_short, mask_address
from trailcam_edge.sources.frame import Delivery, Frame
from trailcam_edge.sources.opencv_capture import BufferPool, OpenCapture, open_ffmpeg, open_v4l2
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.sources.v4l2 import explain_device

# While FFmpeg probes a stream it collects frames; they are returned first and are old by then.
_BACKLOG_S = 2.0
_LIKELY_RATE_HZ = 25.0
_MOST_DAMAGED = 25  # images in a row that do not decode, and seconds with nothing else
_DAMAGE_S = 3.0


class CaptureSource:
    """An open ``cv2.VideoCapture``, or an object with its methods, as a source.

    Args:
        name: in messages and of frames.
        open_capture: returns a capture, which may not be open.
        cannot_open: returns the error for a capture that is not open.
        orientation: mounting orientation of the camera.
        skip_backlog: discard the frames that were collected before reading began.

    Raises:
        SourceError: it cannot be opened.
    """

    delivery: Delivery = "live"

    def __init__(
        self,
        name: str,
        open_capture: OpenCapture,
        cannot_open: Callable[[], SourceError],
        orientation: Orientation | None = None,
        skip_backlog: bool = False,
    ) -> None:
        self._name = name
        self._orientation = orientation or UNCHANGED
        self._capture: Any = open_capture()
        if not self._capture.isOpened():
            self._capture.release()
            raise cannot_open()
        self._skip_backlog = skip_backlog

    def frames(self) -> Iterator[Frame]:
        """Yield frames without an end.

        Raises:
            SourceError: no frame arrived within the time limit, or the camera closed the stream.
        """
        pool = BufferPool()
        sequence = arrived = 0
        backlog = _Backlog(self._capture.get(cv2.CAP_PROP_FPS)) if self._skip_backlog else None
        while True:
            asked_s = time.monotonic()
            taken = self._grab()  # waits; the array of the frame before comes back meanwhile
            arrived_s = time.monotonic()
            if taken and backlog is not None and backlog.holds(asked_s, arrived_s):
                arrived += 1
                continue
            decoded: Any = None
            if taken:
                backlog = None
                taken, decoded = self._capture.retrieve(pool.take())
            if not taken and arrived == 1 and self._skip_backlog:
                raise SourceError(
                    f"{self._name}: delivered one image and ended, so it is the address of single images, not of a "
                    "stream. Name the stream of the camera, an rtsp:// address or one of Motion JPEG."
                )
            if not taken:
                raise SourceError(
                    f"{self._name}: no image arrived after frame {sequence}; the camera stopped, was unplugged, or the "
                    "network is down."
                )
            arrived += 1
            pixels = PackedPixels(decoded, "BGR", self._orientation)
            name = f"{self._name} #{sequence}"
            yield Frame(pixels, arrived_s, sequence, name, give_back=partial(pool.give_back, decoded))
            sequence += 1

    def _grab(self) -> bool:
        """Grab an image; pass over those of a network stream that do not decode, which OpenCV reports like its end."""
        until_s = time.monotonic() + _DAMAGE_S
        for _ in range(_MOST_DAMAGED if self._skip_backlog else 1):
            if self._capture.grab():
                return True
            if time.monotonic() > until_s:  # no image came at all
                break
        return False

    def __enter__(self) -> Self:
        """Return the source, whose capture is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the capture."""
        self._capture.release()


class _Backlog:
    """Detect frames that had been waiting: they are available at once.

    On a busy machine one frame in ten is slow to read, so the backlog ends with two slow frames in a row.
    """

    def __init__(self, rate_hz: float) -> None:
        self._wait_s = 0.5 / (rate_hz if 1 <= rate_hz <= 240 else _LIKELY_RATE_HZ)
        self._until_s = time.monotonic() + _BACKLOG_S
        self._waited = 0

    def holds(self, asked_s: float, arrived_s: float) -> bool:
        self._waited = self._waited + 1 if arrived_s - asked_s >= self._wait_s else 0
        return self._waited < 2 and arrived_s < self._until_s


def usb_source(
    index: int, size_px: tuple[int, int], frame_rate_hz: float | None, orientation: Orientation | None = None
) -> CaptureSource:
    """Open the V4L2 camera /dev/video``index``.

    Args:
        index: number of the device.
        size_px: width and height to ask for; the camera takes the nearest that it has, so frames may have another size.
        frame_rate_hz: frame rate to ask for; None leaves it to the camera.
        orientation: mounting orientation of the camera.

    Raises:
        SourceError: there is no such camera, it is busy, forbidden, or delivers no images.
    """
    width, height = size_px
    settings = [cv2.CAP_PROP_FRAME_WIDTH, width, cv2.CAP_PROP_FRAME_HEIGHT, height]
    if frame_rate_hz is not None:
        settings += [cv2.CAP_PROP_FPS, round(frame_rate_hz)]
    device = f"/dev/video{index}"
    if not Path(device).exists():
        raise explain_device(device)
    return CaptureSource(device, partial(open_v4l2, index, settings), partial(explain_device, device), orientation)


def network_source(address: str, orientation: Orientation | None = None) -> CaptureSource:
    """Open an RTSP or HTTP address.

    Raises:
        SourceError: no answer, or not a video stream.
    """
    shown = mask_address(address)
    if is_cut_short(address):
        raise SourceError(f"{shown}: the user or password contains / ? or #, which ends it.{encoding_hint(address)}")

    def cannot_open() -> SourceError:
        return SourceError(
            f"{shown}: cannot be opened as a stream within 5 s. Check address, user and password, and that the camera "
            f'is on: "ffprobe {shown}" prints details.{encoding_hint(address)}'
        )

    return CaptureSource(shown, partial(open_ffmpeg, address, threads=1), cannot_open, orientation, skip_backlog=True)
