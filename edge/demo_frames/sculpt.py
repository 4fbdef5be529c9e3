"""Solid animals made of blended round cones.

Axes: x forwards, y up, z to the animal's right, which is towards the viewer; the ground is y = 0.

Source: the exact distance to a round cone and the polynomial smooth minimum are by Inigo Quilez,
https://iquilezles.org/articles/distfunctions (MIT), written anew here for numpy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from noise import Array
from numpy.typing import NDArray

Point = tuple[float, float, float]
Knot = tuple[float, float, float, float]
"""x, y, z and radius."""
Paint = Callable[[Array, Array, NDArray[np.int64]], Array]
"""From points (N, 3), normals (N, 3) and materials (N,) to sRGB colours (N, 3) in 0 to 1."""


@dataclass(frozen=True)
class Bone:
    """A cone with round ends from `a` to `b`; `flat` squeezes it along `axis` by that factor."""

    a: Point
    b: Point
    ra: float
    rb: float
    material: int = 0
    blend: float = 0.1
    axis: Point = (0.0, 0.0, 1.0)
    flat: float = 1.0


def chain(points: Sequence[Knot], material: int = 0, blend: float = 0.1) -> list[Bone]:
    """Join (x, y, z, radius) knots into bones."""
    return [Bone(p[:3], q[:3], p[3], q[3], material, blend) for p, q in pairwise(points)]


def smooth_knots(points: Sequence[Knot], pieces: int) -> list[Knot]:
    """Put `pieces` - 1 more knots between each two of a bent limb, on a Catmull-Rom curve."""
    p = np.asarray([points[0], *points, points[-1]])
    t = np.linspace(0, 1, pieces, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return [(float(x), float(y), float(z), float(r)) for x, y, z, r in (*curve.reshape(-1, 4), p[-1])]


def ball(x: float, y: float, z: float, r: float, material: int = 0, blend: float = 0.1) -> Bone:
    """Make a sphere."""
    return Bone((x, y, z), (x, y + 1e-3, z), r, r, material, blend)


def both_sides(bones: Sequence[Bone]) -> list[Bone]:
    """Add the mirror image of each bone across the plane z = 0."""

    def flip(p: Point) -> Point:
        return (p[0], p[1], -p[2])

    return [*bones, *(replace(b, a=flip(b.a), b=flip(b.b), axis=flip(b.axis)) for b in bones)]


def turned(bones: Sequence[Bone], pivot: Point, yaw_deg: float, pitch_deg: float = 0.0) -> list[Bone]:
    """Turn bones about a pivot: `yaw_deg` swings +x towards the viewer, `pitch_deg` tips +x downwards first."""
    a, b = np.radians(yaw_deg), np.radians(pitch_deg)
    tip = np.asarray([[np.cos(b), np.sin(b), 0], [-np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn = np.asarray([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]) @ tip
    centre = np.asarray(pivot)

    def move(p: Point) -> Point:
        x, y, z = turn @ (np.asarray(p) - centre) + centre
        return (float(x), float(y), float(z))

    def spin(p: Point) -> Point:
        x, y, z = turn @ np.asarray(p)
        return (float(x), float(y), float(z))

    return [replace(bone, a=move(bone.a), b=move(bone.b), axis=spin(bone.axis)) for bone in bones]


def _round_cone(p: Array, bone: Bone) -> Array:
    """Distance from points (N, 3) to a bone's surface, negative inside."""
    a, b = np.asarray(bone.a, np.float32), np.asarray(bone.b, np.float32)
    scale = 1.0
    if bone.flat != 1.0:
        axis = np.asarray(bone.axis, np.float32)
        axis = axis / np.linalg.norm(axis)
        p = p + ((p - a) @ axis)[:, None] * axis * (1 / bone.flat - 1)
        b = b + float((b - a) @ axis) * axis * (1 / bone.flat - 1)
        scale = bone.flat
    ab = b - a
    length2 = float(ab @ ab)
    pa = p - a
    y = pa @ ab
    x2 = np.maximum(np.einsum("ij,ij->i", pa, pa) * length2 - y * y, 0) * length2
    rr = bone.ra - bone.rb
    a2 = max(length2 - rr * rr, 1e-9)
    il = 1 / length2
    z = y - length2
    k = np.sign(rr) * rr * rr * x2
    y2, z2 = y * y * length2, z * z * length2
    side = (np.sqrt(x2 * a2 * il) + y * rr) * il - bone.ra
    end_b = np.sqrt(x2 + z2) * il - bone.rb
    end_a = np.sqrt(x2 + y2) * il - bone.ra
    d = np.where(np.sign(z) * a2 * z2 > k, end_b, np.where(np.sign(y) * a2 * y2 < k, end_a, side))
    return (d * scale).astype(np.float32)


