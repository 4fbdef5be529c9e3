"""A golden retriever, about 0.6 m high at the shoulder, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, chain, turned

FUR, EAR, EYE, NOSE, PLUME, TONGUE, FACE = range(7)
COAT = Coat(
    length=0.022,
    count=60000,
    lift=0.15,
    droop=0.35,
    contrast=0.14,
    curl=0.35,
    bare=(EYE, NOSE, TONGUE),
    materials_length=((PLUME, 3.5), (EAR, 1.3), (FACE, 0.35)),
)


def build(swing: float = 0.0) -> Body:
    """Build the dog; `swing` (-1 to 1) moves head, tail and legs."""
    s = swing
    bones = chain(
        [(-0.32, 0.5, 0, 0.12), (-0.1, 0.48, 0, 0.125), (0.15, 0.46, 0, 0.155), (0.25, 0.5, 0, 0.13)], FUR, 0.08
    )
    hx, hy = 0.43, 0.79 + 0.01 * s
    bones += chain([(0.24, 0.55, 0, 0.13), (0.34, 0.67, 0, 0.1), (hx - 0.04, hy - 0.02, 0, 0.09)], FUR, 0.07)
    head = [ball(hx, hy, 0, 0.095, FACE, 0.05), ball(hx + 0.05, hy - 0.03, 0, 0.075, FACE, 0.04)]
    head += chain([(hx + 0.07, hy - 0.035, 0, 0.055), (hx + 0.17, hy - 0.06, 0, 0.043)], FACE, 0.03)
    head += chain([(hx + 0.06, hy - 0.085, 0, 0.04), (hx + 0.14, hy - 0.115, 0, 0.026)], FACE, 0.012)
    head += [Bone((hx + 0.207, hy - 0.035, -0.008), (hx + 0.207, hy - 0.035, 0.008), 0.021, 0.021, NOSE, 0.004)]
    head += [
        Bone((hx + 0.12, hy - 0.095, 0), (hx + 0.165, hy - 0.135, 0), 0.024, 0.02, TONGUE, 0.006, (0.6, 0.8, 0), 0.35)
    ]
    for side in (1, -1):
        head += [ball(hx + 0.094, hy + 0.016, 0.042 * side, 0.0165, EYE, 0.002)]
        head += [
            Bone(
                (hx - 0.02, hy + 0.055, 0.085 * side),
                (hx - 0.015, hy - 0.055, 0.112 * side),
                0.04,
                0.045,
                EAR,
                0.02,
                (0.1, 0.25, 1.0 * side),
                0.3,
            )
        ]
    bones += turned(head, (hx - 0.04, hy, 0.0), 44 + 10 * s, 2)
    bones += chain([(0.3, 0.45, 0, 0.1), (0.22, 0.36, 0, 0.07)], PLUME, 0.06)
    bones += chain([(0.05, 0.34, 0, 0.03), (-0.2, 0.39, 0, 0.03)], PLUME, 0.05)
    for side, lead in ((0.085, s), (-0.085, -s)):
        f, h = 0.06 * lead, -0.06 * lead
        bones += chain(
            [(0.2, 0.45, side, 0.085), (0.17 + f * 0.3, 0.3, side, 0.052), (0.19 + f, 0.06, side, 0.034)], FUR, 0.05
        )
        bones += chain([(0.2 + f, 0.035, side, 0.036), (0.235 + f, 0.03, side, 0.034)], FUR, 0.02)
        bones += chain(
            [
                (-0.3, 0.45, side, 0.1),
                (-0.25 + h * 0.3, 0.3, side, 0.068),
                (-0.36 + h, 0.19, side, 0.035),
                (-0.33 + h, 0.06, side, 0.03),
            ],
            FUR,
            0.05,
        )
        bones += chain([(-0.32 + h, 0.035, side, 0.034), (-0.285 + h, 0.03, side, 0.032)], FUR, 0.02)
    bones += chain([(-0.4, 0.55, 0, 0.045), (-0.52, 0.58, 0.03 * s, 0.035), (-0.64, 0.68, 0.06 * s, 0.03)], PLUME, 0.03)
    return Body(bones, _paint, None, (0.04, 0.03, 0.9, 0.5, 0.04, 0.3))


def _paint(p: Array, n: Array, material: NDArray[np.int64]) -> Array:
    coat = np.asarray([0.78, 0.56, 0.31]) * (1 + 0.1 * solid(p, 0.12, 3, 3)[:, None])
    pale = np.clip(0.5 - n[:, 1:2] * 0.6, 0, 1) * 0.55
    coat = coat * (1 - pale) + np.asarray([0.9, 0.77, 0.56]) * pale
    table = {EYE: (0.05, 0.025, 0.015), NOSE: (0.05, 0.04, 0.04), TONGUE: (0.85, 0.42, 0.42)}
    for which, colour in table.items():
        coat[material == which] = colour
    ear = material == EAR
    coat[ear] = np.asarray([0.68, 0.44, 0.22]) * (1 + 0.12 * solid(p[ear], 0.06, 5, 2)[:, None])
    return coat.astype(np.float32)
