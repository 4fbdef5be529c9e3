"""A red-brown hen, about 0.45 m high, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, both_sides, chain

PLUMAGE, COMB, EYE, BEAK, LEG, TAIL, PUPIL = range(7)
COAT = Coat(
    length=0.035,
    count=16000,
    lift=0.1,
    droop=0.1,
    contrast=0.22,
    curl=0.15,
    width_px=2,
    bare=(EYE, COMB, BEAK, LEG, PUPIL),
    materials_length=((TAIL, 2.2),),
)


def build(swing: float = 0.0) -> Body:
    """Build the hen; `swing` (-1 to 1) moves head and legs."""
    s = swing
    bones = chain(
        [(0.12, 0.26, 0, 0.085), (0.02, 0.24, 0, 0.11), (-0.1, 0.25, 0, 0.09), (-0.17, 0.3, 0, 0.05)], PLUMAGE, 0.06
    )
    bones += both_sides([Bone((0.06, 0.27, 0.085), (-0.14, 0.25, 0.07), 0.07, 0.03, PLUMAGE, 0.02, flat=0.35)])
    hx, hy = 0.19 + 0.015 * s, 0.45 + 0.01 * s
    bones += chain([(0.12, 0.29, 0, 0.075), (0.165, 0.37, 0, 0.05), (hx, hy, 0, 0.036)], PLUMAGE, 0.05)
    bones += [ball(hx + 0.012, hy + 0.004, 0, 0.036, COMB, 0.01)]
    bones += chain([(hx + 0.04, hy, 0, 0.016), (hx + 0.078, hy - 0.012, 0, 0.003)], BEAK, 0.005)
    for i, (dx, up) in enumerate(((0.035, 0.05), (0.016, 0.066), (-0.006, 0.066), (-0.026, 0.052))):
        bones += [
            Bone(
                (hx + dx * 0.7, hy + 0.03, 0),
                (hx + dx - 0.004, hy + up + 0.003 * i, 0),
                0.014,
                0.009,
                COMB,
                0.006,
                flat=0.5,
            )
        ]
    bones += both_sides(
        [Bone((hx + 0.032, hy - 0.025, 0.012), (hx + 0.034, hy - 0.055, 0.014), 0.01, 0.014, COMB, 0.005, flat=0.5)]
    )
    bones += both_sides(
        [
            ball(hx + 0.02, hy + 0.008, 0.033, 0.0085, EYE, 0.002),
            ball(hx + 0.021, hy + 0.008, 0.039, 0.005, PUPIL, 0.001),
        ]
    )
    for i in range(6):
        a = 0.55 + 0.2 * i
        bones += [
            Bone(
                (-0.16, 0.31, 0.01 * (i % 2)),
                (-0.17 - 0.15 * float(np.cos(a)), 0.31 + 0.15 * float(np.sin(a)), 0.03 * (i % 2) - 0.015),
                0.035,
                0.028,
                TAIL,
                0.015,
                flat=0.3,
            )
        ]
    for side, lead in ((0.045, s), (-0.045, -s)):
        bones += chain([(0.0, 0.19, side, 0.05), (0.0, 0.13, side, 0.025)], PLUMAGE, 0.03)
        x = 0.005 + 0.03 * lead
        bones += chain([(0.0, 0.13, side, 0.011), (x, 0.012, side, 0.009)], LEG, 0.005)
        for dx, dz in ((0.06, 0.0), (0.045, 0.035), (0.045, -0.035), (-0.03, 0.0)):
            bones += [Bone((x, 0.012, side), (x + dx, 0.006, side + dz), 0.008, 0.004, LEG, 0.005)]
    return Body(bones, _paint, None, (0.05, 0.08, 0.6, 0.2, 0.12, 0.1, 0.9))


def _paint(p: Array, _normals: Array, material: NDArray[np.int64]) -> Array:
    scale = np.sin(p[:, 0] * 190 + 3 * solid(p, 0.05, 2, 1)) * np.sin(p[:, 1] * 170 + 3 * solid(p, 0.06, 6, 1))
    coat = np.asarray([0.62, 0.3, 0.13]) * (1 + 0.16 * scale[:, None] + 0.12 * solid(p, 0.04, 3, 3)[:, None])
    hackle = np.clip((p[:, 1:2] - 0.32) * 10, 0, 1)
    coat = coat * (1 - hackle) + np.asarray([0.74, 0.42, 0.17]) * hackle * (1 + 0.2 * solid(p, 0.02, 4, 2)[:, None])
    belly = np.clip((0.2 - p[:, 1:2]) * 14, 0, 1)
    coat = coat * (1 - belly) + np.asarray([0.78, 0.58, 0.36]) * belly
    table = {
        COMB: (0.8, 0.1, 0.09),
        EYE: (0.85, 0.45, 0.1),
        BEAK: (0.85, 0.68, 0.35),
        LEG: (0.86, 0.68, 0.26),
        PUPIL: (0.02, 0.02, 0.02),
    }
    for which, colour in table.items():
        coat[material == which] = colour
    tail = material == TAIL
    coat[tail] = np.asarray([0.28, 0.14, 0.08]) * (1 + 0.4 * solid(p[tail], 0.03, 12, 2)[:, None])
    return coat.astype(np.float32)
