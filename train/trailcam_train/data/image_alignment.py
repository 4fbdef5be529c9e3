"""How alike two pictures are, whatever their size, colours, crop and watermark: measured on small grey thumbnails.

A thumbnail is turned into its relief: what remains when the slow brightness is taken off and the local contrast is
evened out. Two reliefs are first compared as they are, at 16x16, which is a product of matrices for thousands of
pictures at once, and then aligned by an affine warp and compared at 64x64, pair by pair.

Source of the alignment: Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation coefficient
maximization", PAMI 30 (2008), as ``cv2.findTransformECC``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["COARSE_PX", "Reliefs", "align", "candidates", "coarse_descriptors", "make_relief"]

_Floats = npt.NDArray[np.float32]

COARSE_PX = 16
_FINE_BLUR_PX = 1.0  # takes off JPEG noise
_SLOW_BLUR_PX = 8.0  # what is slower than an eighth of the picture is lighting, not content
_FLOOR_LEVELS = 4.0  # contrast below this is noise and stays weak
_LEAST_OVERLAP = 0.3  # of the picture; a smaller part could match anything
_HALF_STEPS = 8  # copies are near their end after 4; more only makes hopeless pairs dearer
_FINE_STEPS = 20
_BLOCK_VALUES = 8_000_000  # similarities held at a time: 32 MB


@dataclass(frozen=True)
class Reliefs:
    """Reliefs of N pictures at both sizes: ``fine`` (N, 64, 64) and ``half`` (N, 32, 32) float32."""

    fine: _Floats
    half: _Floats


def make_relief(thumbnail: npt.NDArray[np.uint8]) -> _Floats:
    """Return the relief, float32, of a grey thumbnail, uint8, of the same (H, W)."""
    grey = cv2.GaussianBlur(thumbnail.astype(np.float32), (0, 0), _FINE_BLUR_PX)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), _SLOW_BLUR_PX)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _SLOW_BLUR_PX))
    return np.asarray(detail / (contrast + _FLOOR_LEVELS), np.float32)


def coarse_descriptors(fine: _Floats, mirrored: bool) -> _Floats:
    """Return unit vectors (N, 256) float32 of reliefs (N, 64, 64); their products are correlations in -1..1."""
    small = np.stack([cv2.resize(item, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA) for item in fine])
    rows = (small[:, :, ::-1] if mirrored else small).reshape(len(small), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def candidates(
    plain: _Floats, other: _Floats, least: float, most_each: int
) -> Iterator[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.intp], _Floats]]:
    """Find the pairs (i, j), i < j, whose correlation ``plain[i] @ other[j]`` is at least ``least``.

    A picture gives at most ``most_each`` pairs, its best and its first, so that ten thousand frames of one standing
    camera do not make fifty million pairs.

    Yields:
        how many pictures are done, then i, j and correlation, each (P,).
    """
    count = len(plain)
    step = max(16, _BLOCK_VALUES // max(count, 1))
    for start in range(0, count, step):
        stop = min(count, start + step)
        block = plain[start:stop] @ other[start:].T
        first, second = np.nonzero(block >= least)
        later = second > first
        first, second = first[later], second[later]
        found = block[first, second]
        if len(first):
            keep = _best_of_each(first, found, most_each)
            first, second, found = first[keep], second[keep], found[keep]
        yield stop, first + start, second + start, found


def align(first: int, second: int, mirrored: bool, reliefs: Reliefs, hopeless: float) -> tuple[float, float]:
    """Warp the second relief onto the first and compare them where they overlap.

    Args:
        first: position of the one picture.
        second: position of the other.
        mirrored: compare with the mirror image of the second.
        reliefs: of all pictures.
        hopeless: pairs whose correlation at half size stays below this are given up early.

    Returns:
        correlation in -1..1 and the largest skew (sine of turn or shear) that was needed; (0, 0) where they do not
        align.
    """
    half, turned = reliefs.half[first], reliefs.half[second]
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        reached, warp = _ecc(half, turned[:, ::-1] if mirrored else turned, warp, _HALF_STEPS)
        if reached < hopeless:
            return 0.0, 0.0
        fine, turned = reliefs.fine[first], reliefs.fine[second]
        turned = np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
        # From half to full size: x' = 2x + 1/2 between pixel centres.
        warp[:, 2] = 2 * warp[:, 2] + (warp[:, 0] + warp[:, 1] - 1) / 2
        _, warp = _ecc(fine, turned, warp, _FINE_STEPS)
    except cv2.error:  # raised where the iteration leaves the picture: the two do not align
        return 0.0, 0.0
    size = (fine.shape[1], fine.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(turned, warp, size, flags=flags)
    inside = cv2.warpAffine(np.ones_like(turned), warp, size, flags=flags) > 0.99
    if inside.mean() < _LEAST_OVERLAP:
        return 0.0, 0.0
    return _correlation(fine[inside], np.asarray(warped, np.float32)[inside]), float(
        max(abs(warp[0, 1]), abs(warp[1, 0]))
    )


def _best_of_each(first: npt.NDArray[np.intp], found: _Floats, most: int) -> npt.NDArray[np.bool_]:
    """Mark, among pairs sorted by ``first``, the ``most`` - 1 best of each and the one that comes first."""
    order = np.lexsort((-found, first))
    starts = np.searchsorted(first, first)  # first is sorted: where its run begins
    rank = np.empty(len(first), np.intp)
    rank[order] = np.arange(len(first)) - starts
    return np.asarray((rank < most - 1) | (starts == np.arange(len(first))))


def _ecc(fixed: _Floats, moving: _Floats, warp: _Floats, steps: int) -> tuple[float, _Floats]:
    moving = np.ascontiguousarray(moving)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-3)
    # The mask of None means the whole picture; 3 is the width of the Gaussian that steadies the gradients.
    reached, found = cv2.findTransformECC(fixed, moving, warp, cv2.MOTION_AFFINE, until, None, 3)  # type: ignore[call-overload]
    return float(reached), np.asarray(found, np.float32)


def _correlation(first: _Floats, second: _Floats) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float((first @ second) / np.sqrt(max(float((first @ first) * (second @ second)), 1e-12)))
