"""Paste a cut-out animal into a scene and return the view of a device: the whole frame, or a square crop of the animal.

A device crops a square of 1.3 times the longer side of a motion region from its large stream. Regions are too large
(shadow, several animals), off centre and moving, so training crops draw their margin and their offset.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from trailcam_core.field.cutouts import Cutout, Mask
from trailcam_core.images.resize import Image


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a frame, upright; it may reach beyond the frame. Sides are above 0."""

    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle (x, y)."""
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True)
class CropRule:
    """How a training crop differs from the box of the animal.

    ``margin_min`` and ``margin_max`` are factors of the box's longer side; ``jitter`` moves the crop by up to this
    share of its side; ``least_px`` is the smallest side.
    """

    margin_min: float = 1.1
    margin_max: float = 2.6
    jitter: float = 0.2
    least_px: int = 160

    def __post_init__(self) -> None:
        if not 1 <= self.margin_min <= self.margin_max or not 0 <= self.jitter <= 0.5 or self.least_px < 16:
            raise ValueError(
                "expected margins from 1 on in order, jitter in 0..0.5 and least_px of 16 or more, got "
                f"{self.margin_min}, {self.margin_max}, {self.jitter} and {self.least_px}"
            )


def draw_place(cutout: Cutout, frame_width: int, frame_height: int, share: float, rng: np.random.Generator) -> Box:
    """Draw where an animal is in a frame, ``share`` (above 0) of the frame's height tall.

    At least four fifths of it are inside. An animal that is wider than the frame is made smaller.
    """
    height = share * frame_height
    width = height * cutout.alpha.shape[1] / cutout.alpha.shape[0]
    if width > frame_width:
        height, width = height * frame_width / width, float(frame_width)
    spare = 0.2
    left = rng.uniform(-spare * width / 2, frame_width - width * (1 - spare / 2))
    top = rng.uniform(-spare * height / 2, frame_height - height * (1 - spare / 2))
    return Box(float(left), float(top), float(width), float(height))


def paste(frame: Image, cutout: Cutout, box: Box, light: float = 0.0) -> Image:
    """Return a frame with an animal in it.

    Args:
        frame: (H, W, 3) uint8 RGB, not changed.
        cutout: the animal.
        box: where it goes, in pixels; what lies outside of the frame is lost.
        light: 0 keeps the animal's brightness, 1 gives it the mean of the scene around it.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    width, height = max(1, round(box.width)), max(1, round(box.height))
    interpolation = cv2.INTER_AREA if height < cutout.alpha.shape[0] else cv2.INTER_CUBIC
    pixels = cv2.resize(cutout.pixels, (width, height), interpolation=interpolation).astype(np.float32)
    alpha = cv2.resize(cutout.alpha, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    left, top = round(box.left), round(box.top)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(frame.shape[1], left + width), min(frame.shape[0], top + height)
    result = frame.copy()
    if x0 >= x1 or y0 >= y1:
        return result
    under = frame[y0:y1, x0:x1].astype(np.float32)
    over = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
    share = alpha[y0 - top : y1 - top, x0 - left : x1 - left, None]
    weight = float(share.sum())
    if light and weight > 0:
        mean = float((over * share).sum() / (3 * weight))
        over = over * (1 + light * (float(under.mean()) / max(mean, 1.0) - 1))
    result[y0:y1, x0:x1] = np.clip(np.rint(over * share + under * (1 - share)), 0, 255).astype(np.uint8)
    return result


def device_square(box: Box, frame_width: int, frame_height: int, margin: float = 1.3, least_px: int = 160) -> Box:
    """Return the square that a device crops round a box: ``margin`` times the longer side, moved into the frame."""
    side = min(max(margin * max(box.width, box.height), least_px), frame_width, frame_height)
    return _into_frame(box.centre, side, frame_width, frame_height)


def draw_square(box: Box, frame_width: int, frame_height: int, rule: CropRule, rng: np.random.Generator) -> Box:
    """Draw a square round a box as motion regions give it: too large and off centre; inside of the frame."""
    margin = math.exp(rng.uniform(math.log(rule.margin_min), math.log(rule.margin_max)))
    side = min(max(margin * max(box.width, box.height), rule.least_px), frame_width, frame_height)
    x, y = box.centre
    reach = rule.jitter * side
    return _into_frame(
        (x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)), side, frame_width, frame_height
    )


def crop_square(frame: Image, square: Box) -> Image:
    """Cut a box out of a frame: (H, W, 3) uint8 RGB to a contiguous part of it, at least 1 px a side.

    A square gives a square; one that reaches beyond the frame is moved into it, and cut off where it is larger.
    """
    width, height = (max(1, round(side)) for side in (square.width, square.height))
    left = max(0, min(round(square.left), frame.shape[1] - width))
    top = max(0, min(round(square.top), frame.shape[0] - height))
    return np.ascontiguousarray(frame[top : top + height, left : left + width])


def decoy(alpha: Mask, texture: Image) -> Cutout:
    """Return something with the outline of an animal that is none: a piece of a scene.

    Pasted beside animals, it takes away the shortcut that every pasted thing is an animal.

    Args:
        alpha: (H, W) uint8 outline.
        texture: (h, w, 3) uint8 RGB, stretched over it.
    """
    size = (alpha.shape[1], alpha.shape[0])
    return Cutout(np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.uint8), alpha)


def _into_frame(centre: tuple[float, float], side: float, frame_width: int, frame_height: int) -> Box:
    left = min(max(centre[0] - side / 2, 0.0), frame_width - side)
    top = min(max(centre[1] - side / 2, 0.0), frame_height - side)
    return Box(left, top, side, side)
