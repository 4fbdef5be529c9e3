"""Make a photograph look as if a field camera took it: infrared, noise, vignette, stems, motion blur, a tilted camera.

All functions take and give (H, W, 3) uint8 RGB of any size, leave their argument alone, and draw from ``rng`` only.
``draw_look`` draws all of them as a ``CameraLook`` states.
"""

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np

from trailcam_core.images.resize import Image

_IR_CONTRAST = (0.4, 1.0)
_IR_NOISE = (2.0, 12.0)  # standard deviation, levels of 255
_IR_VIGNETTE = (0.0, 0.7)
_STEM_WIDTHS = (0.02, 0.12)  # of the picture's width
_BLUR_SHARES = (0.01, 0.06)  # of the picture's longer side
_LOW_LIGHT = (0.12, 0.6)


@dataclass(frozen=True)
class CameraLook:
    """Probabilities in 0..1 of each change, and the largest extents.

    ``stems_share`` is the greatest share of the picture that stems hide; ``turn_deg`` the greatest turn to either side.
    """

    infrared: float = 0.3
    stems: float = 0.3
    stems_share: float = 0.4
    motion_blur: float = 0.2
    turn: float = 0.3
    turn_deg: float = 20.0
    low_light: float = 0.1

    def __post_init__(self) -> None:
        for item in fields(self):
            value, limit = getattr(self, item.name), 180.0 if item.name == "turn_deg" else 1.0
            if not 0 <= value <= limit:
                raise ValueError(f"{item.name} is {value}, expected 0 (off) to {limit:g}")


def draw_look(image: Image, look: CameraLook, rng: np.random.Generator) -> Image:
    """Draw a view as a camera may give it, in the order of what happens: scene, optics, sensor."""
    if rng.random() < look.turn:
        image = turn(image, float(rng.uniform(-look.turn_deg, look.turn_deg)))
    if rng.random() < look.stems:
        image = stems(image, float(rng.uniform(0.05, max(0.05, look.stems_share))), rng)
    if rng.random() < look.motion_blur:
        length = rng.uniform(*_BLUR_SHARES) * max(image.shape[:2])
        image = motion_blur(image, float(length), float(rng.uniform(0, 180)))
    if rng.random() < look.infrared:
        return infrared(
            image,
            float(rng.uniform(*_IR_CONTRAST)),
            float(rng.uniform(*_IR_NOISE)),
            float(rng.uniform(*_IR_VIGNETTE)),
            rng,
        )
    if rng.random() < look.low_light:
        return low_light(image, float(rng.uniform(*_LOW_LIGHT)), rng)
    return image


def infrared(image: Image, contrast: float, noise: float, dark_corners: float, rng: np.random.Generator) -> Image:
    """Return a picture as an infrared lamp at night gives it.

    Args:
        image: see the module.
        contrast: factor about the middle of the levels, above 0.
        noise: standard deviation of added noise, levels of 255.
        dark_corners: see ``vignette``.
        rng: of the noise.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    level = (grey - grey.mean()) * contrast + 0.85 * grey.mean() + 8
    level = level * _falloff(image.shape[0], image.shape[1], dark_corners)
    level = level + rng.standard_normal(level.shape, np.float32) * np.float32(noise)
    return np.repeat(np.clip(np.rint(level), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def low_light(image: Image, factor: float, rng: np.random.Generator) -> Image:
    """Return a picture of ``factor`` (0..1) times the light, with noise, as a camera brightens it again."""
    dark = image.astype(np.float32) * factor
    dark += rng.standard_normal(dark.shape, np.float32) * np.float32(3.0)
    return np.asarray(np.clip(np.rint(dark * min(1.5, 0.6 / factor)), 0, 255), np.uint8)


def vignette(image: Image, strength: float) -> Image:
    """Return a picture whose corners have ``1 - strength`` of the light, ``strength`` in 0..1."""
    fall = _falloff(image.shape[0], image.shape[1], strength)
    return np.asarray(np.clip(np.rint(image * fall[:, :, None]), 0, 255), np.uint8)


def stems(image: Image, share: float, rng: np.random.Generator) -> Image:
    """Return a picture behind stems and blades that hide about ``share`` (0..1) of it.

    Stems lean by up to 25 degrees, have one colour each, taken from the picture and made darker or lighter, and a
    light and a dark side.
    """
    height, width = image.shape[:2]
    layer = image.copy()
    hidden = np.zeros((height, width), np.uint8)
    for _ in range(64):
        if float((hidden > 0).mean()) >= share:
            break
        thick = max(2, round(rng.uniform(*_STEM_WIDTHS) * width * (1 if share > 0.15 else 0.6)))
        foot = rng.uniform(-0.1, 1.1) * width
        lean = math.tan(math.radians(rng.uniform(-25, 25))) * height
        start, end = (round(foot), height + thick), (round(foot + lean), -thick)
        sample = image[rng.integers(0, height), rng.integers(0, width)].astype(np.float64)
        colour = np.clip(sample * rng.uniform(0.3, 1.2) + rng.uniform(0, 20), 0, 255)
        cv2.line(hidden, start, end, 255, thick)
        cv2.line(layer, start, end, tuple(map(float, colour)), thick)
        side = max(1, thick // 3)
        shift = round(thick / 3)
        cv2.line(layer, (start[0] + shift, start[1]), (end[0] + shift, end[1]), tuple(map(float, colour * 0.7)), side)
    rough = rng.standard_normal((height, width, 1), np.float32) * 8
    soft = cv2.GaussianBlur(hidden, (0, 0), max(0.6, width / 400)).astype(np.float32)[:, :, None] / 255
    mixed = (layer + rough) * soft + image * (1 - soft)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def motion_blur(image: Image, length_px: float, angle_deg: float) -> Image:
    """Return a picture smeared along a line of ``length_px``; less than 3 changes nothing."""
    if length_px < 3:
        return image.copy()
    size = int(length_px) | 1
    kernel = np.zeros((size, size), np.float32)
    kernel[size // 2] = 1
    matrix = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), angle_deg, 1)
    kernel = np.asarray(cv2.warpAffine(kernel, matrix, (size, size)), np.float32)
    kernel /= max(float(kernel.sum()), 1e-6)
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.uint8)


def turn(image: Image, degrees: float) -> Image:
    """Return a picture turned about its middle and enlarged until no corner is empty; the size stays."""
    height, width = image.shape[:2]
    angle = math.radians(abs(degrees))
    grow = math.cos(angle) + math.sin(angle) * max(width / height, height / width)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, min(grow, 1.35))
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, np.uint8)


def _falloff(height: int, width: int, strength: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return how much light each pixel keeps, (H, W) float32: 1 in the middle, ``1 - strength`` in the corners."""
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.asarray(1 - np.float32(strength) * (down**2 + across**2) / 2, np.float32)
