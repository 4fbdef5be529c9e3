"""From a picture file or camera frame to what a model takes: the one place where this is done.

Training, calibration, drift checks, benchmarks and the device all call these functions, so a model sees in the field the
pixels it was trained on. Two steps:

    decode_image   file bytes            -> image, (H, W, 3) uint8 RGB, upright
    fit_image      image, InputSpec      -> (spec.height, spec.width, 3) uint8 RGB

The resize rule is ``halve_then_bilinear``: average 2x2 pixels as often as the picture stays at least as large as the
target, then one bilinear step by a factor below two. Plain bilinear from 640x480 to 128 px skips pixels and aliases; full
area averaging costs several times as much. A JPEG decoder can do the same halvings for nothing, see ``read_image``.
``docs/adr/0005-resize-rule.md`` has the measurements.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.errors import SourceError
from trailcam_edge.image_header import ImageHeader, read_image_header
from trailcam_edge.manifest import InputSpec

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_DECODED_PX",
    "MIN_SIDE_PX",
    "PADDING_LEVEL",
    "Geometry",
    "Image",
    "decode_image",
    "fit_image",
    "plan_geometry",
    "read_image",
]

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MIN_SIDE_PX = 16  # below this nobody could say what a picture shows
MAX_DECODED_PX = 64_000_000  # 192 MB as RGB: what a board with 512 MB can bear
PADDING_LEVEL = 128  # mid-grey for letterbox bars
_BACKDROP_LEVEL = 255  # transparent pixels are seen on white, as on a page
_MAX_FILE_BYTES = 256_000_000
_REDUCED_FLAGS = {0: cv2.IMREAD_COLOR, 1: cv2.IMREAD_REDUCED_COLOR_2, 2: cv2.IMREAD_REDUCED_COLOR_4}
_REDUCED_FLAGS[3] = cv2.IMREAD_REDUCED_COLOR_8


@dataclass(frozen=True)
class Geometry:
    """How one picture size goes into one input size, all in pixels.

    The region (``top``, ``left``, ``region_height``, ``region_width``) of the image is halved ``halvings`` times, resized
    to ``height`` x ``width`` and put at (``pad_top``, ``pad_left``) of the input.
    """

    top: int
    left: int
    region_height: int
    region_width: int
    halvings: int
    height: int
    width: int
    pad_top: int
    pad_left: int


def plan_geometry(image_height: int, image_width: int, spec: InputSpec) -> Geometry:
    """Say which part of an image goes where in the input, for any image of at least 1x1 px."""
    top = left = pad_top = pad_left = 0
    region_height, region_width = image_height, image_width
    height, width = spec.height, spec.width
    wider = image_width * spec.height > image_height * spec.width
    if spec.fit == "crop":
        if wider:
            region_width = max(1, round(image_height * spec.width / spec.height))
            left = (image_width - region_width) // 2
        else:
            region_height = max(1, round(image_width * spec.height / spec.width))
            top = (image_height - region_height) // 2
    elif spec.fit == "letterbox":
        if wider:
            height = max(1, round(image_height * spec.width / image_width))
            pad_top = (spec.height - height) // 2
        else:
            width = max(1, round(image_width * spec.height / image_height))
            pad_left = (spec.width - width) // 2
    elif spec.fit != "stretch":
        raise ValueError(f"fit must be crop, letterbox or stretch, got {spec.fit!r}")
    halvings = 0
    while region_height >> halvings + 1 >= height and region_width >> halvings + 1 >= width:
        halvings += 1
    return Geometry(top, left, region_height, region_width, halvings, height, width, pad_top, pad_left)


def fit_image(image: Image, spec: InputSpec) -> Image:
    """Crop or pad, and resize, an image to a model's input.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1x1 px; not changed.
        spec: the bundle's input.

    Returns:
        (spec.height, spec.width, 3) uint8 RGB, C-contiguous; it may share memory with ``image``.

    Raises:
        ValueError: not an array of that shape and dtype.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"image must be (H, W, 3) uint8 RGB, got shape {image.shape} and dtype {image.dtype}")
    plan = plan_geometry(image.shape[0], image.shape[1], spec)
    fitted = image[plan.top : plan.top + plan.region_height, plan.left : plan.left + plan.region_width]
    for _ in range(plan.halvings):
        rows, columns = fitted.shape[0] // 2, fitted.shape[1] // 2
        even = fitted[: 2 * rows, : 2 * columns]
        fitted = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
    if fitted.shape[:2] != (plan.height, plan.width):
        fitted = cv2.resize(fitted, (plan.width, plan.height), interpolation=cv2.INTER_LINEAR)
    if (plan.height, plan.width) != (spec.height, spec.width):
        padded = np.full((spec.height, spec.width, 3), PADDING_LEVEL, np.uint8)
        padded[plan.pad_top : plan.pad_top + plan.height, plan.pad_left : plan.pad_left + plan.width] = fitted
        return padded
    return np.ascontiguousarray(fitted)


