"""A monarch butterfly seen from above, and the flower it sits on: flat drawings, wings narrowed by a flap angle."""

from collections.abc import Sequence

import cv2
import numpy as np
from noise import Array, field

_SIZE = 900  # the drawing board in pixels; the body stands on its left edge
_FORE = (
    (0.0, 0.42),
    (0.1, 0.3),
    (0.35, 0.12),
    (0.66, 0.015),
    (0.84, 0.02),
    (0.87, 0.08),
    (0.78, 0.22),
    (0.68, 0.36),
    (0.62, 0.46),
    (0.3, 0.5),
    (0.0, 0.5),
)
_HIND = (
    (0.0, 0.46),
    (0.3, 0.44),
    (0.55, 0.47),
    (0.64, 0.58),
    (0.6, 0.72),
    (0.46, 0.84),
    (0.3, 0.87),
    (0.16, 0.8),
    (0.06, 0.66),
    (0.0, 0.55),
)
_FORE_CELLS = ((0.83, 0.1), (0.8, 0.19), (0.74, 0.28), (0.68, 0.38), (0.6, 0.45))
_HIND_CELLS = ((0.62, 0.55), (0.62, 0.66), (0.54, 0.77), (0.42, 0.85), (0.29, 0.87), (0.17, 0.8), (0.08, 0.7))


def _smooth(points: Sequence[tuple[float, float]]) -> Array:
    """Close a Catmull-Rom curve through points, (N, 2)."""
    p = np.asarray(points, np.float32)
    a, b, c, d = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, 14, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (q[:, None] for q in (a, b, c, d))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return curve.reshape(-1, 2)


def _wing(
    outline: Sequence[tuple[float, float]],
    root: tuple[float, float],
    cells: Sequence[tuple[float, float]],
    tip_dark: bool,
    seed: int,
) -> tuple[Array, Array]:
    """Draw one wing: colour (S, S, 3) and coverage (S, S)."""
    rng = np.random.default_rng(seed)
    curve = np.round(_smooth(outline) * _SIZE * 16).astype(np.int32)
    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    cv2.fillPoly(mask, [curve], 255, cv2.LINE_AA, 4)
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5) / _SIZE
    y, x = np.mgrid[0:_SIZE, 0:_SIZE].astype(np.float32) / _SIZE
    reach = np.hypot(x - root[0], y - root[1])
    base = (
        np.asarray([0.93, 0.45, 0.07]) * (1 - 0.25 * reach[..., None])
        + np.asarray([0.05, 0.1, 0.02]) * reach[..., None]
    )
    grain = field(_SIZE, _SIZE, 10, seed, 3, 2.0)[..., None]
    colour = (base * (1 + 0.06 * grain)).astype(np.float32)
    black = (0.06, 0.045, 0.04)
    r = np.asarray(root)
    for end in cells:
        e = np.asarray(end)
        bow = np.asarray([-(e - r)[1], (e - r)[0]]) * rng.uniform(-0.05, 0.08)
        t = np.linspace(0, 1, 24)[:, None]
        line = r * (1 - t) ** 2 + 2 * ((r + e) / 2 + bow) * t * (1 - t) + e * t**2
        cv2.polylines(colour, [np.round(line * _SIZE * 16).astype(np.int32)], False, black, 9, cv2.LINE_AA, 4)
    edge = 0.045 + 0.012 * field(_SIZE, _SIZE, 90, seed + 3, 2)
    dark = 1 / (1 + np.exp(np.clip((inside - edge) * 260, -30, 30)))
    if tip_dark:
        dark = np.maximum(dark, 1 / (1 + np.exp(np.clip(-((x - 0.64) - (y - 0.1) * 0.5) * 60, -30, 30))))
    colour = (colour * (1 - dark[..., None]) + np.asarray(black) * dark[..., None]).astype(np.float32)
    full = _smooth(outline)
    centre = full.mean(0)
    for depth, size in ((0.035, 0.0085), (0.06, 0.011)):
        ring = full + (centre - full) * (depth / (np.linalg.norm(centre - full, axis=1, keepdims=True) + 1e-6))
        far = np.hypot(*(ring - r).T) > 0.42 if not tip_dark else ring[:, 0] > 0.52
        for at in ring[far][:: 4 if depth < 0.05 else 6]:
            cv2.circle(
                colour,
                (int(at[0] * _SIZE), int(at[1] * _SIZE)),
                max(int(size * _SIZE * rng.uniform(0.6, 1.1)), 2),
                (0.96, 0.94, 0.9),
                -1,
                cv2.LINE_AA,
            )
    if tip_dark:
        for at in ((0.7, 0.12), (0.735, 0.17), (0.66, 0.075), (0.69, 0.22)):
            cv2.ellipse(
                colour,
                (int(at[0] * _SIZE), int(at[1] * _SIZE)),
                (26, 14),
                30,
                0,
                360,
                (0.95, 0.8, 0.6),
                -1,
                cv2.LINE_AA,
            )
    light = 0.86 + 0.22 * (1 - reach) + 0.05 * np.sin(np.arctan2(y - root[1], x - root[0] + 0.02) * 22)
    return np.clip(colour * light[..., None], 0, 1).astype(np.float32), (mask / 255).astype(np.float32)


