"""A garden cross spider in the plane z = 0, head down, belly away from the viewer; lengths in centimetres.

Also its web, which is flat and drawn straight into the picture.
"""

import cv2
import numpy as np
from fur import Coat
from noise import Array, solid
from numpy.typing import NDArray
from sculpt import Body, ball, chain

ABDOMEN, HEAD, LEG, EYE = range(4)
COAT = Coat(
    length=0.1, count=26000, lift=0.5, droop=0.0, contrast=0.2, curl=0.5, bare=(EYE,), materials_length=((LEG, 1.4),)
)

_FEET = ((1.15, -1.75), (1.75, -0.75), (1.35, 0.55), (1.35, 1.75))
_KNEES = ((0.85, -0.95), (1.05, -0.6), (0.8, 0.15), (1.0, 0.85))


def build(swing: float = 0.0) -> Body:
    """Build the spider; `swing` (-1 to 1) moves its legs."""
    bones = chain([(0, 0.2, 0.1, 0.3), (0, 0.62, 0.16, 0.5), (0, 0.98, 0.1, 0.34), (0, 1.22, 0.02, 0.14)], ABDOMEN, 0.2)
    bones += chain([(0, -0.12, 0.02, 0.25), (0, -0.36, 0.02, 0.16)], HEAD, 0.08)
    for side in (1, -1):
        bones += [ball(0.06 * side, -0.46, 0.12, 0.035, EYE, 0.005), ball(0.12 * side, -0.4, 0.12, 0.025, EYE, 0.005)]
        bones += chain(
            [(0.08 * side, -0.42, 0.0, 0.06), (0.14 * side, -0.62, 0.08, 0.045), (0.1 * side, -0.74, 0.0, 0.03)],
            LEG,
            0.03,
        )
        for i, (foot, knee) in enumerate(zip(_FEET, _KNEES, strict=True)):
            move = 0.12 * swing * (1 if (i + (side > 0)) % 2 else -1)
            fx, fy = foot[0] * side, foot[1] + move
            kx, ky = knee[0] * side, knee[1] + move * 0.5
            root = (0.18 * side, -0.3 + 0.1 * i, 0.0, 0.085)
            shin = (kx * 0.45 + fx * 0.55, ky * 0.45 + fy * 0.55, 0.22, 0.055)
            bones += chain([root, (kx, ky, 0.42, 0.08), shin, (fx, fy, 0.0, 0.03)], LEG, 0.04)
    return Body(bones, _paint, None, (0.12, 0.08, 0.1, 0.9))


def _paint(p: Array, _normals: Array, material: NDArray[np.int64]) -> Array:
    x, y = p[:, 0], p[:, 1]
    skin = np.asarray([0.55, 0.34, 0.17]) * (1 + 0.25 * solid(p, 0.18, 3, 3)[:, None])
    leaf = np.abs(x) < 0.27 - 0.12 * (y - 0.4) + 0.035 * np.sin(y * 26)
    skin = np.where((leaf & (y > 0.05))[:, None], skin * 0.55, skin)
    spot = (solid(p * np.asarray([1, 1, 0.2], np.float32), 0.11, 8, 1) > 0.62)[:, None]
    skin = np.where(spot, np.asarray([0.86, 0.78, 0.6]), skin)
    cross = (np.abs(x) < 0.035) & (y > 0.22) & (y < 0.82) | (np.abs(y - 0.52) < 0.045) & (np.abs(x) < 0.2)
    dash = solid(p, 0.09, 15, 1) > -0.45
    skin[cross & dash] = (0.95, 0.92, 0.82)
    head = material == HEAD
    skin[head] = np.asarray([0.46, 0.32, 0.2]) * (0.8 + 0.4 * (np.abs(x[head])[:, None] > 0.06))
    leg = material == LEG
    band = 0.5 + 0.5 * np.sin(np.hypot(x[leg], y[leg] + 0.2) * 11)
    band = np.clip(band * 3 - 1, 0, 1)[:, None]
    skin[leg] = np.asarray([0.28, 0.16, 0.08]) * (1 - band) + np.asarray([0.74, 0.54, 0.3]) * band
    skin[material == EYE] = (0.03, 0.02, 0.02)
    return skin.astype(np.float32)


def web(picture: Array, centre: tuple[float, float], unit_px: float, seed: int) -> Array:
    """Spin an orb web.

    Args:
        picture: (H, W, 3) sRGB in 0 to 1.
        centre: hub, x and y in pixels.
        unit_px: a centimetre in pixels.
        seed: same seed, same web.

    Returns:
        The picture (H, W, 3) with the web, a copy.
    """
    rng = np.random.default_rng(seed)
    spokes = 30
    angles = np.linspace(0, 2 * np.pi, spokes, endpoint=False) + rng.normal(0, 0.035, spokes)
    layer = np.zeros(picture.shape[:2], np.float32)

    def at(angle: float, r: float) -> tuple[int, int]:
        return (
            int((centre[0] + np.cos(angle) * r * unit_px) * 16),
            int((centre[1] + np.sin(angle) * r * unit_px) * 16),
        )

    for a in angles:
        cv2.line(layer, at(a, 0), at(a, 9), 0.6, 1, cv2.LINE_AA, 4)
    r = 0.35
    while r < 8:
        for i in range(spokes):
            a, b = angles[i], angles[(i + 1) % spokes] + (2 * np.pi if i == spokes - 1 else 0)
            ra, rb = r * (1 + 0.012 * rng.standard_normal()), r * (1 + 0.012 * rng.standard_normal())
            middle = at((a + b) / 2, (ra + rb) / 2 * 0.975)
            line = np.asarray([at(a, ra), middle, at(b, rb)], np.int32)
            cv2.polylines(layer, [line], False, float(rng.uniform(0.35, 0.8)), 1, cv2.LINE_AA, 4)
        r += 0.17 + 0.02 * rng.standard_normal()
    glow = cv2.GaussianBlur(layer, (0, 0), 1.0)
    cover = np.clip(0.55 * layer + 0.5 * glow, 0, 0.8)[..., None]
    return (picture * (1 - cover) + np.asarray([0.93, 0.95, 0.97], np.float32) * cover).astype(np.float32)
