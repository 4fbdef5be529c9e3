"""From changed pixels to regions: opened, joined, freed of shadow, and separated from ghosts, as pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.boxes import Box
from trailcam_edge.regions.background import Comparison, Levels, Mask, median
from trailcam_edge.regions.settings import RegionSettings

_OPENING = np.ones((3, 3), np.uint8)
_REACH = np.ones((5, 5), np.uint8)
_LIMB_PX = 4  # two steps of this reach
_BLOCK_FRACTION = 0.4  # a block counts as changed from here: a storm changes a third of it
_MAX_BLOCKS = 0.8  # an animal does not reach four fifths of the blocks

_TURNED_FRACTION = 0.03  # of a block: the frame is compared at another place if enough blocks changed so much
_TURNED_BLOCKS = 0.6
_TURNED_PX = 1.0  # leaves sway by more in a storm, but each in its own way
_COARSE, _FINE = 4, 2  # how much smaller the compared frames are: at 4, a shift of a pixel is lost in interpolation
_TURNED_GAIN = 0.6  # of the difference that may be left where the frame has moved

_SHADOW_RATIO = (0.25, 1.0)  # of the background's level: darker is no shadow under the open sky
_FLAT = 0.4  # of the highest column
_LONG = 0.15  # of the region's width: a shorter end is a tail
_PART_OF_A_CROP = 0.8  # of a region in the crop of a larger one: both are one animal, or share the crop anyway
_DARK = 0.65  # of the pixels of a column


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


def is_spread(comparison: Comparison, fraction: float = _BLOCK_FRACTION, blocks: float = _MAX_BLOCKS) -> bool:
    """Return whether changes reach nearly all parts of the frame, as when the camera itself is turned.

    Args:
        comparison: the frame beside its background.
        fraction: of a block, from which the block counts.
        blocks: fraction of the blocks that must count.
    """
    if comparison.changed_fraction < fraction * blocks:
        return False  # not even if it were all in these blocks
    return int(np.count_nonzero(comparison.blocks >= fraction)) >= blocks * comparison.blocks.size


def is_turned(comparison: Comparison) -> bool:
    """Return whether the whole frame has moved, so that the background fits again once it is moved as well."""
    if not is_spread(comparison, _TURNED_FRACTION, _TURNED_BLOCKS):
        return False
    # In its own light: a gain fitted to a frame that has moved takes contrast away.
    plain = (comparison.expected - np.float32(comparison.shift)) / np.float32(comparison.gain)
    luma = comparison.luma.astype(np.float32)
    if max(map(abs, _find_shift(plain, luma, _COARSE)[2])) < _TURNED_PX:
        return False  # a storm: most frames end here, at a fraction of the cost
    expected, frame, (x_px, y_px) = _find_shift(plain, luma, _FINE)
    if max(abs(x_px), abs(y_px)) < _TURNED_PX:
        return False
    x, y = x_px * frame.shape[1] / luma.shape[1], y_px * frame.shape[0] / luma.shape[0]
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(expected, shift, frame.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    left, top = math.ceil(abs(x)) + 1, math.ceil(abs(y)) + 1
    inner = (slice(top, frame.shape[0] - top), slice(left, frame.shape[1] - left))  # what both have seen
    before, after = ((frame - levels)[inner].ravel() for levels in (expected, moved))
    if not before.size:
        return False
    return float(np.abs(after - median(after)).mean()) < _TURNED_GAIN * float(np.abs(before - median(before)).mean())


def _find_shift(expected: Levels, frame: Levels, shrink: int) -> tuple[Levels, Levels, tuple[float, float]]:
    """Return both pictures made smaller, and how far (x, y) the second has moved, in pixels of the given ones."""
    rows, columns = frame.shape
    size = (_correlated(columns // shrink), _correlated(rows // shrink))
    small = [np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32) for part in (expected, frame)]
    (x, y), _ = cv2.phaseCorrelate(small[0].copy(), small[1].copy(), _window(size))  # it changes its inputs
    return small[0], small[1], (x * columns / size[0], y * rows / size[1])


@lru_cache(maxsize=8)
def _window(size: tuple[int, int]) -> Levels:
    return np.asarray(cv2.createHanningWindow(size, cv2.CV_32F), np.float32)


@lru_cache(maxsize=8)
def _correlated(side: int) -> int:
    """Return the side of a picture that is compared: even, and a size of the Fourier transform.

    phaseCorrelate pads any other size, and with an odd one its answer is off by half a pixel.
    """
    wanted = max(8, side)
    return next(size for size in range(wanted, 0, -1) if size % 2 == 0 and cv2.getOptimalDFTSize(size) == size)


def find_regions(comparison: Comparison, settings: RegionSettings, shadows: bool = True) -> tuple[Region, ...]:
    """Return the regions of a frame, largest first.

    Args:
        comparison: the frame beside its background.
        settings: smallest region, and how near regions are joined.
        shadows: leave shadows out of the boxes.
    """
    opened = np.asarray(cv2.morphologyEx(comparison.changed, cv2.MORPH_OPEN, _OPENING), np.uint8)
    if not opened.any():
        return ()
    rows, columns = _reached(opened, settings.join_px)  # the rest of the frame takes no time
    joined = opened[rows, columns]
    if settings.join_px:
        reach = settings.join_px // 2 * 2 + 1
        joined = np.asarray(cv2.dilate(joined, np.ones((reach, reach), np.uint8)), np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    smallest = settings.min_fraction * opened.size
    found = []
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in statistics[number])
        if area < smallest:
            continue
        part = labels[top : top + height, left : left + width] == number
        top, left = top + rows.start, left + columns.start
        window = (slice(top, top + height), slice(left, left + width))
        inside = np.asarray(opened[window] & part, np.uint8)
        pixels = int(np.count_nonzero(inside))
        if pixels < smallest:
            continue
        mask = np.zeros_like(opened)
        mask[window] = inside
        limbs, around = _with_limbs(comparison.changed, mask, window)
        kept = _without_shadow(comparison, limbs, around) if shadows else limbs
        box = _box_of(kept, around[1].start, around[0].start, opened.shape)
        found.append(Region(box, mask, pixels, _edge_ratio(comparison, mask)))
    return _join_parts(sorted(found, key=lambda region: -region.pixels), settings.crop_margin, opened.shape)


def _reached(opened: Mask, join_px: int) -> tuple[slice, slice]:
    """Return the rows and columns that hold all changed pixels, with what joining them reaches."""
    x, y, width, height = cv2.boundingRect(opened)
    air = join_px + 1
    return (
        slice(max(0, y - air), min(opened.shape[0], y + height + air)),
        slice(max(0, x - air), min(opened.shape[1], x + width + air)),
    )


def _join_parts(regions: Sequence[Region], crop_margin: float, size: tuple[int, ...]) -> tuple[Region, ...]:
    """Join a region into a larger one whose crop shows it anyway: legs below a body of the background's brightness."""
    joined: list[Region] = []
    for part in regions:
        whole = next((n for n, region in enumerate(joined) if _shows(region.box, part.box, crop_margin, size)), None)
        if whole is None:
            joined.append(part)
        else:
            region = joined[whole]
            mask = np.asarray(region.mask | part.mask, np.uint8)
            box = region.box.union(part.box)
            joined[whole] = replace(region, box=box, mask=mask, pixels=region.pixels + part.pixels)
    return tuple(joined)


