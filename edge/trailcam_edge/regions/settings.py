"""Settings of the motion regions.

A length in ``_px`` counts pixels of the luma picture, which is about 320 px wide, except ``min_crop_px``, which counts
pixels of the picture that the crop is cut from.
"""

import math
from dataclasses import dataclass

from trailcam_edge.regions.polygons import Polygon, check_polygon, rasterise

_GRID = (180, 320)  # rows, columns on which the masks are tried


@dataclass(frozen=True)
class RegionSettings:
    """When part of a frame counts as moving, and what the classifier gets to see of it.

    Attributes:
        min_level_step: smallest change of a pixel, in levels of 255 (1 to 255).
        deviations: smallest change, in mean absolute deviations of that pixel (0.5 to 20).
        follow_s: time constant of the background (0.5 to 600 s).
        changed_slowdown: how many times slower a changed pixel is learned (1 to 100).
        join_px: regions nearer than this are one (0 to 64 px).
        min_fraction: smallest region, as a fraction of the frame (0.0001 to 0.5).
        max_fraction: a frame that changed more than this is learned at once (0.05 to 1).
        still_s: a region that stands still for so long is learned (5 to 3600 s).
        ghost_s: a region with weaker edges than the background is learned after so long (0.2 to 600 s).
        lost_s: a region that is not found again for so long has ended (0.1 to 60 s).
        memory_s: how long a place is remembered at which a region never moved (0 to 86,400 s).
        crop_margin: side of the crop, in longer sides of the region (1 to 4).
        min_crop_px: smallest side of a crop, in pixels of the picture it is cut from (16 to 4096 px).
        ignore: polygons of (x, y) fractions of the upright frame in which nothing is proposed.
        only: polygons outside of which nothing is proposed; none is the whole frame.

    Raises:
        ValueError: a value out of range; the message begins with the name of the field.
    """

    min_level_step: float = 12.0
    deviations: float = 3.0
    follow_s: float = 5.0
    changed_slowdown: float = 8.0
    join_px: int = 4
    min_fraction: float = 0.0006
    max_fraction: float = 0.6
    still_s: float = 60.0
    ghost_s: float = 2.0
    lost_s: float = 2.0
    memory_s: float = 600.0
    crop_margin: float = 1.3
    min_crop_px: int = 160
    ignore: tuple[Polygon, ...] = ()
    only: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        _check("min_level_step", self.min_level_step, 1, 255)
        _check("deviations", self.deviations, 0.5, 20)
        _check("follow_s", self.follow_s, 0.5, 600)
        _check("changed_slowdown", self.changed_slowdown, 1, 100)
        _check("join_px", self.join_px, 0, 64)
        _check("min_fraction", self.min_fraction, 0.0001, 0.5)
        _check("max_fraction", self.max_fraction, 0.05, 1)
        _check("still_s", self.still_s, 5, 3600)
        _check("ghost_s", self.ghost_s, 0.2, 600)
        _check("lost_s", self.lost_s, 0.1, 60)
        _check("memory_s", self.memory_s, 0, 86_400)
        _check("crop_margin", self.crop_margin, 1, 4)
        _check("min_crop_px", self.min_crop_px, 16, 4096)
        for name in ("ignore", "only"):
            for number, polygon in enumerate(getattr(self, name)):
                problem = check_polygon(polygon)
                if problem:
                    raise ValueError(f"{name} polygon {number + 1} {problem}")
        if self.ignore and not rasterise(_GRID, self.ignore, self.only).any():
            raise ValueError("ignore leaves nothing of the frame to watch; make its polygons smaller")


def _check(name: str, value: float, minimum: float, maximum: float) -> None:
    if not (math.isfinite(value) and minimum <= value <= maximum):
        raise ValueError(f"{name} is {value:g}, expected {minimum:g} to {maximum:g}")
