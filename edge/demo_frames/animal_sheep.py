"""A woolly sheep, about 0.9 m high, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, chain, turned

WOOL, FACE, EYE, HOOF = range(4)
COAT = Coat(length=0.014, count=60000, lift=0.5, droop=0.1, contrast=0.16, curl=3.0, bare=(EYE, HOOF, FACE))


def build(swing: float = 0.0) -> Body:
    """Build the sheep; `swing` (-1 to 1) moves head and legs."""
    s = swing
    bones = chain([(-0.42, 0.62, 0, 0.28), (-0.1, 0.6, 0, 0.31), (0.25, 0.63, 0, 0.28)], WOOL, 0.15)
    hx, hy = 0.64, 0.84 + 0.02 * s
    bones += chain([(0.3, 0.68, 0, 0.25), (0.46, 0.76, 0, 0.18), (hx - 0.06, hy - 0.02, 0, 0.12)], WOOL, 0.1)
    head = [ball(hx - 0.04, hy + 0.06, 0, 0.085, WOOL, 0.04)]
    head += chain(
        [(hx, hy + 0.02, 0, 0.092), (hx + 0.1, hy - 0.05, 0, 0.074), (hx + 0.2, hy - 0.15, 0, 0.053)], FACE, 0.04
    )
    for side in (1, -1):
        head += [ball(hx + 0.068, hy + 0.022, 0.07 * side, 0.018, EYE, 0.008)]
        head += [
            Bone(
                (hx - 0.02, hy + 0.02, 0.08 * side),
                (hx - 0.05, hy - 0.03, 0.25 * side),
                0.035,
                0.042,
                FACE,
                0.02,
                (0.5, 0.8, 0.1 * side),
                0.33,
            )
        ]
        head += [ball(hx + 0.242, hy - 0.155, 0.024 * side, 0.011, EYE, 0.006)]
    bones += turned(head, (hx - 0.05, hy, 0.0), 14 + 8 * s)
    for side, lead in ((0.14, s), (-0.14, -s)):
        bones += chain([(0.26, 0.5, side, 0.14), (0.27, 0.34, side, 0.07)], WOOL, 0.08)
        bones += chain([(0.27, 0.34, side, 0.05), (0.27 + 0.06 * lead, 0.08, side, 0.032)], FACE, 0.02)
        bones += [Bone((0.27 + 0.06 * lead, 0.06, side), (0.285 + 0.06 * lead, 0.025, side), 0.034, 0.04, HOOF, 0.01)]
        bones += chain([(-0.48, 0.52, side, 0.17), (-0.5, 0.34, side, 0.075)], WOOL, 0.08)
        bones += chain([(-0.5, 0.34, side, 0.052), (-0.5 - 0.06 * lead, 0.08, side, 0.032)], FACE, 0.02)
        bones += [Bone((-0.5 - 0.06 * lead, 0.06, side), (-0.485 - 0.06 * lead, 0.025, side), 0.034, 0.04, HOOF, 0.01)]
    bones += chain([(-0.68, 0.7, 0, 0.06), (-0.73, 0.5, 0, 0.05)], WOOL, 0.05)
    return Body(bones, _paint, _curls, (0.01, 0.06, 0.9, 0.1))


def _curls(p: Array) -> Array:
    """Locks of wool, none on the bare face and legs."""
    wool = np.clip((p[:, 1] - 0.32) * 12, 0, 1) * np.clip((0.45 - p[:, 0]) * 12, 0, 1)
    return (0.014 * np.abs(solid(p, 0.045, 5, 2)) * wool).astype(np.float32)


def _paint(p: Array, _normals: Array, material: NDArray[np.int64]) -> Array:
    coat = np.asarray([0.9, 0.86, 0.76]) * (1 + 0.08 * solid(p, 0.09, 5, 2)[:, None])
    dirt = np.clip(0.25 + 0.4 * solid(p, 0.3, 9, 2)[:, None] - p[:, 1:2] * 0.3, 0, 0.5)
    coat = coat * (1 - dirt) + np.asarray([0.62, 0.53, 0.4]) * dirt
    table = {FACE: (0.13, 0.115, 0.11), EYE: (0.05, 0.04, 0.03), HOOF: (0.15, 0.12, 0.1)}
    for which, colour in table.items():
        coat[material == which] = colour
    return coat.astype(np.float32)
