"""Light in a generated clip: drift, a step, shadows, infrared and the sensor's noise."""

import cv2
import numpy as np

from trailcam_benchmarks.field.generator.clip_settings import ClipSettings
from trailcam_benchmarks.field.types import Image, Levels

_DRIFT_PERIOD_S = (8.0, 40.0)
_SHADOW_OFFSET = 0.45  # of the animal's width, to one side
_SHADOW_SIZE = (0.75, 0.16)  # half axes: of the animal's width, of its height
_VIGNETTE = 0.55  # darkening of the corners
_TILE_PX = 512


class Light:
    """Factor of the light over time: a slow drift, and a step."""

    def __init__(self, settings: ClipSettings, random: np.random.Generator) -> None:
        self._settings = settings
        self._period_s = random.uniform(*_DRIFT_PERIOD_S)
        self._phase = random.uniform(0, 2 * np.pi)

    def factor(self, time_s: float) -> float:
        """Return the factor at a time."""
        drift = 1 + self._settings.drift * float(np.sin(2 * np.pi * time_s / self._period_s + self._phase))
        return drift * (self._settings.step if time_s >= self._settings.step_s else 1.0)


class Noise:
    """Sensor noise: tiles drawn once, laid at a random place in each frame."""

    def __init__(self, deviation: float, size_px: tuple[int, int], random: np.random.Generator) -> None:
        self._random = random
        self._size_px = size_px
        tile = random.normal(0, deviation, (_TILE_PX, _TILE_PX, 3)).clip(-127, 127) if deviation else None
        if tile is not None:
            repeats = (size_px[1] // _TILE_PX + 2, size_px[0] // _TILE_PX + 2, 1)
            self._tiles = np.tile(tile.astype(np.int16), repeats)
        self._has_noise = tile is not None

    def add(self, image: Image) -> Image:
        """Return the picture with noise."""
        if not self._has_noise:
            return image
        top, left = self._random.integers(0, _TILE_PX, 2)
        width, height = self._size_px
        return np.asarray(
            cv2.add(image, self._tiles[top : top + height, left : left + width], dtype=cv2.CV_8U), np.uint8
        )


def cast_shadow(image: Image, box_px: tuple[float, float, float, float], darkness: float, side: int) -> Image:
    """Return the picture with a soft ellipse on the ground beside an animal.

    Args:
        image: (H, W, 3).
        box_px: left, top, width and height of the animal.
        darkness: how much light the shadow takes (0 to 1).
        side: 1 to the right, -1 to the left.
    """
    left, top, width, height = box_px
    centre = (round(left + width / 2 + side * _SHADOW_OFFSET * width), round(top + height * 0.97))
    axes = (max(1, round(_SHADOW_SIZE[0] * width)), max(1, round(_SHADOW_SIZE[1] * height)))
    blur = max(3, axes[1] // 2 | 1)
    x, y = centre[0] - axes[0] - blur, centre[1] - axes[1] - blur
    window = (slice(max(0, y), max(0, 2 * centre[1] - y)), slice(max(0, x), max(0, 2 * centre[0] - x)))
    part = image[window]
    if not part.size:
        return image
    shade: Levels = np.zeros(part.shape[:2], np.float32)
    cv2.ellipse(shade, (centre[0] - window[1].start, centre[1] - window[0].start), axes, 0, 0, 360, 1.0, -1)
    shade = np.asarray(cv2.GaussianBlur(shade, (blur, blur), 0), np.float32)
    result = image.copy()
    result[window] = (part * (1 - darkness * shade[..., None])).astype(np.uint8)
    return result


def to_infrared(size_px: tuple[int, int], contrast: float) -> Levels:
    """Return (H, W) factors of a lamp beside the lens, bright in the middle, times a contrast (0 to 1)."""
    width, height = size_px
    columns, rows = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.asarray(contrast * (1 - _VIGNETTE * (columns**2 + rows**2) / 2), np.float32)
