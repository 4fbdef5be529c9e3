"""Scenes and animals drawn by arithmetic, for tests that need no photograph."""

import cv2
import numpy as np

from trailcam_benchmarks.field.types import CutOut, Image, Levels

_OCTAVES = (4, 9, 20, 45, 100)  # cells across the frame


def render_scene(seed: int, size_px: tuple[int, int] = (1920, 1080)) -> Image:
    """Return (H, W, 3) uint8 RGB of ground and undergrowth: noise of five scales in two colours.

    Args:
        seed: of the noise.
        size_px: width and height.
    """
    random = np.random.default_rng(seed)
    width, height = size_px
    texture = np.zeros((height, width), np.float32)
    for cells in _OCTAVES:
        coarse = random.normal(0, 1, (max(2, cells * height // width), cells)).astype(np.float32)
        texture += cv2.resize(coarse, size_px, interpolation=cv2.INTER_CUBIC) / len(_OCTAVES)
    share = 1 / (1 + np.exp(-3 * texture[..., None]))
    dark, light = random.uniform(20, 80, 3), random.uniform(110, 190, 3)
    slope = np.linspace(1.1, 0.85, height, dtype=np.float32)[:, None, None]
    return np.clip((dark + (light - dark) * share) * slope, 0, 255).astype(np.uint8)


def render_animal(seed: int, label: str = "animal") -> CutOut:
    """Return a body with a head and four legs, about 255x173 px, with a coat of the given brightness."""
    random = np.random.default_rng(seed)
    alpha = np.zeros((200, 300), np.uint8)
    cv2.ellipse(alpha, (150, 90), (105, 50), 0, 0, 360, 255, -1)
    cv2.ellipse(alpha, (265, 55), (34, 28), 0, 0, 360, 255, -1)
    for x in (65, 95, 205, 230):
        cv2.rectangle(alpha, (x, 110), (x + 14, 199), 255, -1)
    coat = random.uniform(15, 60, 3) if random.random() < 0.5 else random.uniform(190, 245, 3)
    spots = cv2.resize(random.normal(0, 1, (8, 12)).astype(np.float32), (300, 200), interpolation=cv2.INTER_CUBIC)
    levels: Levels = np.asarray(coat + 25 * spots[..., None], np.float32)
    colours = np.clip(levels, 0, 255).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(alpha)
    rgba = np.dstack([colours, alpha])[y : y + height, x : x + width]
    return CutOut(np.ascontiguousarray(rgba), label, f"rendering {seed}")
