"""Cut animals out of photographs with GrabCut, and refuse a mask that is not plausible."""

import cv2
import numpy as np

from trailcam_benchmarks.field.types import CutOut, Image

_WORKING_PX = 320  # longer side on which GrabCut runs
_BORDER = 0.04  # of the shorter side: what is surely background at first
_ROUNDS = 5
_AREA = (0.08, 0.75)  # of the photograph
_MAX_ON_BORDER = 0.25  # of the photograph's border that the animal may touch
_MIN_MAIN_PART = 0.8  # of the mask that the largest part must be
_MIN_CONTRAST = 12.0  # levels between inside and outside of the outline


def cut_out(image: Image, label: str, name: str) -> CutOut | None:
    """Return the animal of a photograph without its surroundings, or None where the mask is not plausible.

    Args:
        image: (H, W, 3) uint8 RGB with one animal, more or less in the middle.
        label: of the animal.
        name: of the photograph.
    """
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_PX / max(height, width))
    small = cv2.resize(
        image, (max(8, round(width * scale)), max(8, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    mask = _grab(np.asarray(small, np.uint8))
    if mask is None or not _is_plausible(mask, np.asarray(small, np.uint8)):
        return None
    alpha = cv2.GaussianBlur((mask * 255).astype(np.uint8), (3, 3), 0)
    alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y, wide, high = cv2.boundingRect((alpha > 127).astype(np.uint8))
    rows, columns = slice(y, y + high), slice(x, x + wide)
    return CutOut(np.dstack([image[rows, columns], alpha[rows, columns]]), label, name)


def _grab(image: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    height, width = image.shape[:2]
    border = max(2, round(_BORDER * min(height, width)))
    mask = np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    rectangle = (border, border, width - 2 * border, height - 2 * border)
    try:
        cv2.setRNGSeed(0)  # GrabCut begins with random clusters
        cv2.grabCut(np.ascontiguousarray(image[..., ::-1]), mask, rectangle, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a picture of one colour has no clusters
        return None
    kept = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    kept = np.asarray(cv2.morphologyEx(kept, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(kept)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    if statistics[largest, cv2.CC_STAT_AREA] < _MIN_MAIN_PART * kept.sum():
        return None
    main = (labels == largest).astype(np.uint8)
    outlines, _ = cv2.findContours(main, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(main, outlines, -1, 1, cv2.FILLED), np.uint8)  # without holes


def _is_plausible(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], image: Image) -> bool:
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if not _AREA[0] <= mask.mean() <= _AREA[1] or border.mean() > _MAX_ON_BORDER:
        return False
    kernel = np.ones((7, 7), np.uint8)
    outside, inside = cv2.dilate(mask, kernel) - mask, mask - cv2.erode(mask, kernel)
    difference = image[outside > 0].mean(0) - image[inside > 0].mean(0)
    return bool(np.abs(difference).max() >= _MIN_CONTRAST)
