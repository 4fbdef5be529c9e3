"""Motion regions: where something moves, followed over frames, and the crop that the classifier gets.

    state = FinderState()
    state = advance(state, shrink_luma(luma), time_s, settings)     # every frame
    region = choose(state.following)                                # at most one crop per invoke
    crop = square_crop(region.box, picture_size, settings.crop_margin, settings.min_crop_px)

Everything is a pure function of its inputs; the live loop keeps the state.
"""

from trailcam_core.images.boxes import Box, Crop, square_crop
from trailcam_edge.regions.answers import MeanLogits, add_logits
from trailcam_edge.regions.finder import LUMA_WIDTH_PX, MIN_LUMA_PX, FinderState, advance, shrink_luma
from trailcam_edge.regions.following import FollowedRegion, Following, choose, follow, may_open_visit, note_look
from trailcam_edge.regions.settings import RegionSettings
from trailcam_edge.regions.still_looks import STILL_REGION, StillLooks, end_series, is_due, may_open, note_still_look

__all__ = [
    "LUMA_WIDTH_PX",
    "MIN_LUMA_PX",
    "STILL_REGION",
    "Box",
    "Crop",
    "FinderState",
    "FollowedRegion",
    "Following",
    "MeanLogits",
    "RegionSettings",
    "StillLooks",
    "add_logits",
    "advance",
    "choose",
    "end_series",
    "follow",
    "is_due",
    "may_open",
    "may_open_visit",
    "note_look",
    "note_still_look",
    "shrink_luma",
    "square_crop",
]
