"""From a picture file or camera frame to what a model takes: the one place where this is done.

Training, calibration, drift checks, benchmarks and the device all call these functions, so a model sees in the field
the pixels it was trained on. Two steps:

    decode_image   file bytes            -> image, (H, W, 3) uint8 RGB, upright
    fit_image      image, InputSpec      -> (spec.height, spec.width, 3) uint8 RGB

The resize rule is ``halve_then_bilinear``: average pairs of rows and of columns as often as the picture stays at least
as large as the target, then one bilinear step by a factor of at most two. Plain bilinear from 640x480 to 128 px skips
pixels and aliases; full area averaging costs several times as much. A JPEG decoder can do the same halvings for
nothing, see ``read_image``. ``docs/adr/0005-resize-rule.md`` has the measurements.

The bilinear step is OpenCV's bit-exact one. The ordinary one is handed to other libraries on Arm, which round otherwise
(https://github.com/kornia/kornia-rs/pull/1005) and have crashed on RGB (https://github.com/opencv/opencv/issues/29794).
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_STRIP_ROWS = 256  # of a picture with transparency at a time, to keep the working memory small
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED_FLAGS = (
    _RGB,
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_2,  # without its colour flag, which would ask for BGR
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    _RGB | cv2.IMREAD_REDUCED_GRAYSCALE_8,
)


@dataclass(frozen=True)
class Geometry:
    """How one picture size goes into one input size, all in pixels.

    The region (``top``, ``left``, ``region_height``, ``region_width``) of the image has its rows halved
    ``row_halvings`` times and its columns ``column_halvings`` times, is resized to ``height`` x ``width`` and put at
    (``pad_top``, ``pad_left``) of the input.
    """

    top: int
    left: int
    region_height: int
    region_width: int
    row_halvings: int
    column_halvings: int
    height: int
    width: int
    pad_top: int
    pad_left: int


def plan_geometry(image_height: int, image_width: int, spec: InputSpec) -> Geometry:
    """Say which part of an image goes where in the input, for any image of at least 1x1 px.

    The plan is made for the image as it is after halving, and the region traced back from there. So an image that a
    decoder has halved already, its last odd row and column left out, gives the same region.
    """
    row_halvings, column_halvings = _plan_halvings(image_height, image_width, spec)
    rows, columns = image_height >> row_halvings, image_width >> column_halvings
    region_rows, region_columns = rows, columns
    height, width = spec.height, spec.width
    wider = columns * spec.height > rows * spec.width
    if spec.fit == "crop" and wider:
        region_columns = max(1, round(rows * spec.width / spec.height))
    elif spec.fit == "crop":
        region_rows = max(1, round(columns * spec.height / spec.width))
    elif spec.fit == "letterbox" and wider:
        height = max(1, round(rows * spec.width / columns))
    elif spec.fit == "letterbox":
        width = max(1, round(columns * spec.height / rows))
    return Geometry(
        top=(rows - region_rows) // 2 << row_halvings,
        left=(columns - region_columns) // 2 << column_halvings,
        region_height=region_rows << row_halvings,
        region_width=region_columns << column_halvings,
        row_halvings=row_halvings,
        column_halvings=column_halvings,
        height=height,
        width=width,
        pad_top=(spec.height - height) // 2,
        pad_left=(spec.width - width) // 2,
    )


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
    fitted = _halve(fitted, plan.row_halvings, plan.column_halvings)
    if fitted.shape[:2] != (plan.height, plan.width):
        fitted = _as_levels(cv2.resize(fitted, (plan.width, plan.height), interpolation=cv2.INTER_LINEAR_EXACT))
    if (plan.height, plan.width) != (spec.height, spec.width):
        padded = np.full((spec.height, spec.width, 3), PADDING_LEVEL, np.uint8)
        padded[plan.pad_top : plan.pad_top + plan.height, plan.pad_left : plan.pad_left + plan.width] = fitted
        return padded
    return np.ascontiguousarray(fitted)


def decode_image(data: bytes, source: str, spec: InputSpec | None = None) -> Image:
    """Decode a JPEG, PNG, WebP or BMP file to upright RGB.

    Greyscale and palette are expanded, CMYK converted, 16 bit reduced to 8, transparency put on white (the transparent
    grey level of a greyscale PNG stays grey), and the EXIF orientation applied. Of an animation the first picture
    counts.

    Args:
        data: the whole file.
        source: what messages call it.
        spec: where given, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as ``fit_image`` with this spec
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
            f"most {MAX_DECODED_PX // 1_000_000} million pixels. Make a smaller copy of it."
        )
    try:
        decoded = _decode_pixels(data, header, reduction)
    except cv2.error as error:
        raise SourceError(f"{source}: the {header.format} picture is damaged ({error.err}).") from error
    if decoded is None:
        raise SourceError(f"{source}: the {header.format} picture is damaged or cut off: its pixels do not decode.")
    return _upright(decoded, header.orientation)


