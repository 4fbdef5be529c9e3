"""Cut an animal out of a photograph, and refuse masks that are not an animal.

A photograph of a data set shows the animal near its middle and nearly as large as the picture. GrabCut starts from that
guess, or from a hint such as the energy of a network's last feature map, and its result is checked: too large, too
small, in pieces, or cut off by the edge of the picture on several sides, and the photograph gives no cut-out. A cut-out
that is missing costs nothing; a bad one teaches a network that a rectangle is an animal.

Source: Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", 2004.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.resize import Image

Mask = npt.NDArray[np.uint8]  # (H, W), 0 outside and 255 inside

_LONGER_SIDE_PX = 120  # GrabCut's time grows with the area; the outline is smoothed afterwards anyway
_ITERATIONS = 2
_INNER_SHARES = (0.30, 0.70)  # of each side: probably animal, where there is no hint
_OUTER_SHARE = 0.03  # of each side: surely background, where there is no hint
_HINT_LEVELS = (0.25, 0.60)  # of the largest hint: below is probably background, above probably animal
_LEAST_SIDE_PX = 16


@dataclass(frozen=True)
class Cutout:
    """An animal without its surroundings.

    ``pixels`` is (H, W, 3) uint8 RGB; ``alpha`` is (H, W) uint8, 0 outside to 255 inside, feathered. Both are trimmed
    to the animal.
    """

    pixels: Image
    alpha: Mask


@dataclass(frozen=True)
class MaskLimits:
    """When a mask counts as an animal; shares of the picture's area or sides, in 0..1.

    ``largest_piece`` is the least share of the mask that must be in one piece. ``edge`` is the greatest share of a
    side of the picture that the mask may touch before the animal counts as cut off there; ``cut_sides`` is how many
    sides may cut it off. ``fill`` is the least share of the mask's upright bounding box that it fills, and ``box`` the
    greatest: a mask that fills its box is the picture, not an animal.
    """

    area_min: float = 0.06
    area_max: float = 0.70
    largest_piece: float = 0.85
    edge: float = 0.35
    cut_sides: int = 1
    fill: float = 0.25
    box: float = 0.93


def find_mask(image: Image, hint: npt.NDArray[np.float32] | None = None) -> Mask:
    """Separate the animal from its surroundings with GrabCut.

    Args:
        image: (H, W, 3) uint8 RGB, at least 16 px a side.
        hint: (h, w) of any size, 0 or more, largest where the animal probably is, such as the energy of a feature map.
            None guesses the middle of the picture.

    Returns:
        (H, W) uint8, 0 or 255; all 0 where GrabCut finds nothing.
    """
    height, width = image.shape[:2]
    if min(height, width) < _LEAST_SIDE_PX:
        raise ValueError(f"expected an image of at least {_LEAST_SIDE_PX} px a side, got {width}x{height}")
    scale = min(1.0, _LONGER_SIDE_PX / max(height, width))
    size = (max(_LEAST_SIDE_PX, round(width * scale)), max(_LEAST_SIDE_PX, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    marks = _marks_of_middle(size) if hint is None else _marks_of_hint(hint, size)
    if not _has_both(marks):
        return np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its k-means starts at random: the same photograph must give the same mask
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, marks, (0, 0, 0, 0), models[0], models[1], _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = np.asarray(cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    smooth = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)
    large = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(large > 0.5, 255, 0).astype(np.uint8)


def check_mask(mask: Mask, limits: MaskLimits | None = None) -> str:
    """Return why a mask is no animal, or an empty text.

    Args:
        mask: (H, W) uint8, 0 or 255.
        limits: None takes the defaults.
    """
    limits = limits or MaskLimits()
    inside = mask > 0
    area = float(inside.mean())
    if area < limits.area_min:
        return f"covers {area:.0%} of the picture, less than {limits.area_min:.0%}"
    if area > limits.area_max:
        return f"covers {area:.0%} of the picture, more than {limits.area_max:.0%}"
    piece = _largest_piece(mask)
    share = float((piece > 0).sum() / inside.sum())
    if share < limits.largest_piece:
        return f"is in pieces, the largest {share:.0%} of it"
    edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    cut = sum(float(edge.mean()) > limits.edge for edge in edges)
    if cut > limits.cut_sides:
        return f"is cut off by {cut} sides of the picture"
    _left, _top, width, height = cv2.boundingRect(piece)
    filled = float((piece > 0).sum() / (width * height))
    if filled < limits.fill:
        return f"fills {filled:.0%} of its box, less than {limits.fill:.0%}"
    if filled > limits.box:
        return f"fills {filled:.0%} of its box: a rectangle"
    return ""


def cut_out(
    image: Image, hint: npt.NDArray[np.float32] | None = None, limits: MaskLimits | None = None
) -> Cutout | None:
    """Return the animal of a photograph, or None where no mask passes the check; see ``cut_out_or_reason``."""
    found = cut_out_or_reason(image, hint, limits)
    return None if isinstance(found, str) else found


def cut_out_or_reason(
    image: Image, hint: npt.NDArray[np.float32] | None = None, limits: MaskLimits | None = None
) -> Cutout | str:
    """Return the animal of a photograph, or why there is none, as the rest of a sentence about its mask.

    Args:
        image: (H, W, 3) uint8 RGB.
        hint: see ``find_mask``; where a mask from the hint does not pass, the middle is tried.
        limits: see ``check_mask``.
    """
    height, width = image.shape[:2]
    if min(height, width) < _LEAST_SIDE_PX:
        return f"has no room: the picture is {width}x{height} px, less than {_LEAST_SIDE_PX} px a side"
    reason = ""
    for guess in [hint, None] if hint is not None else [None]:
        mask = find_mask(image, guess)
        reason = check_mask(mask, limits)
        if not reason:
            return _trim(image, _largest_piece(mask))
    return reason


def feather(mask: Mask, sigma_px: float) -> Mask:
    """Return a mask with a soft edge that does not reach outwards: (H, W) uint8, any levels.

    A halo of the old surroundings is what gives a pasted animal away, so the edge is moved inwards by about its width.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(inner, (0, 0), sigma_px), np.uint8)
    return np.minimum(soft, padded)[1:-1, 1:-1].copy()