def butterfly(picture: Array, at: tuple[float, float], span_px: float, angle_deg: float, flap: float) -> Array:
    """Set the butterfly into a picture.

    Args:
        picture: (H, W, 3) sRGB in 0 to 1.
        at: middle of its body, x and y in pixels.
        span_px: wing span with wings flat.
        angle_deg: turn, clockwise.
        flap: 0 for wings flat, 1 for wings closed upwards.

    Returns:
        The picture with the butterfly, a copy.
    """
    h, w = picture.shape[:2]
    unit = span_px / 2 / (0.87 * _SIZE)
    turn = np.radians(angle_deg)
    spin = np.asarray([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    out = picture
    parts = [(_wing(_HIND, (0.0, 0.5), _HIND_CELLS, False, 4)), (_wing(_FORE, (0.0, 0.45), _FORE_CELLS, True, 5))]
    for side in (-1, 1):
        open_x = np.cos(flap * np.pi / 2 * (0.8 if side > 0 else 1.0))
        shade = 0.78 + 0.25 * open_x if side > 0 else 0.95
        squeeze = np.asarray([[side * open_x, 0.0], [-0.12 * flap, 1.0]]) * unit
        matrix = spin @ squeeze
        offset = np.asarray(at) - matrix @ np.asarray([0.0, 0.5 * _SIZE])
        affine = np.concatenate([matrix, offset[:, None]], 1)
        for colour, cover in parts:
            ink = cv2.warpAffine(colour, affine, (w, h), flags=cv2.INTER_AREA)
            mask = cv2.warpAffine(cover, affine, (w, h), flags=cv2.INTER_AREA)
            cast = cv2.GaussianBlur(
                np.roll(mask, (int(0.05 * span_px), int(0.03 * span_px)), (0, 1)), (0, 0), 0.02 * span_px
            )
            out = out * (1 - 0.28 * cast[..., None])
            out = out * (1 - mask[..., None]) + ink * shade * mask[..., None]
    return _body(out.astype(np.float32), at, span_px, spin)


def _body(picture: Array, at: tuple[float, float], span_px: float, spin: Array) -> Array:
    """Draw abdomen, thorax, head and antennae, (H, W, 3)."""
    out = picture.copy()

    def place(x: float, y: float) -> tuple[int, int]:
        q = np.asarray(at) + spin @ np.asarray([x, y]) * span_px
        return (int(q[0] * 16), int(q[1] * 16))

    for t in np.linspace(0, 1, 60):
        y = -0.13 + 0.33 * t
        r = span_px * (0.012 + 0.013 * np.sin(np.pi * min(t * 1.7, 1)) + 0.007 * np.sin(np.pi * t))
        for dx, tone in ((0.0, 0.09), (-0.005, 0.16), (-0.009, 0.24)):
            cv2.circle(
                out, place(dx, y), int(r * (1 - 45 * abs(dx)) * 16), (tone, tone * 0.9, tone * 0.85), -1, cv2.LINE_AA, 4
            )
    for x, y in ((-0.012, -0.12), (0.012, -0.12), (-0.015, -0.08), (0.015, -0.08), (-0.01, -0.05), (0.01, -0.05)):
        cv2.circle(out, place(x, y), int(span_px * 0.005 * 16), (0.92, 0.9, 0.86), -1, cv2.LINE_AA, 4)
    for side in (-1, 1):
        line = np.asarray(
            [place(side * (0.008 + 0.1 * t**1.3), -0.14 - 0.15 * t) for t in np.linspace(0, 1, 16)], np.int32
        )
        cv2.polylines(out, [line], False, (0.08, 0.07, 0.06), max(int(span_px * 0.006), 1), cv2.LINE_AA, 4)
        cv2.circle(out, tuple(map(int, line[-1])), int(span_px * 0.008 * 16), (0.08, 0.07, 0.06), -1, cv2.LINE_AA, 4)
    return out


def flower(picture: Array, at: tuple[float, float], radius_px: float, seed: int) -> Array:
    """Draw a purple coneflower on its stem: (H, W, 3), a copy."""
    rng = np.random.default_rng(seed)
    out = picture.copy()
    h = picture.shape[0]
    for dx, tone in ((0.0, 0.8), (-0.02, 1.05)):
        stem = np.asarray(
            [
                [at[0] + dx * radius_px + 0.1 * radius_px * np.sin(t * 2), at[1] + (h * 1.1 - at[1]) * t]
                for t in np.linspace(0, 1, 20)
            ]
        )
        cv2.polylines(
            out,
            [stem.astype(np.int32)],
            False,
            (0.25 * tone, 0.42 * tone, 0.16 * tone),
            int(radius_px * 0.09 * (1 if dx == 0 else 0.5)),
            cv2.LINE_AA,
        )
    for ring in range(2):
        for i in range(15):
            a = 2 * np.pi * (i + 0.5 * ring) / 15 + rng.normal(0, 0.06)
            long = radius_px * rng.uniform(0.85, 1.05)
            tone = rng.uniform(0.82, 1.1) * (0.85 + 0.15 * ring)
            t = np.linspace(0, 1, 24)
            wide = 0.14 * radius_px * np.sin(np.pi * np.clip(t, 0, 1) ** 0.7) ** 0.6 * (t < 1) + 2
            for k in np.linspace(-1, 1, 9):
                x = at[0] + np.cos(a) * long * t - np.sin(a) * wide * k
                y = at[1] + (np.sin(a) * long * t + np.cos(a) * wide * k) * 0.8 + 0.12 * long * t**2
                shade = tone * (0.82 + 0.18 * (1 - abs(k)) + 0.08 * np.cos(k * 9))
                line = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
                colour = tuple(float(c) for c in np.clip(np.asarray([0.8, 0.42, 0.66]) * shade, 0, 1))
                cv2.polylines(out, [line], False, colour, max(int(radius_px * 0.045), 1), cv2.LINE_AA, 4)
    golden = np.pi * (3 - np.sqrt(5))
    for i in range(260):
        r = 0.36 * radius_px * np.sqrt(1 - i / 260)
        x, y = (
            at[0] + r * np.cos(i * golden),
            at[1] + r * np.sin(i * golden) * 0.75 - 0.1 * radius_px * (1 - (r / (0.36 * radius_px)) ** 2),
        )
        warm = rng.uniform(0.75, 1.15)
        cv2.circle(
            out,
            (int(x), int(y)),
            max(int(0.026 * radius_px), 1),
            (0.62 * warm, 0.3 * warm, 0.1 * warm),
            -1,
            cv2.LINE_AA,
        )
        cv2.circle(
            out,
            (int(x), int(y - 0.014 * radius_px)),
            max(int(0.011 * radius_px), 1),
            (0.92 * warm, 0.55 * warm, 0.18 * warm),
            -1,
            cv2.LINE_AA,
        )
    return out
