"""A black and white dairy cow, about 1.5 m high, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, both_sides, chain, turned

HIDE, MUZZLE, EYE, HOOF, HORN, UDDER, EAR = range(7)
COAT = Coat(length=0.01, count=0)  # so short that strokes would only make it woolly


def build(swing: float = 0.0) -> Body:
    """Build the cow; `swing` (-1 to 1) moves head and legs."""
    s = swing
    bones = chain([(-0.95, 1.12, 0, 0.3), (-0.5, 1.0, 0, 0.41), (0.1, 0.98, 0, 0.42), (0.6, 1.1, 0, 0.31)], HIDE, 0.2)
    bones += chain([(-1.02, 1.3, 0, 0.13), (0.0, 1.33, 0, 0.1), (0.62, 1.34, 0, 0.14)], HIDE, 0.2)
    bones += both_sides(
        chain([(-0.72, 1.36, 0.22, 0.07), (-0.98, 1.33, 0.14, 0.09), (-1.1, 1.05, 0.16, 0.15)], HIDE, 0.1)
    )
    hx, hy = 1.22, 1.24 + 0.03 * s
    bones += chain([(0.65, 1.15, 0, 0.27), (0.98, 1.2, 0, 0.2), (hx - 0.08, hy, 0, 0.15)], HIDE, 0.15)
    head = chain(
        [(hx - 0.02, hy + 0.05, 0, 0.138), (hx + 0.1, hy - 0.06, 0, 0.115), (hx + 0.27, hy - 0.25, 0, 0.086)],
        HIDE,
        0.05,
    )
    head += chain([(hx + 0.29, hy - 0.28, 0, 0.09), (hx + 0.32, hy - 0.3, 0, 0.083)], MUZZLE, 0.05)
    for side in (1, -1):
        head += [ball(hx + 0.09, hy + 0.025, 0.1 * side, 0.028, EYE, 0.01)]
        head += [
            Bone(
                (hx - 0.07, hy + 0.08, 0.13 * side),
                (hx - 0.14, hy + 0.05, 0.36 * side),
                0.065,
                0.085,
                EAR,
                0.03,
                (0.8, 0.5, 0.2 * side),
                0.28,
            )
        ]
        head += chain(
            [
                (hx - 0.05, hy + 0.16, 0.08 * side, 0.035),
                (hx - 0.02, hy + 0.22, 0.16 * side, 0.026),
                (hx + 0.03, hy + 0.28, 0.17 * side, 0.01),
            ],
            HORN,
            0.02,
        )
        head += [ball(hx + 0.392, hy - 0.285, 0.042 * side, 0.016, EYE, 0.01)]
    bones += turned(head, (hx - 0.05, hy, 0.0), 22 + 14 * s)
    bones += both_sides([Bone((0.8, 1.0, 0.02), (0.82, 0.86, 0.0), 0.12, 0.06, HIDE, 0.12, flat=0.5)])
    for side, lead in ((0.2, s), (-0.2, -s)):
        bones += chain(
            [
                (0.52, 0.95, side, 0.2),
                (0.52 + 0.06 * lead, 0.6, side, 0.105),
                (0.52 + 0.1 * lead, 0.45, side, 0.075),
                (0.5 + 0.14 * lead, 0.12, side, 0.055),
            ],
            HIDE,
            0.1,
        )
        bones += chain([(0.5 + 0.14 * lead, 0.1, side, 0.06), (0.53 + 0.14 * lead, 0.04, side, 0.075)], HOOF, 0.02)
        bones += chain(
            [
                (-0.88, 1.0, side, 0.24),
                (-0.82 - 0.05 * lead, 0.7, side, 0.13),
                (-0.98 - 0.1 * lead, 0.48, side, 0.075),
                (-0.94 - 0.14 * lead, 0.12, side, 0.055),
            ],
            HIDE,
            0.1,
        )
        bones += chain([(-0.94 - 0.14 * lead, 0.1, side, 0.06), (-0.91 - 0.14 * lead, 0.04, side, 0.075)], HOOF, 0.02)
    bones += [Bone((-0.6, 0.66, 0), (-0.5, 0.62, 0), 0.17, 0.15, UDDER, 0.1)]
    bones += chain(
        [(-1.22, 1.32, 0, 0.04), (-1.3, 1.0, 0, 0.03), (-1.3, 0.7, 0, 0.025), (-1.3, 0.5, 0, 0.05)], HIDE, 0.05
    )
    return Body(bones, _paint, None, (0.05, 0.25, 0.9, 0.1, 0.2, 0.05, 0.05))


def _paint(p: Array, _normals: Array, material: NDArray[np.int64]) -> Array:
    patch = (
        solid(p * np.asarray([1.1, 1, 0.6], np.float32) + np.asarray([0.35, 0.1, 0.2], np.float32), 0.5, 7, 2) + 0.05
    )
    patch += np.clip((p[:, 0] - 1.0) * 3, 0, 0.5) - np.clip(0.55 - p[:, 1], 0, 0.4) * 3
    blaze = (np.abs(p[:, 2] - 0.42 * (p[:, 0] - 1.2)) < 0.06) & (p[:, 0] > 1.3)
    black = 1 / (1 + np.exp(-np.clip(patch * 60, -30, 30)))
    black = np.where(blaze, 0, black)[:, None]
    white = np.asarray([0.93, 0.9, 0.85]) - 0.18 * np.clip(0.6 - p[:, 1:2], 0, 0.6)
    coat = white * (1 - black) + np.asarray([0.09, 0.08, 0.08]) * black
    coat *= 1 + 0.06 * solid(p, 0.1, 4, 2)[:, None]
    table = {
        MUZZLE: (0.56, 0.43, 0.4),
        EYE: (0.04, 0.03, 0.03),
        HOOF: (0.2, 0.17, 0.14),
        HORN: (0.8, 0.74, 0.6),
        UDDER: (0.86, 0.66, 0.6),
        EAR: (0.12, 0.1, 0.1),
    }
    for which, colour in table.items():
        coat[material == which] = colour
    return coat.astype(np.float32)
