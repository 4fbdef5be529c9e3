"""From changed pixels to regions: opened, joined, freed of shadow, and told apart from ghosts, as pure functions."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Box
from trailcam_edge.regions.background import Comparison, Levels, Mask
from trailcam_edge.regions.settings import RegionSettings

_OPENING = np.ones((3, 3), np.uint8)
_BLOCKS = (4, 3)  # columns and rows of the test for a change of the whole scene
_BLOCK_FRACTION = 0.15  # a block counts as changed from here
_MAX_BLOCKS = 0.8  # an animal does not reach four fifths of the blocks

_TURNED_FRACTION = 0.01  # of a block: the frame is compared at another place if enough blocks changed so much
_TURNED_BLOCKS = 0.6
_TURNED_PX = 1.5  # less is the wind on the post
_TURNED_GAIN = 0.5  # of the changed pixels that may be left where the frame has moved

_SHADOW_RATIO = (0.25, 2.0)  # darker is no shadow under the open sky, brighter no patch of sun
_SHADOW_SPREAD = 0.05  # of the ratio round its local mean: a shadow darkens neighbours alike
_FLAT = 0.34  # of the highest column
_DARK = 0.8  # of the pixels of a column
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


def is_spread(changed: Mask, fraction: float = _BLOCK_FRACTION, blocks: float = _MAX_BLOCKS) -> bool:
    """Return whether changes reach nearly all parts of the frame, as when the camera itself is turned.

    Args:
        changed: (H, W) uint8, 1 where the frame changed.
        fraction: of a block, from which the block counts.
        blocks: fraction of the blocks that must count.
    """
    fractions = cv2.resize(changed * np.float32(1), _BLOCKS, interpolation=cv2.INTER_AREA)
    return float(np.mean(fractions >= fraction)) >= blocks


def is_turned(comparison: Comparison) -> bool:
    """Return whether the whole frame has moved, so that the background fits again once it is moved as well."""
    if not is_spread(comparison.changed, _TURNED_FRACTION, _TURNED_BLOCKS):
        return False
    half = (max(8, comparison.luma.shape[1] // 2), max(8, comparison.luma.shape[0] // 2))
    frame, expected, limit = (
        cv2.resize(levels.astype(np.float32), half, interpolation=cv2.INTER_AREA)
        for levels in (comparison.luma, comparison.expected, comparison.limit)
    )
    (x, y), _ = cv2.phaseCorrelate(expected, frame, cv2.createHanningWindow(half, cv2.CV_32F))
    if 2 * max(abs(x), abs(y)) < _TURNED_PX:
        return False
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(expected, shift, half, borderValue=-1)
    seen = moved >= 0
    before = np.count_nonzero((np.abs(frame - expected) > limit) & seen)
    after = np.count_nonzero((np.abs(frame - moved) > limit) & seen)
    return bool(after < _TURNED_GAIN * before)


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
    smallest = settings.min_fraction * opened.size
    found = []
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in statistics[number])
        if area < smallest:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        inside = np.asarray(opened[window] & (labels[window] == number), np.uint8)
        pixels = int(np.count_nonzero(inside))
        if pixels < smallest:
            continue
        mask = np.zeros_like(opened)
        mask[window] = inside
        kept = _without_shadow(comparison, inside, window) if shadows else inside
        found.append(Region(_box_of(kept, left, top, opened.shape), mask, pixels, _edge_ratio(comparison, mask)))
    return tuple(sorted(found, key=lambda region: -region.pixels))


def _without_shadow(comparison: Comparison, inside: Mask, window: tuple[slice, slice]) -> Mask:
    """Return the pixels of a region that are neither shadow nor a patch of sun; all of them if hardly any is.

    In shadow the frame is the background times a smooth factor: what is left of the ratio of frame and background
    after its local mean is small. A penumbra is smooth as well, an animal has a pattern that the background has not.
    Then flat dark ends are cut off, because the texture under a shadow may sway.

    Source: J. C. S. Jacques Jr. et al., "Background subtraction and shadow detection in grayscale video sequences",
    SIBGRAPI 2005: the local spread of the ratio of frame and background.
    """
    weights = inside.astype(np.float32)
    ratio = (comparison.luma[window] + np.float32(1)) / (comparison.expected[window] + np.float32(1))
    mean = _masked_mean(ratio, weights, 3)
    spread = np.sqrt(_masked_mean((ratio - mean) ** 2, weights, 5))
    is_shade = (mean > _SHADOW_RATIO[0]) & (mean < _SHADOW_RATIO[1]) & (spread < _SHADOW_SPREAD * mean)
    solid = np.asarray(cv2.morphologyEx(inside & (1 - is_shade.astype(np.uint8)), cv2.MORPH_OPEN, _OPENING), np.uint8)
    if int(np.count_nonzero(solid)) < _MIN_OBJECT * int(np.count_nonzero(inside)):
        solid = inside
    darker = solid & ((ratio > _SHADOW_RATIO[0]) & (ratio < 1))
    return _without_flat_ends(solid, darker)


def _masked_mean(levels: Levels, weights: Levels, side: int) -> Levels:
    """Return the mean of the masked pixels in a window: an outline is no edge."""
    total = cv2.boxFilter(levels * weights, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(weights, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(count, np.float32(1)), np.float32)


def _without_flat_ends(solid: Mask, darker: Mask) -> Mask:
    """Return a region without columns at its two ends that are low beside its highest one, and darker throughout."""
    heights, dark_heights = solid.sum(0, dtype=np.int32), darker.sum(0, dtype=np.int32)
    is_flat = (heights < _FLAT * heights.max()) & (dark_heights >= _DARK * heights)
    kept = np.flatnonzero(~is_flat)
    result = np.zeros_like(solid)
    result[:, kept[0] : kept[-1] + 1] = solid[:, kept[0] : kept[-1] + 1]
    return result


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
