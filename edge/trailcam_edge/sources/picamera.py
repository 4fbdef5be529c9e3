"""The Raspberry Pi's own camera, through Picamera2 and libcamera.

Two streams are requested: motion is found in ``lores``, crops and stored pictures are cut from ``main``; both as
YUV420, which the hardware delivers without another pass and which takes half the memory of RGB. Format, size, stride
and colour space are read back, never assumed. A frame holds one of the camera's few buffers until it is returned; its
pixels are converted directly from there, on first use.

Facts about Picamera2 0.3.38 that this relies on: "RGB888" is stored B, G, R (manual, section 4.2.2);
``capture_request(wait=seconds)`` raises ``TimeoutError`` when the camera has stopped; ``flush=True`` reads the key
``ExposureTime``, which not every pipeline reports, so it is not used: frames are taken all the time instead.
"""

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np

from trailcam_core.errors import SourceError
from trailcam_core.images.boxes import Crop
from trailcam_core.images.resize import Image
from trailcam_core.spec import InputSpec
from trailcam_edge.sources.frame import Delivery, Frame
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.picamera_errors import CAMERA_ERRORS, explain_camera
from trailcam_edge.sources.pixels import ColourSpace, KeptPixels, PackedPixels, Pixels, PlanarPixels, Plane
from trailcam_edge.sources.stream_config import StreamConfig

# One waits, one is being classified, one is read by the capture thread, two are in the camera.
_BUFFERS = 5
_PACKED = {"RGB888": "BGR", "BGR888": "RGB", "XRGB8888": "BGRX", "XBGR8888": "RGBX"}
_PLANAR = {"YUV420": "I420", "YVU420": "YV12", "NV12": "NV12", "NV21": "NV21"}
_AF_MODE_MANUAL, _AF_MODE_CONTINUOUS = 0, 2  # libcamera's AfModeEnum
_RETURN_S = 5.0  # for the frame being classified; its memory is freed with the camera
_OLDEST_TIMESTAMP_S = 10.0  # an older timestamp is of another clock
_COLOUR_SPACES = {
    "SMPTE170M": ColourSpace(),
    "sYCC": ColourSpace(full_range=True),
    "Rec709": ColourSpace(kr=0.2126, kb=0.0722),
    "Rec2020": ColourSpace(kr=0.2627, kb=0.0593),
}


@dataclass(frozen=True)
class PiCamera:
    """The parts of Picamera2 and libcamera in use; ``colour_space`` is SMPTE 170M, which OpenCV converts itself."""

    camera: Any
    mapped_array: Callable[..., Any]
    colour_space: Any


def open_picamera2(number: int) -> PiCamera:
    """Import Picamera2, which takes a second, and open its camera ``number``.

    Raises:
        SourceError: Picamera2 cannot be used here, there is no such camera, or it is busy; with the cure.
    """
    try:
        picamera2 = importlib.import_module("picamera2")
        libcamera = importlib.import_module("libcamera")
        camera = picamera2.Picamera2(number)
    except CAMERA_ERRORS as error:
        raise explain_camera(error) from error
    return PiCamera(camera, picamera2.MappedArray, libcamera.ColorSpace.Smpte170m())


