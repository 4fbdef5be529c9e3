"""Clips from the hardware encoder of a Raspberry Pi: Picamera2's H.264 into the ring, instead of JPEG.

The encoder takes the large stream as it is, so a camera that is turned, mirrored or cropped gives JPEG. So does a
Raspberry Pi 5, which has no hardware encoder.

Facts about Picamera2 0.3.38 that this relies on: ``H264Encoder`` is the hardware one where ``get_platform()`` is VC4;
with ``repeat`` every key frame has its parameter sets in front; the timestamp of a frame is in µs after the encoder's
``firsttimestamp``, which is libcamera's SensorTimestamp.
"""

import importlib
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from trailcam_edge.clips.ring import H264, ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.sources import Source
from trailcam_edge.sources.frame import WrappedSource
from trailcam_edge.sources.picamera import PicameraSource
from trailcam_edge.sources.picamera_errors import CAMERA_ERRORS

_log = logging.getLogger(__name__)
_KEY_EVERY = 30  # frames: a clip begins at one of them
_OLDEST_S = 10.0  # an older timestamp is of another clock


class RecordingSource(WrappedSource):
    """A camera whose encoder runs while its frames are read."""

    def __init__(self, inner: Source, camera: Any, encoder: Any) -> None:
        super().__init__(inner)
        self._camera = camera
        self._encoder = encoder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the encoder, then the camera."""
        try:
            self._camera.stop_encoder(self._encoder)
        except CAMERA_ERRORS as failure:
            _log.warning("the encoder of the camera cannot be stopped: %s", failure)
        finally:
            super().__exit__(kind, error, trace)


def record_from(source: Source, settings: ClipSettings, add: Callable[[ClipFrame], None]) -> Source | None:
    """Let the hardware encoder of a source give its frames to ``add``; return None if it has none that can be used.

    Args:
        source: open.
        settings: of clips.
        add: gets each frame, in a thread of the encoder.
    """
    if not isinstance(source, PicameraSource):
        return None
    recordable = source.recordable
    if recordable is None:
        _log.info("clips are made of JPEG, because the camera is turned, mirrored or cropped.")
        return None
    camera, size_px = recordable
    try:
        if importlib.import_module("picamera2.platform").get_platform().name != "VC4":
            return None
        encoders, outputs = importlib.import_module("picamera2.encoders"), importlib.import_module("picamera2.outputs")
        encoder = encoders.H264Encoder(bitrate=1000 * settings.max_kbit_s, repeat=True, iperiod=_KEY_EVERY)
        output = ring_output(outputs.Output, encoder, size_px, add)
        camera.start_encoder(encoder, output, name="main")
    except (AttributeError, *CAMERA_ERRORS) as error:
        _log.warning("clips are made of JPEG, because the encoder of the camera does not start: %s", error)
        return None
    return RecordingSource(source, camera, encoder)


def ring_output(base: Any, encoder: Any, size_px: tuple[int, int], add: Callable[[ClipFrame], None]) -> Any:
    """Return an output of Picamera2 for the ring: its CircularOutput, with times, and without a file.

    Args:
        base: Picamera2's class ``Output``.
        encoder: of the frames.
        size_px: width and height of the stream.
        add: gets each frame.
    """

    class RingOutput(base):  # type: ignore[misc]  # the class exists on a Raspberry Pi only
        """Hands each frame on."""

        def outputframe(self, frame: Any, keyframe: bool = True, timestamp: int | None = None, *_: Any) -> None:
            """Add one frame to the ring; what follows in Picamera2's call is not needed."""
            if frame is not None:
                at_s = _exposed_s(encoder, timestamp, time.monotonic())
                add(ClipFrame(at_s, bytes(frame), size_px, H264, bool(keyframe)))

    return RingOutput()


def _exposed_s(encoder: Any, timestamp_us: int | None, now_s: float) -> float:
    """Return when a frame was exposed, on our monotonic clock, or now if the encoder does not report it."""
    first_us = getattr(encoder, "firsttimestamp", None)
    if first_us is None or timestamp_us is None:
        return now_s
    exposed_s = (first_us + timestamp_us) / 1e6
    return float(exposed_s) if 0 <= now_s - exposed_s <= _OLDEST_S else now_s
