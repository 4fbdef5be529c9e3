"""The regions of one camera, frame by frame.

    luma --compare--> changed pixels --find_regions--> boxes --follow--> regions over time --choose--> one crop
      |                                                                        |
      +------------- learn, relearn, absorb <-- ghosts and what stands still <-+

``advance`` is pure: a state and a frame give the next state. A luma picture of another size begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np

from trailcam_edge.regions.background import Background, Mask, Plane, absorb, begin, compare, learn, relearn
from trailcam_edge.regions.following import FollowedRegion, Following, follow
from trailcam_edge.regions.polygons import Polygon, rasterise
from trailcam_edge.regions.settings import RegionSettings
from trailcam_edge.regions.shapes import Region, find_regions, is_spread, is_turned

LUMA_WIDTH_PX = 320
MIN_LUMA_PX = 8  # of both sides
_GHOST_EDGES = 0.8  # weaker than this beside those of the background: the animal is in the background
_MAX_REGIONS = 16  # more are no animals: the scene has changed
_QUIET_FRAMES = 3  # nothing is proposed before the background has seen this number of frames, for this time:
_QUIET_S = 1.2  # a leaf sways once


@dataclass(frozen=True)
class FinderState:
    """The state of one camera's scene. ``scene_changed`` is True if the newest frame was learned at once."""

    background: Background | None = None
    following: Following = field(default_factory=Following)
    scene_changed: bool = False

    @property
    def is_known(self) -> bool:
        """True once the background has seen enough frames, so that the next may have regions."""
        scene = self.background
        return scene is not None and scene.frames >= _QUIET_FRAMES and scene.time_s - scene.begun_s >= _QUIET_S

    @property
    def regions(self) -> tuple[FollowedRegion, ...]:
        """The regions in the newest frame."""
        return self.following.visible


def shrink_luma(luma: Plane, width_px: int = LUMA_WIDTH_PX) -> Plane:
    """Return a luma picture of at most ``width_px`` columns, with the proportions of the given one."""
    height, width = luma.shape
    if width <= width_px:
        return luma
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def advance(state: FinderState, luma: Plane, time_s: float, settings: RegionSettings) -> FinderState:
    """Take one frame in.

    Args:
        state: before the frame; ``FinderState()`` at first.
        luma: (H, W) uint8 brightness of the upright frame, about 320 px wide; H and W at least 8.
        time_s: of the frame; one that runs backwards counts as the time already reached.
        settings: thresholds and masks.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8 or min(luma.shape) < MIN_LUMA_PX:
        raise ValueError(
            f"expected (H, W) uint8 luma of at least {MIN_LUMA_PX} px a side, got {luma.shape} {luma.dtype}"
        )
    background = state.background
    if background is None or background.mean.shape != luma.shape:
        following, _ = follow(state.following, (), time_s, settings)
        return FinderState(begin(luma, time_s), following, scene_changed=background is not None)
    watched = _watched(luma.shape, settings.ignore, settings.only)
    comparison = compare(background, luma, settings, watched)
    turned = is_turned(comparison)
    is_whole = turned or comparison.changed_fraction > settings.max_fraction or is_spread(comparison)
    is_known = background.frames >= _QUIET_FRAMES and time_s - background.begun_s >= _QUIET_S
    regions = find_regions(comparison, settings) if is_known and not is_whole else ()
    if is_whole or len(regions) > _MAX_REGIONS:
        following, _ = follow(state.following, (), time_s, settings)
        return FinderState(relearn(background, comparison, time_s, settings, turned), following, scene_changed=True)
    following, identifiers = follow(state.following, [region.box for region in regions], time_s, settings)
    following, absorbed = _judge(following, regions, identifiers, settings)
    learned = learn(background, comparison, time_s, settings, _held(following, regions, identifiers))
    for region in absorbed:
        learned = absorb(learned, luma, region.mask)
    return FinderState(learned, following)


def _judge(
    following: Following, regions: Sequence[Region], identifiers: Sequence[int | None], settings: RegionSettings
) -> tuple[Following, list[Region]]:
    """Return the regions that are ghosts or have stood still for too long, and the state without them."""
    shapes = dict(zip(identifiers, regions, strict=True))
    kept: list[FollowedRegion] = []
    absorbed: list[Region] = []
    for followed in following.regions:
        shape = shapes.get(followed.identifier)
        if shape is None:
            kept.append(followed)
            continue
        still_s = followed.seen_s - followed.still_since_s
        since_s = None
        if shape.edge_ratio < _GHOST_EDGES:
            since_s = followed.seen_s if followed.ghost_since_s is None else followed.ghost_since_s
            since_s = max(since_s, followed.still_since_s)
        if still_s >= settings.still_s or (since_s is not None and followed.seen_s - since_s >= settings.ghost_s):
            absorbed.append(shape)
            kept.append(replace(followed, is_visible=False, ghost_since_s=since_s))
        else:
            kept.append(replace(followed, ghost_since_s=since_s))
    return replace(following, regions=tuple(kept)), absorbed


def _held(following: Following, regions: Sequence[Region], identifiers: Sequence[int | None]) -> Mask | None:
    """Return the pixels of regions that came along: a resting animal is not learned before ``still_s``."""
    moved = {region.identifier for region in following.visible if region.has_moved}
    masks = [region.mask for region, identifier in zip(regions, identifiers, strict=True) if identifier in moved]
    return np.bitwise_or.reduce(masks) if masks else None


@lru_cache(maxsize=4)
def _watched(size: tuple[int, int], ignore: tuple[Polygon, ...], only: tuple[Polygon, ...]) -> Mask | None:
    return rasterise(size, ignore, only) if ignore or only else None
