"""Smooth random fields in two and three dimensions, all from explicit seeds.

Shapes: (N, 3) are points, (H, W) are fields; values are float32.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def field(height: int, width: int, cell_px: float, seed: int, octaves: int = 4, stretch: float = 1.0) -> Array:
    """Make a fractal noise picture.

    Args:
        height: rows of the result.
        width: columns of the result.
        cell_px: size of the largest bumps in pixels.
        seed: same seed, same field.
        octaves: number of layers, each half as large and half as strong as the one before.
        stretch: how much wider than high a bump is.

    Returns:
        (height, width) with mean 0 and standard deviation 1.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cell_px / 2**octave, 1.0)
        rows, columns = int(height / size) + 3, int(width / (size * stretch)) + 3
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        big = cv2.resize(grid, (int(columns * size * stretch) + 1, int(rows * size) + 1), interpolation=cv2.INTER_CUBIC)
        total += big[:height, :width] / 2**octave
    return ((total - total.mean()) / (total.std() + 1e-6)).astype(np.float32)


def _hash(ix: NDArray[np.int64], iy: NDArray[np.int64], iz: NDArray[np.int64], seed: int) -> Array:
    """Give each lattice point a number in -1 to 1."""
    h = (ix * 73856093) ^ (iy * 19349663) ^ (iz * 83492791) ^ (seed * 2654435761)
    h = (h ^ (h >> 13)) * 1274126177
    h ^= h >> 16
    return ((h & 0xFFFF).astype(np.float32) / 32767.5 - 1).astype(np.float32)


def solid(points: Array, cell: float, seed: int, octaves: int = 3) -> Array:
    """Evaluate fractal value noise at points in space.

    Args:
        points: (N, 3).
        cell: size of the largest bumps, in the unit of the points.
        seed: same seed, same noise.
        octaves: number of layers.

    Returns:
        (N,) roughly within -1 to 1.
    """
    total = np.zeros(len(points), np.float32)
    weight = 0.0
    for octave in range(octaves):
        q = points * (2**octave / cell)
        base = np.floor(q).astype(np.int64)
        f = q - base
        f = f * f * (3 - 2 * f)
        value = np.zeros(len(points), np.float32)
        for corner in range(8):
            dx, dy, dz = corner & 1, corner >> 1 & 1, corner >> 2 & 1
            w = (f[:, 0] if dx else 1 - f[:, 0]) * (f[:, 1] if dy else 1 - f[:, 1]) * (f[:, 2] if dz else 1 - f[:, 2])
            value += w * _hash(base[:, 0] + dx, base[:, 1] + dy, base[:, 2] + dz, seed + octave)
        total += value / 2**octave
        weight += 1 / 2**octave
    return (total * (1.6 / weight)).astype(np.float32)
