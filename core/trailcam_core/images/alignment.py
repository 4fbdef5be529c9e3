"""Similarity of two images despite another size, colour, crop or watermark, measured on small grey thumbnails.

A thumbnail is normalised: its low frequencies are removed and its local contrast is equalised. Normalised thumbnails
are first compared as they are, at 16x16, by one matrix product for thousands of images. Candidate pairs are then
aligned by an affine warp and compared at 64x64.

Source of the alignment: Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation coefficient
maximization", PAMI 30 (2008), as ``cv2.findTransformECC``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import Image, fit_image
from trailcam_core.spec import InputSpec

_Floats = npt.NDArray[np.float32]
_Indices = npt.NDArray[np.intp]

THUMBNAIL_PX = 64
THUMBNAIL = InputSpec(THUMBNAIL_PX, THUMBNAIL_PX, "stretch")
_COARSE_PX = 16
_FINE_BLUR_PX = 1.0  # removes JPEG noise
_SLOW_BLUR_PX = 8.0  # what is slower than an eighth of the picture is lighting, not content
_FLOOR_LEVELS = 4.0  # contrast below this is noise and stays weak
_MIN_OVERLAP = 0.3  # of the picture; a smaller part could match anything
_HALF_STEPS = 8  # copies are near their optimum after 4; more steps only slow down pairs that do not match
_FINE_STEPS = 20
_BLOCK_VALUES = 8_000_000  # similarities held at a time: 32 MB


@dataclass(frozen=True)
class NormalisedThumbnail:
    """A normalised thumbnail at two sizes: ``fine`` (64, 64) and ``half`` (32, 32) float32."""

    fine: _Floats
    half: _Floats


def make_thumbnail(image: Image) -> npt.NDArray[np.uint8]:
    """Return the (64, 64) grey uint8 thumbnail of an (H, W, 3) uint8 RGB image, stretched to a square."""
    return np.asarray(cv2.cvtColor(fit_image(image, THUMBNAIL), cv2.COLOR_RGB2GRAY), np.uint8)


def normalise_thumbnail(thumbnail: npt.NDArray[np.uint8]) -> NormalisedThumbnail:
    """Normalise a (64, 64) grey uint8 thumbnail."""
    grey = cv2.GaussianBlur(thumbnail.astype(np.float32), (0, 0), _FINE_BLUR_PX)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), _SLOW_BLUR_PX)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _SLOW_BLUR_PX))
    fine = np.asarray(detail / (contrast + _FLOOR_LEVELS), np.float32)
    half = cv2.resize(fine, (THUMBNAIL_PX // 2, THUMBNAIL_PX // 2), interpolation=cv2.INTER_AREA)
    return NormalisedThumbnail(fine, np.asarray(half, np.float32))


def thumbnail_embeddings(fine: _Floats, mirrored: bool = False) -> _Floats:
    """Return unit vectors (N, 256) float32 of normalised thumbnails (N, 64, 64); their products are correlations."""
    small = np.stack([cv2.resize(item, (_COARSE_PX, _COARSE_PX), interpolation=cv2.INTER_AREA) for item in fine])
    rows = (small[:, :, ::-1] if mirrored else small).reshape(len(small), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def candidate_pairs(
    plain: _Floats, other: _Floats, min_correlation: float, max_per_picture: int
) -> Iterator[tuple[int, _Indices, _Indices, _Floats]]:
    """Yield the pairs (i, j), i < j, whose correlation ``plain[i] @ other[j]`` is at least ``min_correlation``.

    A picture gives at most ``max_per_picture`` pairs, its best and its first: ten thousand frames of one camera would
    otherwise make fifty million pairs.

    Yields:
        number of pictures done, then i, j and correlation, each (P,).
    """
    count = len(plain)
    step = max(16, _BLOCK_VALUES // max(count, 1))
    for start in range(0, count, step):
        stop = min(count, start + step)
        block = plain[start:stop] @ other[start:].T
        first, second = np.nonzero(block >= min_correlation)
        later = second > first
        first, second = first[later], second[later]
        found = block[first, second]
        if len(first):
            keep = _best_of_each(first, found, max_per_picture)
            first, second, found = first[keep], second[keep], found[keep]
        yield stop, first + start, second + start, found


def align(
    fixed: NormalisedThumbnail, moving: NormalisedThumbnail, mirrored: bool, min_half_correlation: float
) -> tuple[float, float]:
    """Warp the second thumbnail onto the first and compare them where they overlap.

    Args:
        fixed: the first thumbnail.
        moving: the second.
        mirrored: compare with the mirror image of the second.
        min_half_correlation: stop early if the correlation at half size stays below this.

    Returns:
        correlation in -1..1 and the largest skew (sine of rotation or shear) of the warp; (0, 0) if they do not align.
    """
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        reached, warp = _ecc(fixed.half, moving.half[:, ::-1] if mirrored else moving.half, warp, _HALF_STEPS)
        if reached < min_half_correlation:
            return 0.0, 0.0
        turned = np.ascontiguousarray(moving.fine[:, ::-1] if mirrored else moving.fine)
        # From half to full size: x' = 2x + 1/2 between pixel centres.
        warp[:, 2] = 2 * warp[:, 2] + (warp[:, 0] + warp[:, 1] - 1) / 2
        _, warp = _ecc(fixed.fine, turned, warp, _FINE_STEPS)
    except cv2.error:  # raised if the iteration leaves the picture: the two do not align
        return 0.0, 0.0
    size = (fixed.fine.shape[1], fixed.fine.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(turned, warp, size, flags=flags)
    inside = cv2.warpAffine(np.ones_like(turned), warp, size, flags=flags) > 0.99
    if inside.mean() < _MIN_OVERLAP:
        return 0.0, 0.0
    skew = float(max(abs(warp[0, 1]), abs(warp[1, 0])))
    return _correlation(fixed.fine[inside], np.asarray(warped, np.float32)[inside]), skew


def _best_of_each(first: _Indices, found: _Floats, most: int) -> npt.NDArray[np.bool_]:
    """Mark, among pairs sorted by ``first``, the ``most`` - 1 best of each and the one that comes first."""
    order = np.lexsort((-found, first))
    starts = np.searchsorted(first, first)  # first is sorted: where its run begins
    rank = np.empty(len(first), np.intp)
    rank[order] = np.arange(len(first)) - starts
    return np.asarray((rank < most - 1) | (starts == np.arange(len(first))))


def _ecc(fixed: _Floats, moving: _Floats, warp: _Floats, steps: int) -> tuple[float, _Floats]:
    moving = np.ascontiguousarray(moving)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-3)
    # The mask of None means the whole picture; 3 is the width of the Gaussian that smooths the gradients.
    reached, found = cv2.findTransformECC(fixed, moving, warp, cv2.MOTION_AFFINE, until, None, 3)  # type: ignore[call-overload]
    return float(reached), np.asarray(found, np.float32)


def _correlation(first: _Floats, second: _Floats) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float((first @ second) / np.sqrt(max(float((first @ first) * (second @ second)), 1e-12)))