class PicameraSource:
    """A camera of Picamera2 as a source.

    Args:
        name: in messages and of frames.
        open_camera: opens it.
        stream: sizes, rate and focus to request.
        orientation: mounting orientation of the camera.
        stall_s: seconds without a frame after which ``frames`` raises.

    Raises:
        SourceError: the camera cannot be opened, configured or started; with the cure.
    """

    delivery: Delivery = "live"

    def __init__(
        self,
        name: str,
        open_camera: Callable[[], PiCamera],
        stream: StreamConfig,
        orientation: Orientation | None = None,
        stall_s: float = 5.0,
    ) -> None:
        self._name = name
        self._stall_s = stall_s
        self._stream = stream
        self._orientation = orientation or UNCHANGED
        self._lent = 0
        self._returned = threading.Condition()
        self._pi = open_camera()
        try:
            self._pi.camera.configure(self._configuration())
            self._streams = self._read_back()
            self._pi.camera.start()
        except CAMERA_ERRORS as error:
            problem: BaseException = error
            try:
                self._pi.camera.close()
            except CAMERA_ERRORS as closing_error:  # Picamera2 opens the DMA heap once more to close the camera
                problem = closing_error
            raise explain_camera(problem) from problem
        except BaseException:
            self._pi.camera.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """Yield frames without an end.

        Raises:
            SourceError: no frame arrived within ``stall_s``, or the camera failed.
        """
        sequence = 0
        while True:
            try:
                request = self._pi.camera.capture_request(wait=self._stall_s)
                exposed_s = _timestamp_s(request.get_metadata(), time.monotonic())
            except CAMERA_ERRORS as error:
                raise explain_camera(error) from error
            small, large = (_MappedPixels(self._pi, request, stream) for stream in self._streams)
            give_back = partial(self._take_back, request)
            with self._returned:
                self._lent += 1
            yield Frame(small, exposed_s, sequence, f"{self._name} #{sequence}", large, give_back)
            sequence += 1

    @property
    def recordable(self) -> tuple[Any, tuple[int, int]] | None:
        """The Picamera2, and width and height of its large stream; None if its frames are turned or cropped here."""
        large = self._streams[1]
        return (self._pi.camera, (large.width, large.height)) if self._orientation.is_unchanged else None

    def _take_back(self, request: Any) -> None:
        with self._returned:
            request.release()
            self._lent -= 1
            self._returned.notify()

    def _configuration(self) -> Any:
        camera, stream = self._pi.camera, self._stream
        controls: dict[str, Any] = {}
        if stream.frame_rate_hz is not None and "FrameDurationLimits" in camera.camera_controls:
            period_us = round(1e6 / stream.frame_rate_hz)
            controls["FrameDurationLimits"] = (period_us, period_us)
        if stream.focus_m is not None:
            if "LensPosition" not in camera.camera_controls:
                raise SourceError(f"{self._name}: has no focus motor, so --focus has no effect. Leave it out.")
            controls |= {"AfMode": _AF_MODE_MANUAL, "LensPosition": 1 / stream.focus_m}  # in dioptres
        elif "AfMode" in camera.camera_controls:
            controls["AfMode"] = _AF_MODE_CONTINUOUS
        small_size_px = tuple(map(min, stream.small_size_px, stream.picture_size_px))
        return camera.create_video_configuration(
            main={"size": stream.picture_size_px, "format": "YUV420"},
            lores={"size": small_size_px, "format": "YUV420"},
            raw=None,  # its buffers would be the largest of all
            colour_space=self._pi.colour_space,
            buffer_count=_BUFFERS,
            controls=controls,
        )

    def _read_back(self) -> tuple["_Stream", "_Stream"]:
        """Return the streams as configured by the camera: the small stream, then the large one."""
        configuration = self._pi.camera.camera_configuration()
        colour_space = _colour_space(configuration.get("colour_space"))
        main = _stream("main", configuration["main"], colour_space, self._orientation)
        lores = configuration.get("lores")
        return (main if lores is None else _stream("lores", lores, colour_space, self._orientation)), main

    def __enter__(self) -> Self:
        """Return the source, whose camera is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all frames are returned, then stop and close the camera.

        Raises:
            SourceError: the camera failed meanwhile; if it was lost before, with the reason of that.
        """
        with self._returned:
            self._returned.wait_for(lambda: self._lent == 0, _RETURN_S)
        try:
            try:
                self._pi.camera.stop()
            finally:
                self._pi.camera.close()
        except CAMERA_ERRORS as closing_error:
            raise explain_camera(closing_error) from closing_error


