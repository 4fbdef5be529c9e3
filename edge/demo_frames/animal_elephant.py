"""An African elephant, about 2.7 m high, facing +x."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, both_sides, chain

SKIN, TUSK, EYE, NAIL = 0, 1, 2, 3
COAT = Coat(length=0.02, count=0)


def build(swing: float = 0.0) -> Body:
    """Build the elephant; `swing` (-1 to 1) moves trunk and legs."""
    s = swing
    bones = chain(
        [(-1.35, 1.75, 0, 0.62), (-0.5, 1.68, 0, 0.8), (0.45, 1.75, 0, 0.7), (0.95, 1.95, 0, 0.5)], SKIN, 0.35
    )
    bones += chain([(0.95, 2.0, 0, 0.48), (1.5, 2.2, 0, 0.42), (1.72, 2.05, 0, 0.33)], SKIN, 0.3)
    bones += [ball(1.5, 2.42, 0, 0.3, SKIN, 0.25)]
    bones += chain(
        [
            (1.75, 2.05, 0, 0.29),
            (2.05, 1.6, 0, 0.21),
            (2.15 + 0.05 * s, 1.1, 0, 0.165),
            (2.1 + 0.12 * s, 0.65, 0, 0.125),
            (2.2 + 0.2 * s, 0.34, 0, 0.1),
            (2.36 + 0.22 * s, 0.26, 0, 0.08),
        ],
        SKIN,
        0.08,
    )
    bones += both_sides(
        chain(
            [(1.8, 1.85, 0.22, 0.085), (2.2, 1.5, 0.3, 0.065), (2.5, 1.5, 0.3, 0.045), (2.72, 1.66, 0.26, 0.02)],
            TUSK,
            0.02,
        )
    )
    bones += both_sides(
        [
            Bone((1.12, 2.2, 0.62), (0.78, 1.95, 0.84), 0.55, 0.55, SKIN, 0.05, (0.45, 0.05, 0.9), 0.13),
            Bone((1.12, 2.0, 0.62), (0.95, 1.45, 0.78), 0.5, 0.25, SKIN, 0.05, (0.45, 0.05, 0.9), 0.13),
        ]
    )
    bones += both_sides([ball(1.72, 2.2, 0.315, 0.045, EYE, 0.01)])
    for side, lead in ((0.42, s), (-0.42, -s)):
        bones += chain(
            [
                (0.75, 1.5, side, 0.36),
                (0.8 + 0.12 * lead, 0.8, side, 0.24),
                (0.8 + 0.25 * lead, 0.2, side, 0.21),
                (0.82 + 0.25 * lead, 0.1, side, 0.24),
            ],
            SKIN,
            0.15,
        )
        bones += chain(
            [
                (-1.25, 1.5, side, 0.46),
                (-1.1 - 0.1 * lead, 0.85, side, 0.27),
                (-1.25 - 0.25 * lead, 0.2, side, 0.2),
                (-1.23 - 0.25 * lead, 0.1, side, 0.23),
            ],
            SKIN,
            0.15,
        )
    bones += chain(
        [(-1.9, 1.95, 0, 0.07), (-2.05, 1.5, 0.03, 0.045), (-2.05, 1.05, 0.06, 0.03), (-2.05, 0.85, 0.06, 0.05)],
        SKIN,
        0.08,
    )
    return Body(bones, _paint, _wrinkles, (0.03, 0.35, 0.9, 0.1))


def _wrinkles(p: Array) -> Array:
    """Skin folds: bands across the trunk and shallow cracks elsewhere, none on ears and tusks."""
    cracks = np.clip(np.abs(solid(p * np.asarray([1, 2.2, 1], np.float32), 0.2, 3, 2)) * 3, 0, 1)
    trunk = np.clip((p[:, 0] - 1.75) * 4, 0, 1) * np.clip((0.19 - np.abs(p[:, 2])) * 20, 0, 1)
    rings = np.sin(p[:, 1] * 62 + 2 * solid(p, 0.3, 8, 1)) * trunk
    smooth = np.clip((np.abs(p[:, 2]) - 0.5) * 8, 0, 1) * np.clip((p[:, 1] - 1.3) * 6, 0, 1)
    return (0.006 * (cracks - 1) * (1 - smooth) * (p[:, 0] < 1.75) + 0.005 * rings).astype(np.float32)


def _paint(p: Array, n: Array, material: NDArray[np.int64]) -> Array:
    skin = np.asarray([0.45, 0.43, 0.42]) * (1 + 0.16 * solid(p, 0.5, 11, 4)[:, None])
    cracks = np.clip(np.abs(solid(p * np.asarray([1, 2.2, 1], np.float32), 0.13, 3, 3)) * 4, 0, 1)[:, None]
    skin = skin * (0.84 + 0.16 * cracks)
    dust = np.clip(n[:, 1:2] * 0.4 + 0.1 * solid(p, 0.8, 5, 2)[:, None], 0, 1) + np.clip(0.5 - p[:, 1:2], 0, 1) * 0.4
    skin = skin * (1 - dust * 0.5) + np.asarray([0.6, 0.5, 0.4]) * dust * 0.5
    table = {TUSK: (0.9, 0.86, 0.74), EYE: (0.05, 0.035, 0.03), NAIL: (0.6, 0.55, 0.48)}
    for which, colour in table.items():
        skin[material == which] = colour
    return skin.astype(np.float32)
