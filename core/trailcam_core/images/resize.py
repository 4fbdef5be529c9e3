"""The resize rule: from an image of any size to the input of a model.

    fit_image      image, InputSpec      -> (spec.height, spec.width, 3) uint8 RGB

``halve_then_bilinear``: average pairs of rows and of columns as often as the picture stays at least as large as the
target, then one bilinear step by a factor of at most two. Plain bilinear from 640x480 to 128 px skips pixels and
aliases; full area averaging costs several times as much. A JPEG decoder can do the same halvings for nothing, see
``decode.read_image``. ``docs/adr/0005-resize-rule.md`` has the measurements.

The bilinear step is OpenCV's bit-exact one. On Arm the ordinary one is another library's, which rounds differently
(https://github.com/kornia/kornia-rs/pull/1005) and has crashed on RGB (https://github.com/opencv/opencv/issues/29794).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.spec import InputSpec

Image = npt.NDArray[np.uint8]  # (H, W, 3) RGB
PADDING_LEVEL = 128  # mid-grey for letterbox bars


@dataclass(frozen=True)
class Geometry:
    """The mapping of one picture size to one input size, all in pixels.

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
    """Plan which part of an image is resized to which part of the input, for any image of at least 1x1 px.

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


def _plan_halvings(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Return the largest numbers of halvings of rows and columns that leave the picture no smaller than the target."""
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
    """Average pairs of rows and pairs of columns repeatedly; the sides are multiples of these powers of 2."""
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
    """Return the mean of two images, halves to even: the result of INTER_AREA for one axis, six times as fast."""
    return _as_levels(cv2.addWeighted(first, 0.5, second, 0.5, 0))


def _as_levels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an array of OpenCV typed as uint8, without a copy."""
    return np.asarray(array, np.uint8)
