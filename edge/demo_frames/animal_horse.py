"""A bay horse, about 1.6 m high at the withers, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, both_sides, chain

HIDE, MANE, EYE, HOOF = range(4)
COAT = Coat(
    length=0.03,
    count=30000,
    lift=0.1,
    droop=0.3,
    contrast=0.1,
    curl=0.2,
    bare=(EYE, HOOF),
    materials_length=((MANE, 7.0),),
)


def build(swing: float = 0.0) -> Body:
    """Build the horse; `swing` (-1 to 1) moves head and legs."""
    s = swing
    bones = chain(
        [(-0.62, 1.22, 0, 0.32), (-0.2, 1.13, 0, 0.3), (0.25, 1.14, 0, 0.31), (0.55, 1.22, 0, 0.27)], HIDE, 0.2
    )
    bones += chain([(-0.6, 1.42, 0, 0.14), (-0.1, 1.38, 0, 0.09), (0.4, 1.5, 0, 0.09)], HIDE, 0.18)
    bones += both_sides(chain([(-0.75, 1.3, 0.14, 0.2), (-0.7, 1.0, 0.16, 0.19)], HIDE, 0.12))
    hx, hy = 1.12 + 0.03 * s, 1.92 + 0.03 * s
    bones += chain(
        [(0.5, 1.3, 0, 0.25), (0.78, 1.56, 0, 0.175), (0.98, 1.8, 0, 0.13), (hx - 0.05, hy, 0, 0.12)], HIDE, 0.14
    )
    bones += chain(
        [
            (hx, hy, 0, 0.125),
            (hx + 0.16, hy - 0.17, 0, 0.105),
            (hx + 0.36, hy - 0.42, 0, 0.07),
            (hx + 0.42, hy - 0.49, 0, 0.072),
        ],
        HIDE,
        0.05,
    )
    bones += chain([(hx + 0.06, hy - 0.14, 0, 0.13), (hx + 0.22, hy - 0.32, 0, 0.07)], HIDE, 0.06)
    for side in (1, -1):
        bones += [ball(hx + 0.13, hy - 0.05, 0.09 * side, 0.026, EYE, 0.01)]
        bones += [
            Bone(
                (hx - 0.03, hy + 0.1, 0.06 * side),
                (hx + 0.0, hy + 0.27, 0.08 * side),
                0.045,
                0.012,
                HIDE,
                0.02,
                (0.6, 0, 0.8 * side),
                0.5,
            )
        ]
        bones += [ball(hx + 0.455, hy - 0.455, 0.04 * side, 0.018, EYE, 0.01)]
    bones += chain(
        [
            (0.42, 1.58, 0.03, 0.045),
            (0.68, 1.74, 0.04, 0.06),
            (0.88, 1.93, 0.04, 0.06),
            (1.02, 2.05, 0.02, 0.05),
            (1.14, 2.06, 0.0, 0.035),
        ],
        MANE,
        0.03,
    )
    bones += chain(
        [(-0.92, 1.38, 0, 0.05), (-1.05, 1.25, 0, 0.06), (-1.1, 0.9, 0, 0.075), (-1.08, 0.6, 0, 0.03)], MANE, 0.03
    )
    for side, lead in ((0.16, s), (-0.16, -s)):
        f, h = 0.16 * lead, -0.16 * lead
        bones += chain(
            [
                (0.5, 1.1, side, 0.19),
                (0.5 + f * 0.4, 0.82, side, 0.105),
                (0.5 + f * 0.7, 0.55, side, 0.068),
                (0.5 + f, 0.2, side, 0.043),
                (0.53 + f, 0.11, side, 0.045),
            ],
            HIDE,
            0.08,
        )
        bones += chain([(0.545 + f, 0.09, side, 0.05), (0.57 + f, 0.045, side, 0.066)], HOOF, 0.02)
        bones += chain(
            [
                (-0.68, 1.05, side, 0.24),
                (-0.62 + h * 0.4, 0.82, side, 0.13),
                (-0.85 + h * 0.7, 0.56, side, 0.075),
                (-0.82 + h, 0.2, side, 0.047),
                (-0.79 + h, 0.11, side, 0.047),
            ],
            HIDE,
            0.08,
        )
        bones += chain([(-0.775 + h, 0.09, side, 0.05), (-0.75 + h, 0.045, side, 0.066)], HOOF, 0.02)
    return Body(bones, _paint, None, (0.16, 0.1, 0.9, 0.15))


def _paint(p: Array, n: Array, material: NDArray[np.int64]) -> Array:
    coat = np.asarray([0.52, 0.29, 0.15]) * (1 + 0.1 * solid(p, 0.4, 3, 3)[:, None])
    dark = np.clip((0.62 - p[:, 1:2]) * 3, 0, 1)
    muzzle = np.clip((p[:, 0:1] - 1.42) * 8, 0, 1)
    dark = np.maximum(dark, muzzle * 0.85)
    coat = coat * (1 - dark) + np.asarray([0.08, 0.06, 0.05]) * dark
    blaze = (
        (np.abs(p[:, 2]) < 0.032 + 0.01 * solid(p, 0.1, 8, 1)) & (p[:, 0] > 1.2) & (n[:, 0] > 0.3) & (p[:, 1] > 1.45)
    )
    coat[blaze] = (0.92, 0.9, 0.86)
    table = {MANE: (0.09, 0.07, 0.06), EYE: (0.03, 0.02, 0.02), HOOF: (0.16, 0.14, 0.12)}
    for which, colour in table.items():
        coat[material == which] = colour
    return coat.astype(np.float32)