def decode_image(data: bytes, source: str, spec: InputSpec | None = None) -> Image:
    """Decode a JPEG, PNG, WebP or BMP file to upright RGB.

    Greyscale and palette are expanded, CMYK converted, 16 bit reduced to 8, transparency put on white, and the EXIF
    orientation applied.

    Args:
        data: the whole file.
        source: what messages call it.
        spec: where given, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as ``fit_image`` with this spec would
            have halved it as often; the decoder then does these halvings in the frequency domain.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous, owned by the caller.

    Raises:
        SourceError: not a picture, damaged or cut off, smaller than 16 px or larger than memory allows.
    """
    try:
        header = read_image_header(data)
    except ValueError as error:
        raise SourceError(f"{source}: cannot be read as a picture: {error}.") from error
    width, height = header.width_px, header.height_px
    if min(width, height) < MIN_SIDE_PX:
        raise SourceError(f"{source}: the picture is {width}x{height} px, expected at least {MIN_SIDE_PX} px a side.")
    halvings = 0 if spec is None or header.format != "JPEG" else min(3, _fewest_halvings(height, width, spec))
    decoded_px = (width * height) >> (0 if header.progressive else 2 * halvings)
    if decoded_px > MAX_DECODED_PX:
        raise SourceError(
            f"{source}: the {header.format} picture is {width:,}x{height:,} px, expected at most "
            f"{MAX_DECODED_PX // 1_000_000} million pixels. Make a smaller copy of it."
        )
    buffer = np.frombuffer(data, np.uint8)
    try:
        decoded = _on_white(buffer, header) if header.alpha else cv2.imdecode(buffer, _REDUCED_FLAGS[halvings])
    except cv2.error as error:
        raise SourceError(f"{source}: the {header.format} picture is damaged ({error.err}).") from error
    if decoded is None:
        raise SourceError(f"{source}: the {header.format} picture is damaged or cut off: its pixels do not decode.")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def read_image(path: Path, spec: InputSpec | None = None) -> Image:
    """Read and decode a picture file; see ``decode_image``.

    Raises:
        SourceError: missing, unreadable, or not a picture that can be used.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _MAX_FILE_BYTES:
            raise SourceError(f"{path}: {size_bytes:,} bytes, expected a picture of at most {_MAX_FILE_BYTES:,} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
    return decode_image(data, str(path), spec)


def _fewest_halvings(height: int, width: int, spec: InputSpec) -> int:
    """Return how often both the picture and its quarter turn are halved (EXIF may ask for a turn)."""
    return min(plan_geometry(height, width, spec).halvings, plan_geometry(width, height, spec).halvings)


def _on_white(buffer: npt.NDArray[np.uint8], header: ImageHeader) -> npt.NDArray[np.uint8] | None:
    """Decode a picture with an alpha channel onto white: (H, W, 3) uint8 BGR, or None if it does not decode."""
    decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        return None
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        alpha = decoded[:, :, 3:].astype(np.float32) / 255
        mixed = decoded[:, :, :3] * alpha + _BACKDROP_LEVEL * (1 - alpha)
        decoded = np.rint(mixed).astype(np.uint8)
    elif decoded.ndim == 2:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_GRAY2BGR)
    return _upright(np.asarray(decoded, np.uint8), header.orientation)


def _upright(image: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Undo an EXIF orientation. Source: Exif 2.32, section 4.6.4."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
