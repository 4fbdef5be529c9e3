"""Places for animals: meadow, savanna, farmyard, wood, and blurred green for close-ups.

Pictures are (H, W, 3) float32 sRGB in 0 to 1. A `Place` has a part behind the animal and blades in front of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from noise import Array, field
from view import View

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """`back` (H, W, 3), and what stands before the animal: `front` (H, W, 3) with coverage `front_alpha` (H, W)."""

    back: Array
    front: Array
    front_alpha: Array


@dataclass(frozen=True)
class Outdoor:
    """An open place. Lengths in world units, `*_at` in picture heights above the horizon."""

    sky_top: Colour = (0.42, 0.6, 0.85)
    sky_low: Colour = (0.82, 0.88, 0.92)
    hills: Sequence[Colour] = ((0.55, 0.64, 0.66), (0.36, 0.48, 0.36))
    hills_at: Sequence[float] = (0.08, 0.035)
    trees: Colour = (0.16, 0.27, 0.12)
    trees_at: float = 0.12
    trunks: int = 0
    ground_far: Colour = (0.5, 0.58, 0.3)
    ground_near: Colour = (0.3, 0.42, 0.16)
    blade: Colour = (0.36, 0.5, 0.18)
    blade_length: float = 0.12
    blade_count: int = 24000
    flowers: int = 0
    clouds: float = 0.5
    blur_px: float = 5.0
    light: float = 1.0


def _blur(picture: Array, sigma: float) -> Array:
    """Gaussian blur; unchanged below a third of a pixel."""
    return cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32) if sigma > 0.33 else picture


def _mix(a: Array, b: Array, weight: Array) -> Array:
    """Blend (H, W, 3) pictures by weight (H, W)."""
    return (a * (1 - weight[..., None]) + b * weight[..., None]).astype(np.float32)


def _horizon(view: View) -> float:
    """Row of the horizon in pixels."""
    back = view.axes()[2]
    pitch = np.arcsin(np.clip(back[1], -1, 1))
    return float(view.height / 2 - np.tan(pitch) * view.zoom * view.width)


def _tones(colour: Colour, noise: Array, strength: float) -> Array:
    """Paint noise in one colour: (H, W, 3)."""
    return (np.asarray(colour, np.float32) * (1 + strength * noise)[..., None]).astype(np.float32)


def outdoor(view: View, style: Outdoor, seed: int, animal_z: float = 0.0) -> Place:
    """Paint an open place.

    Args:
        view: camera; its width and height are those of the result.
        style: what the place looks like.
        seed: same seed, same place.
        animal_z: blades nearer than this go to the front part.

    Returns:
        The place.
    """
    h, w = view.height, view.width
    horizon = _horizon(view)
    rows = np.arange(h, dtype=np.float32)[:, None] + np.zeros((1, w), np.float32)
    rise = np.clip(rows / max(horizon, 1), 0, 1)
    sky = _mix(
        _tones(style.sky_top, field(h, w, h, seed), 0.01), _tones(style.sky_low, field(h, w, h, seed), 0.01), rise
    )
    cloud = np.clip(field(h, w, h * 0.22, seed + 1, 5, 2.4) * 0.6 - 0.2, 0, 1) * style.clouds
    picture = _mix(sky, np.full_like(sky, 0.95), cloud)
    for i, (colour, at) in enumerate(zip(style.hills, style.hills_at, strict=True)):
        edge = horizon - h * at * (1 + 0.5 * field(1, w, w * 0.4, seed + 2 + i, 3)[0])
        picture = _mix(picture, _tones(colour, field(h, w, h * 0.03, seed + 20 + i), 0.05), np.clip(rows - edge, 0, 1))
    if style.trees_at > 0:
        picture = _trees(picture, style, horizon, seed)
    picture = _blur(picture, style.blur_px * h / 720)
    picture = _ground(picture, view, style, horizon, rows, seed)
    front, front_alpha = np.zeros_like(picture), np.zeros((h, w), np.float32)
    if style.blade_count:
        _blades(picture, None, view, style, seed, animal_z, front=False)
        near = picture.copy()
        mask = np.zeros((h, w), np.uint8)
        _blades(near, mask, view, style, seed, animal_z, front=True)
        front, front_alpha = near, (mask / 255).astype(np.float32)
    return Place((picture * style.light).astype(np.float32), (front * style.light).astype(np.float32), front_alpha)


def _trees(picture: Array, style: Outdoor, horizon: float, seed: int) -> Array:
    """Draw a row of crowns at the horizon, and trunks where the style has them."""
    h, w = picture.shape[:2]
    rng = np.random.default_rng(seed + 5)
    if style.trunks:
        dark = _tones(style.trees, field(h, w, h * 0.12, seed + 6, 5), 0.35)
        picture = _mix(picture, dark, np.full((h, w), 0.86, np.float32))
        for _ in range(style.trunks):
            x, wide = rng.uniform(0, w), h * rng.uniform(0.012, 0.05)
            tone = rng.uniform(0.6, 1.5)
            colour = tuple(float(c * tone) for c in (0.24, 0.19, 0.14))
            cv2.line(
                picture,
                (int(x), -5),
                (int(x + rng.normal() * 0.04 * w), int(horizon + h * 0.03)),
                colour,
                max(int(wide), 1),
                cv2.LINE_AA,
            )
    for _ in range(900):
        x = rng.uniform(-0.05 * w, 1.05 * w)
        top = style.trees_at * (0.75 + 0.35 * np.sin(x / w * 9 + seed) + 0.2 * np.sin(x / w * 23 + 2 * seed))
        y = horizon - h * max(top, 0.02) * rng.uniform(0, 1) ** 0.7
        tone = 0.65 + 0.6 * (horizon - y) / (h * style.trees_at + 1) + rng.normal() * 0.12
        colour = tuple(float(np.clip(c * tone, 0, 1)) for c in style.trees)
        r = h * rng.uniform(0.008, 0.03)
        cv2.ellipse(picture, (int(x), int(y)), (int(r * 1.3) + 1, int(r) + 1), 0, 0, 360, colour, -1, cv2.LINE_AA)
    return picture


def _ground(picture: Array, view: View, style: Outdoor, horizon: float, rows: Array, seed: int) -> Array:
    """Lay the ground: two colours by distance, with patches that shrink towards the horizon."""
    h, w = picture.shape[:2]
    way = view.rays().reshape(h, w, 3)
    t = view.eye[1] / np.maximum(-way[..., 1], 1e-3)
    depth = np.clip(t, 0, 60 * view.eye[1])
    x, z = view.eye[0] + way[..., 0] * depth, view.eye[2] + way[..., 2] * depth
    patch = field(1024, 1024, 60, seed + 9, 5)
    unit = 300 / max(view.eye[1] * 4, 1e-3)
    u, v = (
        (1023 - np.abs(np.mod(q * unit + 300, 2046) - 1023)).astype(np.float32) for q in (x, z)
    )  # to and fro: no seam
    tone = cv2.remap(patch, u, v, cv2.INTER_LINEAR)
    near = np.clip((rows - horizon) / (h - horizon + 1), 0, 1) ** 0.6
    base = np.asarray(style.ground_far) * (1 - near[..., None]) + np.asarray(style.ground_near) * near[..., None]
    base = base * (1 + 0.1 * tone * np.clip(near * 2, 0.2, 1))[..., None]
    return _mix(picture, base.astype(np.float32), np.clip((rows - horizon) / (0.008 * h), 0, 1))


def _blades(
    picture: Array, mask: Array | None, view: View, style: Outdoor, seed: int, animal_z: float, *, front: bool
) -> None:
    """Draw blades of grass from far to near into `picture`, and into `mask` where there is one."""
    rng = np.random.default_rng(seed + (31 if front else 30))
    eye_z, count = view.eye[2], style.blade_count
    distance = eye_z - animal_z
    if front:
        z = animal_z + (distance * 0.75) * rng.uniform(0, 1, count // 3) ** 1.2
    else:
        z = animal_z - distance * 6 * rng.uniform(0, 1, count) ** 2.2
    z = np.sort(z)
    half = (eye_z - z) / view.zoom * 0.62
    x = view.target[0] + rng.uniform(-1, 1, len(z)) * half
    long = style.blade_length * rng.uniform(0.3, 1.1, len(z)) ** 1.5
    bend = rng.normal(0, 0.45, len(z)) * long
    zero = np.zeros_like(x)
    root = view.project(np.stack([x, zero, z], 1).astype(np.float32))
    mid = view.project(np.stack([x + bend * 0.35, long * 0.6, z], 1).astype(np.float32))
    tip = view.project(np.stack([x + bend, long * 0.95, z], 1).astype(np.float32))
    tone = np.clip(0.85 + rng.normal(0, 0.2, len(z)), 0.35, 1.5)
    dry = rng.uniform(0, 1, len(z)) ** 5
    flower = rng.uniform(0, 1, len(z)) < style.flowers / max(count, 1)
    for i in range(len(z)):
        colour = np.asarray(style.blade) * tone[i] * (1 - dry[i]) + np.asarray([0.72, 0.66, 0.4]) * dry[i]
        shade = tuple(float(c) for c in np.clip(colour, 0, 1))
        thick = max(1, int(0.004 * view.height / 720 * view.width * style.blade_length / root[i, 2] * view.zoom * 5))
        line = np.round(np.stack([root[i, :2], mid[i, :2], tip[i, :2]]) * 16).astype(np.int32)
        for canvas, ink in ((picture, shade), (mask, 255)):
            if canvas is None:
                continue
            cv2.polylines(canvas, [line], False, ink, min(thick, 5), cv2.LINE_AA, 4)
            if flower[i]:
                r = max(int(view.width * view.zoom * style.blade_length * 0.07 / root[i, 2]), 1)
                bloom = (0.95, 0.93, 0.9) if i % 3 else (0.95, 0.82, 0.2)
                cv2.circle(
                    canvas, (int(tip[i, 0]), int(tip[i, 1])), r, bloom if canvas is picture else 255, -1, cv2.LINE_AA
                )


def bokeh(height: int, width: int, colours: Sequence[Colour], seed: int, discs: int = 140) -> Array:
    """Paint an out-of-focus background of soft discs.

    Args:
        height: rows.
        width: columns.
        colours: what the discs are painted in; the first is the ground tone.
        seed: same seed, same picture.
        discs: how many.

    Returns:
        (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    picture = _tones(colours[0], field(height, width, height * 0.5, seed, 3), 0.18)
    for i in range(discs):
        layer = picture.copy()
        r = int(height * rng.uniform(0.02, 0.14))
        at = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        colour = np.asarray(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.8, 1.2)
        cv2.circle(layer, at, r, tuple(float(c) for c in np.clip(colour, 0, 1)), -1, cv2.LINE_AA)
        picture = picture * 0.72 + layer * 0.28
        if i % 20 == 19:
            picture = _blur(picture.astype(np.float32), height * 0.012)
    return _blur(picture.astype(np.float32), height * 0.014)