def _trim(image: Image, mask: Mask) -> Cutout:
    left, top, width, height = cv2.boundingRect(mask)
    rows, columns = slice(top, top + height), slice(left, left + width)
    alpha = feather(np.ascontiguousarray(mask[rows, columns]), max(0.6, max(image.shape[:2]) / 250))
    return Cutout(np.ascontiguousarray(image[rows, columns]), alpha)


def _largest_piece(mask: Mask) -> Mask:
    """Return the mask with all but its largest connected piece removed; holes stay."""
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return mask
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.where(numbers == best, 255, 0).astype(np.uint8)


def _marks_of_middle(size: tuple[int, int]) -> Mask:
    width, height = size
    marks = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    low, high = _INNER_SHARES
    across, down = max(1, round(width * _OUTER_SHARE)), max(1, round(height * _OUTER_SHARE))
    marks[down:-down, across:-across] = cv2.GC_PR_FGD
    marks[:down], marks[-down:], marks[:, :across], marks[:, -across:] = (cv2.GC_BGD,) * 4
    core = slice(round(height * low), round(height * high)), slice(round(width * low), round(width * high))
    marks[core] = cv2.GC_PR_FGD
    return marks


def _marks_of_hint(hint: npt.NDArray[np.float32], size: tuple[int, int]) -> Mask:
    peak = float(hint.max())
    if not np.isfinite(peak) or peak <= 0:
        return np.full((size[1], size[0]), cv2.GC_PR_BGD, np.uint8)
    level = cv2.resize(np.asarray(hint, np.float32) / peak, size, interpolation=cv2.INTER_CUBIC)
    low, high = _HINT_LEVELS
    marks = np.full(level.shape, cv2.GC_PR_BGD, np.uint8)
    marks[level > (low + high) / 2] = cv2.GC_PR_FGD
    marks[level < low / 2] = cv2.GC_BGD
    return marks


def _has_both(marks: Mask) -> bool:
    inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return bool(inside.any() and not inside.all())
