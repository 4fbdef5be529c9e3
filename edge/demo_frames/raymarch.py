"""Photograph a body: sphere tracing in tiles, sun, sky, soft shadows.

Colours are sRGB in 0 to 1 at the edges and linear light inside the shading.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from noise import Array
from numpy.typing import NDArray
from sculpt import Body
from view import Light, View

_CHUNK = 6000  # points a batch: its arrays stay inside a 1 MB cache
_TILE = 48  # rays a tile, squared: small enough to leave most bones out


@dataclass(frozen=True)
class Shot:
    """A photographed body: (H, W, 3) colour, (H, W) coverage, (H, W) ground shadow, and where its skin is."""

    colour: Array
    alpha: Array
    shadow: Array
    points: Array
    normals: Array
    pixels: NDArray[np.int64]


def _march(body: Body, origin: Array, way: Array, start: float, end: float, steps: int, eps: float) -> Array:
    """Walk along rays (N, 3); distance (N,) of the hit, or infinity."""
    t = np.full(len(way), start, np.float32)
    hit = np.full(len(way), np.inf, np.float32)
    live = np.arange(len(way))
    for _ in range(steps):
        d = body.distance(origin[live] + way[live] * t[live, None])
        done = d < eps
        hit[live[done]] = t[live[done]]
        t[live] += np.maximum(d, eps) * 0.9
        live = live[~done & (t[live] < end)]
        if not len(live):
            break
    return hit


def _sun_seen(body: Body, p: Array, n: Array, light: Light, size: float) -> Array:
    """Soft sun visibility (N,) by a short walk towards the sun; 0 where the skin faces away from it."""
    clear = np.zeros(len(p), np.float32)
    live = np.flatnonzero(n @ light.direction() > 0)
    clear[live] = 1
    way = light.direction()
    start = p + n * 0.012 * size
    t = np.full(len(p), 0.02 * size, np.float32)
    for _ in range(14):
        d = body.distance(start[live] + way * t[live, None])
        clear[live] = np.minimum(clear[live], np.clip(9 * d / t[live], 0, 1))
        t[live] += np.clip(d, 0.025 * size, 0.25 * size)
        live = live[(clear[live] > 0) & (d < 0.6 * size)]
        if not len(live):
            break
    return clear


def _lit(near: Body, body: Body, p: Array, n: Array, eye: Array, light: Light, size: float) -> Array:
    """SRGB colours (N, 3) of skin points; `near` is the part of the body around them."""
    material = near.material(p)
    albedo = np.clip(body.paint(p, n, material), 0, 1) ** 2.2
    sun = light.direction()
    clear = _sun_seen(body, p, n, light, size)
    occlusion = np.ones(len(p), np.float32)
    for step in (0.03, 0.08, 0.18):
        occlusion -= 0.35 * np.clip(step * size - near.distance(p + n * step * size), 0, None) / (step * size)
    occlusion = np.clip(occlusion, 0.15, 1)
    up = (0.5 + 0.5 * n[:, 1])[:, None]
    ambient = up * np.asarray(light.sky_colour) + (1 - up) * np.asarray(light.ground_colour)
    diffuse = np.clip(n @ sun, 0, None) * clear
    radiance = albedo * (ambient * occlusion[:, None] + diffuse[:, None] * np.asarray(light.sun_colour)) * 0.62
    view = eye - p
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    half = view + sun
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.asarray(body.gloss, np.float32)[np.minimum(material, len(body.gloss) - 1)]
    shine = np.clip(np.einsum("ij,ij->i", n, half), 0, 1) ** (12 + 160 * gloss) * gloss * clear
    rim = (1 - np.clip(np.einsum("ij,ij->i", n, view), 0, 1)) ** 3 * 0.12 * up[:, 0]
    radiance += shine[:, None] * np.asarray(light.sun_colour) + (rim * occlusion)[:, None] * np.asarray(
        light.sky_colour
    )
    exposed = 1 - np.exp(-1.25 * np.clip(radiance, 0, None))  # a film's soft shoulder
    return (exposed ** (1 / 2.2) * 1.04).astype(np.float32)


def photograph(body: Body, view: View, light: Light, ground: bool = True) -> Shot:
    """Ray-march a body.

    Args:
        body: what to show.
        view: from where; its width and height are those of the result.
        light: sun and sky.
        ground: whether it stands on y = 0 and throws a shadow there.

    Returns:
        The shot, colours where coverage is 0 are 0.
    """
    eye = np.asarray(view.eye, np.float32)
    size = body.size()
    way = view.rays()
    hits = np.full(len(way), np.inf, np.float32)
    colour = np.zeros((len(way), 3), np.float32)
    normals = np.zeros((len(way), 3), np.float32)
    index = np.arange(len(way)).reshape(view.height, view.width)
    for top in range(0, view.height, _TILE):
        for left in range(0, view.width, _TILE):
            part = index[top : top + _TILE, left : left + _TILE].ravel()
            near, start, end = _in_cone(body, eye, way[part])
            if near is None:
                continue
            hits[part] = _march(near, np.broadcast_to(eye, (len(part), 3)), way[part], start, end, 80, 0.0012 * size)
            found = part[np.isfinite(hits[part])]
            if len(found):
                p = (eye + way[found] * hits[found, None]).astype(np.float32)
                normals[found] = near.normal(p, 0.002 * size)
                colour[found] = _lit(near, body, p, normals[found], eye, light, size)
    pixels = np.flatnonzero(np.isfinite(hits))
    points = (eye + way[pixels] * hits[pixels, None]).astype(np.float32)
    shape = (view.height, view.width)
    shadow = _ground_shadow(body, view, light) if ground else np.zeros(shape, np.float32)
    alpha = np.isfinite(hits).reshape(shape).astype(np.float32)
    return Shot(colour.reshape(*shape, 3), alpha, shadow, points, normals[pixels], pixels)


def _in_cone(body: Body, eye: Array, way: Array) -> tuple[Body | None, float, float]:
    """Keep the bones that a tile of rays (N, 3) can meet; also the distances between which they lie."""
    axis = way.mean(0)
    axis /= np.linalg.norm(axis)
    half = np.arccos(np.clip((way @ axis).min(), -1, 1))
    centre = body.centres - eye
    far = np.linalg.norm(centre, axis=1)
    angle = np.arccos(np.clip(centre @ axis / far, -1, 1))
    keep = np.flatnonzero(angle < half + np.arcsin(np.clip(body.reach / far, 0, 1)))
    if not len(keep):
        return None, 0.0, 0.0
    start, end = (far - body.reach)[keep].min(), (far + body.reach)[keep].max()
    return replace(body, bones=[body.bones[i] for i in keep]), max(float(start), 0.01), float(end)


def _ground_shadow(body: Body, view: View, light: Light) -> Array:
    """Darkness (H, W) in 0 to 1 that the body throws on the ground; worked out at a third of the size."""
    size, eye = body.size(), np.asarray(view.eye, np.float32)
    small = replace(view, width=view.width // 3, height=view.height // 3)
    way = small.rays()
    t = np.where(way[:, 1] < -1e-4, -eye[1] / np.minimum(way[:, 1], -1e-4), np.inf).astype(np.float32)
    p = eye + way * np.where(np.isfinite(t), t, 0)[:, None]
    lo = (body.centres - body.reach[:, None]).min(0)
    hi = (body.centres + body.reach[:, None]).max(0)
    sun = light.direction()
    reach = hi[1] / max(float(sun[1]), 0.2) * np.abs(sun) + 0.1 * size
    near = (p[:, 0] > lo[0] - reach[0]) & (p[:, 0] < hi[0] + reach[0])
    near &= (p[:, 2] > lo[2] - reach[2]) & (p[:, 2] < hi[2] + reach[2])
    todo = np.flatnonzero(near & np.isfinite(t))
    shadow = np.zeros(len(way), np.float32)
    up = np.asarray([0, 1, 0], np.float32)
    for part in np.array_split(todo, len(todo) // _CHUNK + 1):
        if not len(part):
            continue
        q = p[part]
        dark = 1 - _sun_seen(body, q, np.broadcast_to(up, q.shape).astype(np.float32), light, size)
        near_feet = np.clip(1 - body.distance(q + up * 0.05 * size) / (0.25 * size), 0, 1)
        shadow[part] = np.clip(0.62 * dark + 0.35 * near_feet, 0, 0.85)
    return cv2.resize(shadow.reshape(small.height, small.width), (view.width, view.height)).astype(np.float32)
