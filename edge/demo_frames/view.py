"""The camera and the light.

World axes: x to the right, y up, z towards the viewer; the ground is y = 0.
"""

from dataclasses import dataclass, replace

import numpy as np
from noise import Array
from sculpt import Point


def _turn_back(p: Point, yaw_deg: float, at: tuple[float, float] = (0.0, 0.0)) -> Point:
    """Move a world point into the axes of a body."""
    x, z, a = p[0] - at[0], p[2] - at[1], np.radians(yaw_deg)
    return (float(x * np.cos(a) + z * np.sin(a)), p[1], float(z * np.cos(a) - x * np.sin(a)))


@dataclass(frozen=True)
class View:
    """A pinhole camera; `zoom` is the focal length in picture widths."""

    eye: Point
    target: Point
    zoom: float
    width: int
    height: int

    def seen_by(self, yaw_deg: float, at: tuple[float, float] = (0.0, 0.0)) -> "View":
        """Move into the axes of a body that stands `at` (x, z), its head turned `yaw_deg` towards the viewer."""
        return replace(self, eye=_turn_back(self.eye, yaw_deg, at), target=_turn_back(self.target, yaw_deg, at))

    def axes(self) -> Array:
        """Rows: right, up, backwards (3, 3)."""
        back = np.asarray(self.eye, np.float32) - np.asarray(self.target, np.float32)
        back /= np.linalg.norm(back)
        right = np.cross(np.asarray([0, 1, 0], np.float32), back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back]).astype(np.float32)

    def rays(self) -> Array:
        """Unit directions (height * width, 3) through the pixel centres."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        f = self.zoom * self.width
        local = np.stack([(x - self.width / 2) / f, (self.height / 2 - y) / f, -np.ones_like(x)], -1).reshape(-1, 3)
        world = local.astype(np.float32) @ self.axes()
        return (world / np.linalg.norm(world, axis=1, keepdims=True)).astype(np.float32)

    def project(self, p: Array) -> Array:
        """Points (N, 3) to pixel x, y and depth (N, 3)."""
        local = (p - np.asarray(self.eye, np.float32)) @ self.axes().T
        depth = -local[:, 2]
        f = self.zoom * self.width
        x = local[:, 0] / depth * f + self.width / 2
        y = self.height / 2 - local[:, 1] / depth * f
        return np.stack([x, y, depth], 1).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """Sun and sky: directions towards the light, linear colours."""

    sun: Point = (-0.5, 0.8, 0.45)
    sun_colour: Point = (2.3, 2.1, 1.75)
    sky_colour: Point = (0.62, 0.72, 0.9)
    ground_colour: Point = (0.26, 0.3, 0.14)

    def seen_by(self, yaw_deg: float) -> "Light":
        """Move into the axes of a body that is turned by `yaw_deg`."""
        return replace(self, sun=_turn_back(self.sun, yaw_deg))

    def direction(self) -> Array:
        """Unit vector (3,) towards the sun."""
        v = np.asarray(self.sun, np.float32)
        return (v / np.linalg.norm(v)).astype(np.float32)
