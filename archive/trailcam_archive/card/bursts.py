"""What moves between the photographs of a burst, as pure functions.

The background is the median of the burst, or the other photograph of two; ``trailcam_edge.regions`` does the rest as
on a camera. A place where an animal was in the background only, a ghost, is left out by its weaker edges.
"""

from collections.abc import Sequence

import numpy as np

from trailcam_core.images.boxes import Box
from trailcam_edge.regions import RegionSettings
from trailcam_edge.regions.background import Background, Plane, begin, compare
from trailcam_edge.regions.shapes import find_regions, is_spread, is_turned

_GHOST_EDGES = 0.8  # as the camera has it
_MAX_REGIONS = 16
_MAX_BOXES = 3  # of one photograph, the largest


def find_moving(lumas: Sequence[Plane], settings: RegionSettings) -> list[tuple[Box, ...]]:
    """Return the places of what moves in each photograph, the largest first, at most three.

    Args:
        lumas: (H, W) uint8 of each photograph in order, of one size, about 320 px wide.
        settings: thresholds.

    Returns:
        One entry per photograph: empty where nothing moves, and where the whole scene changed.
    """
    if len(lumas) < 2 or len({luma.shape for luma in lumas}) > 1 or min(lumas[0].shape) < 8:
        return [()] * len(lumas)
    if len(lumas) == 2:
        first, second = lumas
        return [_moving(begin(second, 0.0), first, settings), _moving(begin(first, 0.0), second, settings)]
    median = np.median(np.stack(lumas), axis=0).astype(np.uint8)
    background = begin(median, 0.0)
    return [_moving(background, luma, settings) for luma in lumas]


def _moving(background: Background, luma: Plane, settings: RegionSettings) -> tuple[Box, ...]:
    comparison = compare(background, luma, settings)
    fraction = comparison.changed_fraction
    if fraction > settings.max_fraction or is_spread(comparison) or is_turned(comparison):
        return ()
    regions = find_regions(comparison, settings)
    if len(regions) > _MAX_REGIONS:
        return ()
    return tuple(region.box for region in regions if region.edge_ratio >= _GHOST_EDGES)[:_MAX_BOXES]
