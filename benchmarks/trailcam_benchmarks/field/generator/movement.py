"""Movement in a generated clip: texture that sways, a camera that shakes, an animal that walks, rests and walks on."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_benchmarks.field.types import Image, Levels

_PATCHES = 28
_FIELD_PX = (120, 68)  # width and height on which displacements are added up
_RATE_HZ = (0.6, 1.4)
_BOB = 0.02  # of the animal's height
_BOB_HZ = 1.7
_STANDING = 0.25  # of the time


class Sway:
    """Patches of texture, each with a rate, direction and phase.

    Args:
        amplitude_px: greatest displacement, in pixels of the frame.
        size_px: width and height of the frame.
        random: places, rates and directions are drawn from it.
    """

    def __init__(self, amplitude_px: float, size_px: tuple[int, int], random: np.random.Generator) -> None:
        width, height = _FIELD_PX
        self._size_px = size_px
        self._amplitude_px = amplitude_px
        columns, rows = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        x, y = random.uniform(0, 1, _PATCHES), random.uniform(0, 1, _PATCHES)
        radius = random.uniform(0.06, 0.2, _PATCHES)
        squares = (columns - x[:, None, None]) ** 2 + ((rows - y[:, None, None]) * height / width) ** 2
        self._patches = np.exp(-squares / (2 * radius[:, None, None] ** 2)).astype(np.float32)
        self._rate_hz = random.uniform(*_RATE_HZ, _PATCHES)
        self._phase = random.uniform(0, 2 * np.pi, _PATCHES)
        self._direction = random.normal(0, 0.35, _PATCHES)  # radians from the horizontal
        self._grid = np.meshgrid(np.arange(size_px[0], dtype=np.float32), np.arange(size_px[1], dtype=np.float32))
        self._normal = max(1.0, float(np.abs(self._patches.sum(0)).max()) / 1.5)

    def maps(self, time_s: float) -> tuple[Levels, Levels] | None:
        """Return where each pixel comes from, as (H, W) columns and rows; None where nothing sways."""
        if self._amplitude_px == 0:
            return None
        swing = np.sin(2 * np.pi * self._rate_hz * time_s + self._phase) * self._amplitude_px / self._normal
        sideways = np.tensordot((swing * np.cos(self._direction)).astype(np.float32), self._patches, 1)
        upwards = np.tensordot((swing * np.sin(self._direction)).astype(np.float32), self._patches, 1)
        columns, rows = (cv2.resize(field, self._size_px) for field in (sideways, upwards))
        return np.asarray(self._grid[0] + columns, np.float32), np.asarray(self._grid[1] + rows, np.float32)


def shake(frames: int, amplitude_px: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return (frames, 2) offsets of the camera in pixels, each between plus and minus ``amplitude_px``."""
    return random.uniform(-1, 1, (frames, 2)) * amplitude_px


@dataclass(frozen=True)
class Path:
    """The way of an animal: in from one side, a stop for a quarter of the time, on and out.

    Lengths are fractions of the frame. ``ground`` is the row of the feet, ``stop`` the column of the centre at the
    stop, ``direction`` is 1 to the right and -1 to the left. ``size`` is (width, height) of the animal.
    """

    size: tuple[float, float]
    ground: float
    stop: float
    direction: int
    enters_s: float
    leaves_s: float
    starts_inside: bool = False
    bob_phase: float = 0.0

    @staticmethod
    def draw(
        size: tuple[float, float], span_s: tuple[float, float], starts_inside: bool, random: np.random.Generator
    ) -> "Path":
        """Draw a way at random, between the two times."""
        ground = random.uniform(max(size[1], 0.45), max(size[1], 0.97)) if size[1] < 1 else 1.0
        return Path(
            size,
            ground,
            random.uniform(0.3, 0.7),
            1 if random.random() < 0.5 else -1,
            span_s[0],
            span_s[1],
            starts_inside,
            random.uniform(0, 2 * np.pi),
        )

    def place(self, time_s: float) -> tuple[float, float] | None:
        """Return the upper left corner as fractions; None while the animal is not there."""
        if not self.enters_s <= time_s < self.leaves_s:
            return None
        progress = (time_s - self.enters_s) / (self.leaves_s - self.enters_s)
        centre = self._column(progress)
        is_walking = not self._stands(progress)
        bob = _BOB * self.size[1] * np.sin(2 * np.pi * _BOB_HZ * time_s + self.bob_phase) if is_walking else 0.0
        return centre - self.size[0] / 2, float(self.ground - self.size[1] + bob)

    def _stands(self, progress: float) -> bool:
        if self.starts_inside:
            return progress < _STANDING * 2
        return (1 - _STANDING) / 2 <= progress < (1 + _STANDING) / 2

    def _column(self, progress: float) -> float:
        half = self.size[0] / 2
        first, last = (-half * 0.6, 1 + half) if self.direction > 0 else (1 + half * 0.6, -half)
        begins, ends = (0.0, _STANDING * 2) if self.starts_inside else ((1 - _STANDING) / 2, (1 + _STANDING) / 2)
        if progress < begins:
            return first + (self.stop - first) * progress / begins
        if progress < ends:
            return self.stop
        return self.stop + (last - self.stop) * (progress - ends) / (1 - ends)


def remap(image: Image, maps: tuple[Levels, Levels] | None) -> Image:
    """Return a picture with its pixels taken from elsewhere."""
    if maps is None:
        return image
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8)
