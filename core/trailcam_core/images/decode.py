"""From the bytes of a picture file to an upright RGB image: the only decoder of Trailcam.

Training, calibration, drift checks, benchmarks and the device all call ``decode_image`` and then ``resize.fit_image``,
so a model sees in the field the pixels it was trained on.

    decode_image   file bytes            -> image, (H, W, 3) uint8 RGB, upright
"""

import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import SourceError
from trailcam_core.images.header import ImageHeader, read_image_header
from trailcam_core.images.resize import (
    Image,
    _as_levels,
    plan_geometry,
)
from trailcam_core.spec import InputSpec

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp"})
MIN_SIDE_PX = 16  # a smaller picture shows nothing recognisable
MAX_DECODED_PX = 64_000_000  # 192 MB as RGB: the limit of a board with 512 MB
_BACKDROP_LEVEL = 255  # transparent pixels become white, as on a page
_MAX_FILE_BYTES = 256_000_000
_STRIP_ROWS = 64  # of a picture with transparency at a time, to keep the working memory small
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED_FLAGS = (
    _RGB,
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_2,  # without its colour flag, which would ask for BGR
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_8,
)


def decode_image(data: bytes, source: str, spec: InputSpec | None = None) -> Image:
    """Decode a JPEG, PNG, WebP or BMP file to upright RGB.

    Greyscale and palette are expanded, CMYK converted, 16 bit reduced to 8, transparency put on white (the transparent
    grey level of a greyscale PNG stays grey), and the EXIF orientation applied. Of an animation the first picture
    counts.

    Args:
        data: the whole file.
        source: the name of the file in messages.
        spec: if given, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as ``fit_image`` with this spec
            would have halved it as often; the decoder then does these halvings in the frequency domain.

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
    reduction = _reduction(header, spec)
    if _decoded_bytes(header, reduction) > 3 * MAX_DECODED_PX:
        raise SourceError(
            f"{source}: the {header.format} picture is {width:,}x{height:,} px, more than memory allows; expected at "
            f"most {_most_px(header, reduction) // 1_000_000} million pixels of its kind. Make a smaller copy of it."
        )
    try:
        decoded = _decode_pixels(data, header, reduction)
    except cv2.error as error:
        raise SourceError(f"{source}: the {header.format} picture is damaged ({error.err}).") from error
    if decoded is None:
        raise SourceError(f"{source}: the {header.format} picture is damaged or cut off: its pixels do not decode.")
    return _upright(decoded, header.orientation)


def read_image(path: Path | str, spec: InputSpec | None = None) -> Image:
    """Read and decode a picture file; see ``decode_image``.

    Raises:
        SourceError: missing, unreadable, or not a picture that can be used.
    """
    return decode_image(read_file_bytes(Path(path)), str(path), spec)


def read_file_bytes(path: Path) -> bytes:
    """Read a picture file without decoding it.

    Raises:
        SourceError: missing, unreadable, no plain file, or too large.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path}: a folder, expected a picture file.")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path}: a device or pipe, expected a picture file.")
        if status.st_size > _MAX_FILE_BYTES:
            raise SourceError(
                f"{path}: {status.st_size:,} bytes, expected a picture of at most {_MAX_FILE_BYTES:,} bytes."
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error


def _reduction(header: ImageHeader, spec: InputSpec | None) -> int:
    """Return how often the JPEG decoder may halve: 0 to 3 times, never more than ``fit_image`` would."""
    if spec is None or header.format != "JPEG":
        return 0
    turned = header.orientation >= 5
    height, width = (header.width_px, header.height_px) if turned else (header.height_px, header.width_px)
    plan = plan_geometry(height, width, spec)
    return min(len(_REDUCED_FLAGS) - 1, plan.row_halvings, plan.column_halvings)


def _decoded_bytes(header: ImageHeader, reduction: int) -> int:
    """Return the most memory that decoding takes: the coefficients of a progressive JPEG, and the pixels."""
    pixels = header.width_px * header.height_px
    if header.alpha:
        return pixels * (16 if header.deep else 8)  # OpenCV 5.0 holds them twice
    held = int(2 * header.samples_per_px * pixels) if header.progressive else 0  # coefficients of 16 bits
    return held + 3 * (pixels >> 2 * reduction)


def _most_px(header: ImageHeader, reduction: int) -> int:
    per_px = _decoded_bytes(header, reduction) / (header.width_px * header.height_px)
    return int(3 * MAX_DECODED_PX / per_px)


def _decode_pixels(data: bytes, header: ImageHeader, reduction: int) -> npt.NDArray[np.uint8] | None:
    """Decode as stored, not yet upright: (H, W, 3) uint8 RGB, or None if it does not decode."""
    buffer = np.frombuffer(data, np.uint8)
    if header.alpha:
        decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        return None if decoded is None else _on_white(np.asarray(decoded))
    decoded = cv2.imdecode(buffer, _REDUCED_FLAGS[reduction])
    if decoded is None:
        return None
    # The decoder rounds up; the row and column that halving would leave out are dropped.
    return _as_levels(decoded)[: header.height_px >> reduction, : header.width_px >> reduction]


def _on_white(decoded: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Put a decoded picture, grey (H, W) or BGR (H, W, 3 or 4), uint8 or uint16, on white: (H, W, 3) uint8 RGB.

    Where the picture has transparency, its own memory takes the result: no row of it is longer than before.
    """
    shift = 8 if decoded.dtype == np.uint16 else 0
    height, width = decoded.shape[:2]
    in_place = decoded.ndim == 3 and decoded.shape[2] == 4
    space = decoded.reshape(-1).view(np.uint8)[: 3 * height * width] if in_place else None
    mixed = np.empty((height, width, 3), np.uint8) if space is None else space.reshape(height, width, 3)
    for top in range(0, height, _STRIP_ROWS):
        strip = (decoded[top : top + _STRIP_ROWS] >> shift).astype(np.uint8)
        mixed[top : top + _STRIP_ROWS] = _strip_on_white(strip)
    return mixed


def _strip_on_white(strip: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if strip.ndim == 2:
        return _as_levels(cv2.cvtColor(strip, cv2.COLOR_GRAY2RGB))
    if strip.shape[2] == 3:
        return _as_levels(cv2.cvtColor(strip, cv2.COLOR_BGR2RGB))
    wide = strip.astype(np.uint32)
    alpha = wide[:, :, 3:]
    return ((wide[:, :, 2::-1] * alpha + _BACKDROP_LEVEL * (255 - alpha) + 127) // 255).astype(np.uint8)


def _upright(image: Image, orientation: int) -> Image:
    """Undo an EXIF orientation. Source: Exif 2.32, section 4.6.4."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
