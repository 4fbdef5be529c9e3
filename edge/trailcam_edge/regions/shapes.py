"""From changed pixels to regions: opened, joined, freed of shadow, and told apart from ghosts, as pure functions."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.regions.background import Comparison, Levels, Mask
from trailcam_core.images.boxes import Box
from trailcam_edge.regions.settings import RegionSettings

__all__ = ["Region", "find_regions", "is_spread"]

_OPENING = np.ones((3, 3), np.uint8)
_BLOCKS = (3, 4)  # rows and columns of the test for a change of the whole scene
_BLOCK_FRACTION = 0.15  # a block counts as changed from here
_MAX_BLOCKS = 0.8  # an animal does not reach four fifths of the blocks

_SHADOW_WINDOW = (7, 7)
_SHADOW_RATIO = (0.25, 0.97)  # darker than a quarter is no shadow of the open sky
_LIGHT_RATIO = 1 / 0.5  # a patch of sun is at most this much brighter
_SHADOW_SPREAD = 0.07  # of the ratio within the window: a shadow darkens all of it alike
_MIN_OBJECT = 0.12  # what is no shadow must be this part of a region, or the whole region counts


@dataclass(frozen=True)
class Region:
    """A connected part of the frame that changed.

    ``mask`` is (H, W) uint8, 1 at its changed pixels; ``pixels`` counts them. ``edge_ratio`` is the strength of the
    frame's edges along the outline divided by that of the background's: below 1 at a ghost, where the background
    holds an animal that has left.
    """

    box: Box
    mask: Mask
    pixels: int
    edge_ratio: float


def is_spread(changed: Mask) -> bool:
    """Return whether changes reach nearly all parts of the frame, as when the camera itself is turned."""
    rows, columns = (np.array_split(np.arange(size), parts) for size, parts in zip(changed.shape, _BLOCKS, strict=True))
    fractions = [
        float(changed[np.ix_(high, wide)].mean()) for high in rows for wide in columns if len(high) and len(wide)
    ]
    return bool(fractions) and float(np.mean(np.array(fractions) >= _BLOCK_FRACTION)) >= _MAX_BLOCKS


def find_regions(comparison: Comparison, settings: RegionSettings, shadows: bool = True) -> tuple[Region, ...]:
    """Return the regions of a frame, largest first.

    Args:
        comparison: the frame beside its background.
        settings: smallest region, and how near regions are joined.
        shadows: leave shadows and patches of sun out of the boxes.
    """
    opened = np.asarray(cv2.morphologyEx(comparison.changed, cv2.MORPH_OPEN, _OPENING), np.uint8)
    if not opened.any():
        return ()
    joined = opened
    if settings.join_px:
        reach = settings.join_px // 2 * 2 + 1
        joined = np.asarray(cv2.dilate(opened, np.ones((reach, reach), np.uint8)), np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    object_mask = _opened_object(comparison, opened) if shadows else opened
    found = []
    for number in range(1, count):
        left, top, width, height = (int(value) for value in statistics[number, :4])
        window = (slice(top, top + height), slice(left, left + width))
        inside = (labels[window] == number).astype(np.uint8)
        inside &= opened[window]
        pixels = int(np.count_nonzero(inside))
        if pixels < settings.min_fraction * opened.size:
            continue
        mask = np.zeros_like(opened)
        mask[window] = inside
        solid = inside & object_mask[window]
        kept = solid if int(np.count_nonzero(solid)) >= max(_MIN_OBJECT * pixels, 1) else inside
        found.append(Region(_box_of(kept, left, top, opened.shape), mask, pixels, _edge_ratio(comparison, mask)))
    return tuple(sorted(found, key=lambda region: -region.pixels))


def _opened_object(comparison: Comparison, opened: Mask) -> Mask:
    """Return the changed pixels that are neither shadow nor a patch of sun."""
    solid = opened & (1 - _shadow(comparison))
    return np.asarray(cv2.morphologyEx(solid, cv2.MORPH_OPEN, _OPENING), np.uint8)


def _shadow(comparison: Comparison) -> Mask:
    """Return 1 where the frame is the background times one factor within a window.

    Source: J. C. S. Jacques Jr. et al., "Background subtraction and shadow detection in grayscale video sequences",
    SIBGRAPI 2005: the local spread of the ratio of frame and background.
    """
    ratio = (comparison.luma + np.float32(1)) / (comparison.expected + np.float32(1))
    mean = cv2.boxFilter(ratio, -1, _SHADOW_WINDOW)
    spread = np.sqrt(np.maximum(cv2.boxFilter(ratio * ratio, -1, _SHADOW_WINDOW) - mean * mean, 0))
    is_darker = (mean > _SHADOW_RATIO[0]) & (mean < _SHADOW_RATIO[1])
    is_brighter = (mean > 1 / _SHADOW_RATIO[1]) & (mean < _LIGHT_RATIO)
    return np.asarray((is_darker | is_brighter) & (spread < _SHADOW_SPREAD * mean), np.uint8)


def _box_of(mask: Mask, left: int, top: int, size: tuple[int, ...]) -> Box:
    x, y, width, height = cv2.boundingRect(mask)
    return Box((left + x) / size[1], (top + y) / size[0], width / size[1], height / size[0])


def _edge_ratio(comparison: Comparison, mask: Mask) -> float:
    """Return the edges along the outline of a region: of the frame, divided by those of the background."""
    x, y, width, height = cv2.boundingRect(mask)
    rows = slice(max(0, y - 2), y + height + 2)
    columns = slice(max(0, x - 2), x + width + 2)
    part = mask[rows, columns]
    outline = (cv2.dilate(part, _OPENING) - cv2.erode(part, _OPENING, borderValue=0)).astype(bool)
    frame = _gradient(comparison.luma[rows, columns].astype(np.float32))[outline]
    background = _gradient(comparison.expected[rows, columns])[outline]
    if not frame.size:
        return 1.0
    return float((frame.mean() + 1) / (background.mean() + 1))


def _gradient(levels: npt.NDArray[np.float32]) -> Levels:
    smooth = cv2.blur(levels, (3, 3))
    return np.asarray(np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)), np.float32)
