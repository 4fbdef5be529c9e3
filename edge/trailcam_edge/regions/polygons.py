"""Masks and zones: polygons as fractions of the frame."""

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
Polygon = tuple[Point, ...]

_MAX_POINTS = 200  # more is a traced outline: the check for crossing sides is quadratic
_MIN_AREA = 1e-6  # of the frame


def check_polygon(polygon: Polygon) -> str:
    """Return the defect of a polygon in words, or an empty string.

    Args:
        polygon: (x, y) fractions of the frame, from 0 to 1, in order; the last point is joined to the first one.
    """
    if not 3 <= len(polygon) <= _MAX_POINTS:
        return f"has {len(polygon)} points, expected 3 to {_MAX_POINTS}"
    for number, point in enumerate(polygon, start=1):
        if len(point) != 2 or not all(math.isfinite(value) and 0 <= value <= 1 for value in point):
            values = ", ".join(f"{value:g}" for value in point)
            return f"point {number} is ({values}), expected x and y as fractions of the frame, 0 to 1"
    sides = list(pairwise((*polygon, polygon[0])))
    for first in range(len(sides)):
        for second in range(first + 1, len(sides)):
            if polygon[first] == polygon[second]:
                return f"has points {first + 1} and {second + 1} at the same place; remove one"
            is_neighbour = second == first + 1 or (first == 0 and second == len(sides) - 1)
            if not is_neighbour and _cross(*sides[first], *sides[second]):
                return f"crosses itself: side {first + 1} meets side {second + 1}; put its points in order"
    if abs(_area(polygon)) < _MIN_AREA:
        return "has no area: its points are on one line"
    return ""


def rasterise(
    size: tuple[int, int], ignore: Sequence[Polygon] = (), only: Sequence[Polygon] = ()
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8 with 1 where regions are wanted: inside of ``only``, outside of ``ignore``.

    Args:
        size: H and W.
        ignore: polygons that are left out.
        only: polygons that are kept; none keeps the whole frame.
    """
    mask = np.zeros(size, np.uint8) if only else np.ones(size, np.uint8)
    for polygons, level in ((only, 1), (ignore, 0)):
        for polygon in polygons:
            corners = np.array(polygon) * (size[1], size[0]) - 0.5  # OpenCV counts from the centre of a pixel
            cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], level)
    return mask


def _turn(origin: Point, first: Point, second: Point) -> float:
    return (first[0] - origin[0]) * (second[1] - origin[1]) - (first[1] - origin[1]) * (second[0] - origin[0])


def _cross(start: Point, end: Point, other_start: Point, other_end: Point) -> bool:
    """Return whether two segments share a point, a touch included."""
    turns = (
        _turn(start, end, other_start),
        _turn(start, end, other_end),
        _turn(other_start, other_end, start),
        _turn(other_start, other_end, end),
    )
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    points = (other_start, other_end, start, end)
    segments = ((start, end), (start, end), (other_start, other_end), (other_start, other_end))
    return any(
        turn == 0 and _is_within(point, *segment) for turn, point, segment in zip(turns, points, segments, strict=True)
    )


def _is_within(point: Point, start: Point, end: Point) -> bool:
    return all(min(a, b) <= value <= max(a, b) for value, a, b in zip(point, start, end, strict=True))


def _area(polygon: Polygon) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise((*polygon, polygon[0]))) / 2
