"""Settings of the motion regions. A value out of range is a ``FieldError``."""

from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import FieldError, Range, check_ranges
from trailcam_edge.regions.polygons import Polygon, check_polygon, rasterise

_GRID = (180, 320)  # rows, columns on which the masks are tried


@dataclass(frozen=True)
class RegionSettings:
    """Section ``[motion]``: when part of a frame counts as moving, and what the classifier gets to see of it.

    A length in ``_px`` counts pixels of the luma image, about 320 px wide, except ``min_crop_px``, which counts pixels
    of the image that the crop is cut from.

    Attributes:
        enabled: classify what moves; otherwise every frame as a whole.
        level_step: smallest change of a pixel, in levels of 255; down to half of it in a scene of little contrast.
        deviations: smallest change, in mean absolute deviations of that pixel.
        follow_s: time constant of the background.
        changed_slowdown: how many times slower a changed pixel is learned.
        join_px: regions nearer than this are one.
        min_fraction: smallest region, as a fraction of the frame.
        max_fraction: a frame that changed more than this is learned at once.
        still_s: a region that stands still for so long is learned.
        ghost_s: a region with weaker edges than the background is learned after so long.
        lost_s: a region that is not found again for so long has ended.
        memory_s: how long a place is remembered at which a region never moved.
        crop_margin: side of the crop, in longer sides of the region.
        min_crop_px: smallest side of a crop.
        zoom_every_s: while nothing moves, classify the most conspicuous part of the frame this often; 0 is never. It
            needs a bundle with a feature map.
        ignore: polygons of (x, y) fractions of the upright frame in which nothing is proposed.
        only: polygons outside of which nothing is proposed; none is the whole frame.
    """

    enabled: bool = True
    level_step: Annotated[float, Range(1, 255)] = 12.0
    deviations: Annotated[float, Range(0.5, 20)] = 3.0
    follow_s: Annotated[float, Range(0.5, 600)] = 5.0
    changed_slowdown: Annotated[float, Range(1, 100)] = 8.0
    join_px: Annotated[int, Range(0, 64)] = 4
    min_fraction: Annotated[float, Range(0.0001, 0.5)] = 0.0006
    max_fraction: Annotated[float, Range(0.05, 1)] = 0.6
    still_s: Annotated[float, Range(5, 3600)] = 60.0
    ghost_s: Annotated[float, Range(0.2, 600)] = 2.0
    lost_s: Annotated[float, Range(0.1, 60)] = 2.0
    memory_s: Annotated[float, Range(0, 86_400)] = 600.0
    crop_margin: Annotated[float, Range(1, 4)] = 1.3
    min_crop_px: Annotated[int, Range(16, 4096)] = 160
    zoom_every_s: Annotated[float, Range(0, 86_400)] = 0.0
    ignore: tuple[Polygon, ...] = ()
    only: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.zoom_every_s and not self.enabled:
            raise FieldError("zoom_every_s", "zoom_every_s belongs to motion regions, so enabled must be true")
        for name in ("ignore", "only"):
            for number, polygon in enumerate(getattr(self, name)):
                problem = check_polygon(polygon)
                if problem:
                    raise FieldError(name, f"{name} polygon {number + 1} {problem}")
        if self.ignore and not rasterise(_GRID, self.ignore, self.only).any():
            raise FieldError("ignore", "ignore leaves nothing of the frame to watch; make its polygons smaller")
