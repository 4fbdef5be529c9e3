"""Boxes as fractions of the frame, and the square crop that the classifier gets."""

from dataclasses import dataclass
from math import hypot, isfinite

_ROUNDING = 0.05  # of other programs, beyond the border of the picture


@dataclass(frozen=True)
class Box:
    """A rectangle as fractions (0 to 1) of the upright frame; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Fraction of the frame."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (x, y) fractions."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def longer_side(self) -> float:
        """Longer side, as a fraction of the frame's own side in that direction."""
        return max(self.width, self.height)

    def common_area(self, other: "Box") -> float:
        """Return the area that both boxes cover, as a fraction of the frame."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0.0, width) * max(0.0, height)

    def union(self, other: "Box") -> "Box":
        """Return the smallest box around both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right, bottom = (
            max(self.x + self.width, other.x + other.width),
            max(self.y + self.height, other.y + other.height),
        )
        return Box(x, y, right - x, bottom - y)

    def overlap(self, other: "Box") -> float:
        """Return the common area as a fraction (0 to 1) of the smaller box."""
        smaller = min(self.area, other.area)
        return self.common_area(other) / smaller if smaller > 0 else 0.0

    def distance(self, other: "Box") -> float:
        """Return the distance of the centres, as a fraction of the frame."""
        (x, y), (other_x, other_y) = self.centre, other.centre
        return hypot(x - other_x, y - other_y)


@dataclass(frozen=True)
class Crop:
    """A rectangle in whole pixels of a picture; ``left`` and ``top`` are its first column and row."""

    left: int
    top: int
    width: int
    height: int


def fraction_box(x: float, y: float, width: float, height: float) -> Box:
    """Return a box of another program, cut at the border of the picture.

    Raises:
        ValueError: a number is not finite, the box is empty, or it lies outside of the picture by more than rounding,
            as one in pixels does.
    """
    numbers = (x, y, width, height)
    right, bottom = x + width, y + height
    if not all(map(isfinite, numbers)) or min(x, y) < -_ROUNDING or max(right, bottom) > 1 + _ROUNDING:
        raise ValueError(f"the box {numbers} is outside of 0 to 1: expected x, y, width and height as fractions")
    left, top = max(x, 0.0), max(y, 0.0)
    if left > x or right > 1:
        width = min(right, 1.0) - left
    if top > y or bottom > 1:
        height = min(bottom, 1.0) - top
    if not (width > 0 and height > 0):
        raise ValueError(f"the box {numbers} is empty: expected x, y, width and height as fractions")
    return Box(left, top, width, height)


def square_crop(box: Box, picture_size: tuple[int, int], margin: float, min_side_px: int) -> Crop:
    """Return the square round a box: ``margin`` times its longer side in pixels, moved to lie inside of the picture.

    It is a square wherever one of that side fits into the picture, and the largest square of the picture otherwise. A
    box that is longer than that square is cut at both ends alike, never squeezed.

    Args:
        box: the region.
        picture_size: height and width of the picture in pixels, at least 1.
        margin: side of the crop in longer sides of the box.
        min_side_px: smallest side.
    """
    height, width = picture_size
    longer_px = max(box.width * width, box.height * height)
    side = min(max(round(margin * longer_px), min_side_px, 1), height, width)
    centre_x, centre_y = box.centre
    left = min(max(round(centre_x * width - side / 2), 0), width - side)
    top = min(max(round(centre_y * height - side / 2), 0), height - side)
    return Crop(left, top, side, side)
