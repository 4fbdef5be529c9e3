"""Small grey scenes for the tests of motion regions."""

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
SIZE = (180, 320)


def texture(seed: int = 1, size: tuple[int, int] = SIZE) -> npt.NDArray[np.float32]:
    """Return (H, W) levels between about 60 and 140, with structure of several scales."""
    random = np.random.default_rng(seed)
    levels = np.full(size, 100, np.float32)
    for cells, strength in ((5, 12), (20, 8), (60, 6), (160, 8)):
        coarse = random.normal(0, strength, (cells, cells)).astype(np.float32)
        levels += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return levels


def frame(
    levels: npt.NDArray[np.float32],
    animal: tuple[int, int, int, int] | None = None,
    light: float = 1.0,
    seed: int = 0,
    noise: float = 1.0,
) -> Plane:
    """Return a luma picture of a scene, with an animal at left, top, width and height, in some light."""
    levels = levels.copy()
    if animal:
        left, top, width, height = animal
        coat = np.random.default_rng(99).normal(0, 12, (height, width)).astype(np.float32)
        levels[top : top + height, left : left + width] = 185 + cv2.blur(coat, (3, 3))
    levels = levels * light + np.random.default_rng(seed).normal(0, noise, levels.shape)
    return np.clip(levels, 0, 255).astype(np.uint8)