@dataclass(frozen=True)
class _Stream:
    """One stream as it was read back; ``stride`` is in bytes."""

    name: str
    format: str
    width: int
    height: int
    stride: int
    colour_space: ColourSpace
    orientation: Orientation

    def pixels(self, buffer: Any) -> Pixels:
        """Interpret a one-dimensional uint8 buffer as pixels of the stream, without copying."""
        if self.format in _PLANAR:
            rows = self.height * 3 // 2
            array = buffer[: rows * self.stride].reshape(rows, self.stride)
            return PlanarPixels(array, self.width, _PLANAR[self.format], self.colour_space, self.orientation)
        order = _PACKED[self.format]
        samples = len(order)
        rows = buffer[: self.height * self.stride].reshape(self.height, self.stride)
        packed = rows[:, : self.width * samples].reshape(self.height, self.width, samples)
        return PackedPixels(packed, order, self.orientation)


@dataclass(frozen=True, eq=False)
class _MappedPixels:
    """One stream of a request that the camera has lent."""

    pi: PiCamera
    request: Any
    stream: _Stream

    def image(self) -> Image:
        return self._read(lambda pixels: pixels.image())

    def fitted(self, spec: InputSpec) -> Image:
        return self._read(lambda pixels: pixels.fitted(spec))

    def luma(self) -> Plane:
        with self.pi.mapped_array(self.request, self.stream.name, reshape=False, write=False) as mapped:
            return self.stream.pixels(mapped.array).luma()

    @property
    def size(self) -> tuple[int, int]:
        return self.stream.orientation.upright_size(self.stream.height, self.stream.width)

    def part(self, part: Crop) -> Image:
        return self._read(lambda pixels: pixels.part(part))

    def small(self, side_px: int) -> Image:
        return self._read(lambda pixels: pixels.small(side_px))

    def keep(self) -> KeptPixels:
        with self.pi.mapped_array(self.request, self.stream.name, reshape=False, write=False) as mapped:
            return self.stream.pixels(mapped.array).keep()

    def _read(self, convert: Callable[[Pixels], Image]) -> Image:
        """Return an image of the pixels; one that still is the camera's memory, as RGB can be, is copied."""
        with self.pi.mapped_array(self.request, self.stream.name, reshape=False, write=False) as mapped:
            image = convert(self.stream.pixels(mapped.array))
            return image.copy() if np.shares_memory(image, mapped.array) else image


def _stream(name: str, found: dict[str, Any], colour_space: ColourSpace, orientation: Orientation) -> _Stream:
    if found["format"] not in _PLANAR and found["format"] not in _PACKED:
        known = ", ".join([*_PLANAR, *_PACKED])
        raise SourceError(
            f"the camera gives its {name} stream as {found['format']}, expected one of {known}. If it is a USB camera, "
            'use "--source 0" for it.'
        )
    width, height = found["size"]
    return _Stream(name, found["format"], int(width), int(height), int(found["stride"]), colour_space, orientation)


def _colour_space(found: Any) -> ColourSpace:
    """Return the conversion for a colour space of libcamera; without a statement it is the requested one.

    libcamera writes it as a name, or as "primaries/transfer/encoding/range" where it has none.
    """
    text = "SMPTE170M" if found is None else str(found)
    for name, colour_space in _COLOUR_SPACES.items():
        if name in text and "/" not in text:
            return colour_space
    encoding = _COLOUR_SPACES.get(next((name for name in ("Rec709", "Rec2020") if f"/{name}/" in text), "SMPTE170M"))
    assert encoding is not None  # noqa: S101 - both names are keys of the table
    return ColourSpace(encoding.kr, encoding.kb, full_range=text.rpartition("/")[2].startswith("Full"))


def _timestamp_s(metadata: dict[str, Any], now_s: float) -> float:
    """Return when the frame was exposed, on our monotonic clock, or ``now_s`` if the camera does not report it.

    libcamera's ``SensorTimestamp`` counts nanoseconds since the start of the machine, as our clock does on one that
    never sleeps.
    """
    exposed_s = metadata.get("SensorTimestamp", 0) / 1e9
    return exposed_s if 0 <= now_s - exposed_s <= _OLDEST_TIMESTAMP_S else now_s
