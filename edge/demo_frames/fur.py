"""Hair, wool and feathers: short strokes drawn over a photographed body."""

from dataclasses import dataclass

import cv2
import numpy as np
from noise import Array, solid
from raymarch import Shot
from sculpt import Body
from view import View


@dataclass(frozen=True)
class Coat:
    """How hair looks: `length` in world units, `count` strokes, `lift` off the skin, `droop` downwards."""

    length: float
    count: int
    lift: float = 0.3
    droop: float = 0.3
    contrast: float = 0.18
    width_px: int = 1
    curl: float = 0.35
    bare: tuple[int, ...] = ()
    materials_length: tuple[tuple[int, float], ...] = ()


def comb(shot: Shot, body: Body, view: View, coat: Coat, seed: int) -> tuple[Array, Array]:
    """Draw a coat.

    Args:
        shot: the body as photographed.
        body: the same body, for the lie of the hair.
        view: the view of the shot.
        coat: what kind of hair.
        seed: same seed, same hair.

    Returns:
        colour (H, W, 3) and coverage (H, W), copies.
    """
    rng = np.random.default_rng(seed)
    colour, alpha = shot.colour.copy(), (shot.alpha * 255).astype(np.uint8)
    pick = rng.integers(0, len(shot.pixels), coat.count)
    p, n = shot.points[pick], shot.normals[pick]
    nearest = body.nearest(p)
    material = np.asarray([bone.material for bone in body.bones])[nearest]
    keep = ~np.isin(material, coat.bare)
    pick, p, n, material = pick[keep], p[keep], n[keep], material[keep]
    way = body.flow(nearest[keep])
    way = way - n * np.einsum("ij,ij->i", way, n)[:, None]
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
    wander = np.stack([solid(p, coat.length * 6, seed + i, 2) for i in range(3)], 1) * coat.curl
    way = way + n * coat.lift + wander + np.asarray([0, -coat.droop, 0], np.float32)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
    length = coat.length * rng.uniform(0.5, 1.2, len(p)).astype(np.float32)
    for which, factor in coat.materials_length:
        length[material == which] *= factor
    root, tip = view.project(p), view.project(p + way * length[:, None])
    base = shot.colour.reshape(-1, 3)[shot.pixels[pick]]
    clump = solid(p, coat.length * 2.5, seed + 7, 2)
    tone = 1 + coat.contrast * (rng.standard_normal(len(p)) * 0.6 + clump)
    base = np.clip(base * tone[:, None], 0, 1)
    order = np.argsort(-root[:, 2])
    fixed = np.round(np.stack([root[:, :2], tip[:, :2]], 1) * 16).astype(int)
    for i in order:
        start, end = tuple(map(int, fixed[i, 0])), tuple(map(int, fixed[i, 1]))
        cv2.line(colour, start, end, tuple(map(float, base[i])), coat.width_px, cv2.LINE_8, 4)
        cv2.line(alpha, start, end, 255, coat.width_px, cv2.LINE_8, 4)
    return colour, (alpha / 255).astype(np.float32)