def read_image(path: Path, spec: InputSpec | None = None) -> Image:
    """Read and decode a picture file; see ``decode_image``.

    Raises:
        SourceError: missing, unreadable, or not a picture that can be used.
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
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
    return decode_image(data, str(path), spec)


def _plan_halvings(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Return how often rows and columns are halved: as often as the picture stays at least as large as the target."""
    rows, columns = _halvings(height, spec.height), _halvings(width, spec.width)
    if spec.fit == "stretch":
        return rows, columns
    if spec.fit == "crop":
        both = min(rows, columns)  # the shorter side fills the input
    elif spec.fit == "letterbox":
        both = max(rows, columns)  # the longer side does
    else:
        raise ValueError(f"fit must be crop, letterbox or stretch, got {spec.fit!r}")
    return min(both, height.bit_length() - 1), min(both, width.bit_length() - 1)  # at least one pixel is left


def _halvings(size: int, target: int) -> int:
    count = 0
    while size >> count + 1 >= target:
        count += 1
    return count


def _halve(image: Image, row_halvings: int, column_halvings: int) -> Image:
    """Average pairs of rows and pairs of columns, each so many times; the sides are multiples of these powers of 2."""
    for step in range(max(row_halvings, column_halvings)):
        height, width = image.shape[:2]
        if step < row_halvings and step < column_halvings:
            image = _as_levels(cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
        elif step < row_halvings:
            pairs = image.reshape(height // 2, 2 * width, 3)
            image = _mean(pairs[:, :width], pairs[:, width:])
        else:
            left, right = np.empty((2, height, width // 2, 3), np.uint8)
            cv2.mixChannels([image.reshape(height, width // 2, 6)], [left, right], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
            image = _mean(left, right)
    return image


def _mean(first: Image, second: Image) -> Image:
    """Return the mean of two images, halves to even: what INTER_AREA gives for one axis, six times as fast."""
    return _as_levels(cv2.addWeighted(first, 0.5, second, 0.5, 0))


def _reduction(header: ImageHeader, spec: InputSpec | None) -> int:
    """Return how often the JPEG decoder may halve: 0 to 3 times, never more than ``fit_image`` would."""
    if spec is None or header.format != "JPEG":
        return 0
    turned = header.orientation >= 5
    height, width = (header.width_px, header.height_px) if turned else (header.height_px, header.width_px)
    plan = plan_geometry(height, width, spec)
    return min(len(_REDUCED_FLAGS) - 1, plan.row_halvings, plan.column_halvings)


def _decoded_bytes(header: ImageHeader, reduction: int) -> int:
    pixels = header.width_px * header.height_px
    if header.alpha:
        return pixels * (8 if header.deep else 4)
    return 3 * (pixels if header.progressive else pixels >> 2 * reduction)


def _decode_pixels(data: bytes, header: ImageHeader, reduction: int) -> npt.NDArray[np.uint8] | None:
    """Decode as stored, not yet upright: (H, W, 3) uint8 RGB, or None if it does not decode."""
    buffer = np.frombuffer(data, np.uint8)
    if header.alpha:
        decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        return None if decoded is None else _on_white(np.asarray(decoded))
    decoded = cv2.imdecode(buffer, _REDUCED_FLAGS[reduction])
    if decoded is None:
        return None
    # The decoder rounds up; what halving would leave out goes.
    return _as_levels(decoded)[: header.height_px >> reduction, : header.width_px >> reduction]


def _on_white(decoded: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Put a decoded picture, grey (H, W) or BGR (H, W, 3 or 4), uint8 or uint16, on white: (H, W, 3) uint8 RGB."""
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    if decoded.ndim == 2:
        return _as_levels(cv2.cvtColor(decoded, cv2.COLOR_GRAY2RGB))
    mixed = np.ascontiguousarray(decoded[:, :, :3])
    if decoded.shape[2] == 4:
        for top in range(0, len(decoded), _STRIP_ROWS):
            strip = decoded[top : top + _STRIP_ROWS].astype(np.uint32)
            alpha = strip[:, :, 3:]
            mixed[top : top + _STRIP_ROWS] = (strip[:, :, :3] * alpha + _BACKDROP_LEVEL * (255 - alpha) + 127) // 255
    return _as_levels(cv2.cvtColor(mixed, cv2.COLOR_BGR2RGB))


def _upright(image: Image, orientation: int) -> Image:
    """Undo an EXIF orientation. Source: Exif 2.32, section 4.6.4."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _as_levels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Say that an array of OpenCV's holds uint8; nothing is copied."""
    return np.asarray(array, np.uint8)