def _shows(box: Box, other: Box, crop_margin: float, size: tuple[int, ...]) -> bool:
    """Return True if the square crop of ``box`` shows nearly all of ``other``; ``size``: (height, width) in pixels."""
    side_px = crop_margin * max(box.width * size[1], box.height * size[0])
    width, height = side_px / size[1], side_px / size[0]
    crop = Box(box.centre[0] - width / 2, box.centre[1] - height / 2, width, height)
    return crop.common_area(other) >= _PART_OF_A_CROP * other.area


def _with_limbs(changed: Mask, mask: Mask, window: tuple[slice, slice]) -> tuple[Mask, tuple[slice, slice]]:
    """Return a region with the changed pixels next to it, and where it lies: legs are thinner than the opening."""
    around = tuple(
        slice(max(0, part.start - _LIMB_PX), min(size, part.stop + _LIMB_PX))
        for part, size in zip(window, mask.shape, strict=True)
    )
    grown = mask[around]
    for _ in range(2):
        grown = np.asarray(cv2.dilate(grown, _REACH), np.uint8) & changed[around]
    return np.asarray(grown | mask[around], np.uint8), (around[0], around[1])


def _without_shadow(comparison: Comparison, inside: Mask, window: tuple[slice, slice]) -> Mask:
    """Return a region without the shadow that lies beside it.

    Cut off at both ends: columns that are low beside the highest one and darker than the background throughout. A test
    of the texture under the shadow found less, because texture that sways is not the background's.
    """
    ratio = (comparison.luma[window] + np.float32(1)) / (comparison.expected[window] + np.float32(1))
    darker = inside & ((ratio > _SHADOW_RATIO[0]) & (ratio < _SHADOW_RATIO[1]))
    heights, dark_heights = inside.sum(0, dtype=np.int32), darker.sum(0, dtype=np.int32)
    is_shadow = (heights < _FLAT * heights.max()) & (dark_heights >= _DARK * heights)
    kept = np.flatnonzero(~is_shadow)
    first, last = int(kept[0]), int(kept[-1]) + 1
    width = inside.shape[1]
    first = first if first >= _LONG * width else 0
    last = last if width - last >= _LONG * width else width
    result = np.zeros_like(inside)
    result[:, first:last] = inside[:, first:last]
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
    return np.asarray(
        cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)), np.float32
    )
