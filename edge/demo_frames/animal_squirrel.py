"""A grey-brown squirrel sitting up on a log, about 0.25 m high, facing +x; the top of the log is y = 0."""

import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, Bone, ball, chain, smooth_knots

FUR, TAIL, EYE, NOSE, NUT, BARK = range(6)
COAT = Coat(
    length=0.01,
    count=60000,
    lift=0.3,
    droop=0.1,
    contrast=0.22,
    curl=0.5,
    bare=(EYE, NOSE, NUT, BARK),
    materials_length=((TAIL, 3.0),),
)


def build(swing: float = 0.0) -> Body:
    """Build the squirrel; `swing` (-1 to 1) moves head and tail."""
    s = swing * 0.008
    bones = chain([(-0.015, 0.05, 0, 0.045), (0.0, 0.085, 0, 0.042), (0.02, 0.125, 0, 0.03)], FUR, 0.03)
    hx, hy = 0.045 + s, 0.165 + s * 0.5
    bones += chain([(0.025, 0.135, 0, 0.027), (hx, hy, 0, 0.03)], FUR, 0.02)
    bones += chain(
        [(hx, hy, 0, 0.03), (hx + 0.03, hy - 0.012, 0, 0.017), (hx + 0.043, hy - 0.016, 0, 0.01)], FUR, 0.015
    )
    bones += [ball(hx + 0.053, hy - 0.013, 0, 0.0055, NOSE, 0.002)]
    for side in (1, -1):
        bones += [ball(hx + 0.018, hy + 0.006, 0.0225 * side, 0.0066, EYE, 0.002)]
        bones += [
            Bone(
                (hx - 0.012, hy + 0.022, 0.017 * side),
                (hx - 0.018, hy + 0.05, 0.022 * side),
                0.012,
                0.004,
                FUR,
                0.006,
                (0.7, 0, 0.7 * side),
                0.5,
            )
        ]
        bones += chain([(-0.01, 0.045, 0.03 * side, 0.034), (0.025, 0.04, 0.04 * side, 0.022)], FUR, 0.02)
        bones += chain([(0.005, 0.012, 0.035 * side, 0.013), (0.06, 0.008, 0.04 * side, 0.009)], FUR, 0.01)
        bones += chain(
            [(0.025, 0.12, 0.024 * side, 0.014), (0.05, 0.098, 0.026 * side, 0.01), (0.068, 0.113, 0.01 * side, 0.008)],
            FUR,
            0.008,
        )
    bones += [Bone((0.075, 0.118, 0), (0.08, 0.126, 0), 0.012, 0.009, NUT, 0.002)]
    tail = [
        (-0.045, 0.025, 0.0, 0.016),
        (-0.085, 0.04, 0.0, 0.026),
        (-0.1, 0.09, 0.0, 0.033),
        (-0.085 + s, 0.15, 0.0, 0.036),
        (-0.078 + s, 0.2, 0.0, 0.034),
        (-0.1 + 2 * s, 0.235, 0.0, 0.026),
        (-0.13 + 2 * s, 0.235, 0.0, 0.014),
    ]
    bones += chain(smooth_knots(tail, 4), TAIL, 0.02)
    return Body([*bones, *_LOG], _paint, _bark, (0.04, 0.05, 0.9, 0.3, 0.2, 0.02))


_LOG = chain([(-0.6, -0.1, 0.0, 0.085), (0.0, -0.075, 0.0, 0.075), (0.6, -0.08, 0.0, 0.068)], BARK, 0.01)
_LOG += chain([(-0.3, -0.07, 0.05, 0.03), (-0.34, 0.0, 0.1, 0.018), (-0.36, 0.03, 0.11, 0.014)], BARK, 0.02)


def build_log() -> Body:
    """Build the log alone."""
    return Body(_LOG, _paint, _bark, (0.02,))


def _bark(p: Array) -> Array:
    """Furrows along the log, none on the squirrel."""
    wood = np.clip((0.002 - p[:, 1]) * 200, 0, 1)
    return (
        0.008 * np.abs(solid(p * np.asarray([0.35, 1.6, 1.6], np.float32), 0.03, 5, 3)) * wood - 0.003 * wood
    ).astype(np.float32)


def _paint(p: Array, _normals: Array, material: NDArray[np.int64]) -> Array:
    coat = np.asarray([0.41, 0.335, 0.265]) * (1 + 0.14 * solid(p, 0.02, 3, 3)[:, None])
    front = np.clip((p[:, 0:1] - 0.02 - 0.1 * (p[:, 1:2] - 0.08)) * 60, 0, 1) * np.clip((0.147 - p[:, 1:2]) * 60, 0, 1)
    front *= np.clip((0.03 - np.abs(p[:, 2:3])) * 90, 0, 1)
    coat = coat * (1 - front) + np.asarray([0.93, 0.88, 0.8]) * front
    table = {EYE: (0.02, 0.015, 0.015), NOSE: (0.15, 0.08, 0.08), NUT: (0.45, 0.27, 0.12)}
    for which, colour in table.items():
        coat[material == which] = colour
    socket = np.asarray([0.063, 0.171, 0.0225], np.float32)
    mirrored = np.stack([p[:, 0], p[:, 1], np.abs(p[:, 2])], 1)
    ring = np.clip(1.5 - np.linalg.norm(mirrored - socket, axis=1) / 0.008, 0, 1)[:, None]
    ring *= (material == FUR)[:, None]
    coat = coat + (np.asarray([0.85, 0.76, 0.62]) - coat) * 0.7 * ring
    wood = material == BARK
    grain = np.abs(solid(p[wood] * np.asarray([0.35, 1.6, 1.6], np.float32), 0.03, 5, 3))[:, None]
    coat[wood] = np.asarray([0.45, 0.36, 0.28]) * (0.55 + 0.8 * grain)
    tail = material == TAIL
    coat[tail] = np.asarray([0.415, 0.36, 0.315]) * (1 + 0.25 * solid(p[tail], 0.015, 7, 2)[:, None])
    return coat.astype(np.float32)