@dataclass(frozen=True)
class Body:
    """Bones with a skin: `paint` colours it, `bump` moves it outwards by a small length."""

    bones: Sequence[Bone]
    paint: Paint
    bump: Callable[[Array], Array] | None = None
    gloss: Sequence[float] = (0.05,)
    centres: Array = field(init=False, repr=False)
    reach: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        centres = [(np.asarray(b.a) + np.asarray(b.b)) / 2 for b in self.bones]
        reach = [
            float(np.linalg.norm(np.asarray(b.a) - np.asarray(b.b))) / 2 + max(b.ra, b.rb) + b.blend for b in self.bones
        ]
        object.__setattr__(self, "centres", np.asarray(centres, np.float32))
        object.__setattr__(self, "reach", np.asarray(reach, np.float32))

    def size(self) -> float:
        """About the body's longest side, the yardstick for steps and soft edges."""
        return float(np.asarray([b.a for b in self.bones]).std(0).max() * 2.2 + 1e-3)

    def distance(self, p: Array) -> Array:
        """Distance (N,) from points (N, 3) to the skin."""
        total = np.full(len(p), 1e3, np.float32)
        gap = self._gap(p)
        for i, bone in enumerate(self.bones):
            near = gap[:, i] < np.maximum(total, 0.0)
            if not near.any():
                continue
            q = p[near]
            d, old, k = _round_cone(q, bone), total[near], bone.blend
            h = np.maximum(k - np.abs(d - old), 0) / k
            total[near] = np.minimum(d, old) - h * h * k * 0.25
        if self.bump is not None:
            close = np.abs(total) < 0.15
            if close.any():
                total[close] -= self.bump(p[close])
        return total

    def nearest(self, p: Array) -> NDArray[np.int64]:
        """Index (N,) of the bone whose surface is nearest to each point."""
        best = np.full(len(p), 1e3, np.float32)
        index = np.zeros(len(p), np.int64)
        gap = self._gap(p)
        for i, bone in enumerate(self.bones):
            rows = np.flatnonzero(gap[:, i] < best)
            if len(rows):
                d = _round_cone(p[rows], bone)
                rows, d = rows[d < best[rows]], d[d < best[rows]]
                index[rows], best[rows] = i, d
        return index

    def material(self, p: Array) -> NDArray[np.int64]:
        """Material (N,) of the nearest bone."""
        return np.asarray([bone.material for bone in self.bones])[self.nearest(p)]

    def flow(self, nearest: NDArray[np.int64]) -> Array:
        """Direction (N, 3) in which hair lies: along the nearest bone."""
        ways = np.asarray([b.b for b in self.bones], np.float32) - np.asarray([b.a for b in self.bones], np.float32)
        return (ways / (np.linalg.norm(ways, axis=1, keepdims=True) + 1e-9))[nearest].astype(np.float32)

    def _gap(self, p: Array) -> Array:
        """Distance (N, bones) from points to the spheres around the bones."""
        away2 = (p * p).sum(1)[:, None] - 2 * p @ self.centres.T + (self.centres**2).sum(1)
        return (np.sqrt(np.maximum(away2, 0)) - self.reach).astype(np.float32)

    def normal(self, p: Array, step: float) -> Array:
        """Outward unit vectors (N, 3)."""
        n = np.zeros_like(p)
        for e in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            v = np.asarray(e, np.float32)
            n += v * self.distance(p + v * step)[:, None]
        return (n / (np.linalg.norm(n, axis=1, keepdims=True) + 1e-9)).astype(np.float32)
