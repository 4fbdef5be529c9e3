"""Mounting orientation of a camera and its region of interest."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Crop
from trailcam_core.records import FieldError, check_ranges

ROTATIONS_DEG = (0, 90, 180, 270)
_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_EPSILON = 1e-9  # rounding of x + width, for configurations with thirds

Roi = tuple[float, float, float, float]  # x, y, width, height as fractions (0..1) of the upright image


@dataclass(frozen=True)
class Orientation:
    """Rotate clockwise by ``rotate_deg``, then mirror left to right if ``flip``, then crop to the region ``roi``.

    Raises:
        FieldError: an angle that is not a quarter turn, or a region that is empty or exceeds the image.
    """

    flip: bool = False
    rotate_deg: int = 0
    roi: Roi | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.rotate_deg not in ROTATIONS_DEG:
            raise FieldError("rotate_deg", f"rotate_deg is {self.rotate_deg}, expected one of 0, 90, 180, 270")
        if self.roi is not None:
            if len(self.roi) != 4 or not all(np.isfinite(share) for share in self.roi):
                raise FieldError("roi", f"roi is {self.roi}, expected x, y, width, height as fractions of the image")
            x, y, width, height = self.roi
            if min(x, y) < 0 or min(width, height) <= 0 or max(x + width, y + height) > 1 + _EPSILON:
                raise FieldError(
                    "roi", f"roi is {self.roi}, expected x, y, width, height from 0 to 1, inside the image"
                )

    @property
    def is_unchanged(self) -> bool:
        """True if images stay as the camera delivers them."""
        return not (self.flip or self.rotate_deg or self.roi)

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of the region in an image as the camera delivers it, at least one each."""
        if self.roi is None:
            return slice(0, height), slice(0, width)
        x, y, wide, high = self.roi
        if self.flip:
            x = 1 - x - wide
        for _ in range(self.rotate_deg // 90):  # undo one clockwise quarter turn
            x, y, wide, high = y, 1 - x - wide, high, wide
        return _span(y, high, height), _span(x, wide, width)

    def crop(self, array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the region of an (H, W) or (H, W, 3) image as the camera delivers it, without copying."""
        if self.roi is None:
            return array
        return array[self.region(array.shape[0], array.shape[1])]

    def upright(self, array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Rotate and mirror an (H, W) or (H, W, 3) image; without a rotation the array itself is returned."""
        if self.rotate_deg == 180 and self.flip:
            return _levels(cv2.flip(array, 0))
        if self.rotate_deg:
            array = _levels(cv2.rotate(array, _ROTATIONS[self.rotate_deg]))
        return _levels(cv2.flip(array, 1)) if self.flip else array

    def upright_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the upright region of an image that the camera delivers as height x width."""
        rows, columns = self.region(height, width)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        return size[::-1] if self.rotate_deg in (90, 270) else size

    def delivered(self, part: Crop, height: int, width: int) -> Crop:
        """Return the place of ``part``, in pixels of the upright region, in the image that the camera delivers."""
        rows, columns = self.region(height, width)
        high, wide = self.upright_size(height, width)
        left, top = part.left, part.top
        if self.flip:
            left = wide - left - part.width
        size = (part.width, part.height)
        for _ in range(self.rotate_deg // 90):  # undo one clockwise quarter turn
            left, top, high, wide = top, wide - left - size[0], wide, high
            size = size[::-1]
        return Crop(columns.start + left, rows.start + top, *size)


UNCHANGED = Orientation()


def _span(start: float, share: float, size: int) -> slice:
    first = min(size - 1, round(start * size))
    return slice(first, max(first + 1, min(size, round((start + share) * size))))


def _levels(array: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(array, np.uint8)
