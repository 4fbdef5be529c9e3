"""Follow regions over frames and choose the one that is classified next, as pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trailcam_core.images.boxes import Box
from trailcam_edge.regions.settings import RegionSettings

MIN_OVERLAP = 0.2  # of the smaller box, between two frames
_MAX_SPEED = 0.5  # frame widths a second, where two boxes do not overlap any more: at one frame a second
_MIN_REACH = 1.0  # in longer sides of the box, however short the time
_MAX_GROWTH = 4.0  # of the area from frame to frame, where two boxes do not overlap
_MISSED_FRAMES = 2.5  # at few frames a second a region may be missed twice before it has ended
_MOVED = 0.5  # in longer sides: a region whose centre came that far has moved
_STILL = 0.15  # in longer sides: a region whose centre stays within has not moved since
_MIN_MOVE = 0.02  # of the frame: a box of a few pixels trembles by more than its own side
_FIRST_PLACE_S = 5.0  # a still region leaves a memory of its place from this age on
_MAX_PLACES = 64


@dataclass(frozen=True)
class FollowedRegion:
    """A region over the time in which it is seen.

    ``identifier`` is unique within one following. ``anchor`` is the box since which the region stands still, from
    ``still_since_s`` on. ``has_moved`` is true once its centre came half of its longer side away from ``first_box``.
    ``looks`` counts its classified crops, the last at frame number ``looked_at``.
    """

    identifier: int
    box: Box
    first_box: Box
    anchor: Box
    first_s: float
    seen_s: float
    still_since_s: float
    has_moved: bool = False
    is_visible: bool = True
    ghost_since_s: float | None = None
    looks: int = 0
    looked_at: int = -1


@dataclass(frozen=True)
class StillPlace:
    """A place at which a region was seen that never moved, and until when."""

    box: Box
    seen_s: float


@dataclass(frozen=True)
class Following:
    """Regions that are followed, oldest first, and places at which regions never moved."""

    regions: tuple[FollowedRegion, ...] = ()
    places: tuple[StillPlace, ...] = ()
    next_identifier: int = 1
    time_s: float | None = None

    @property
    def visible(self) -> tuple[FollowedRegion, ...]:
        """The regions that are in the newest frame."""
        return tuple(region for region in self.regions if region.is_visible)


def follow(
    following: Following, boxes: Sequence[Box], time_s: float, settings: RegionSettings
) -> tuple[Following, tuple[int | None, ...]]:
    """Take the boxes of one frame in.

    A box continues the region it overlaps most. One that overlaps none continues the nearest region of about its size
    that could have come so far in the time; any other begins a region.

    Args:
        following: before this frame.
        boxes: regions of the frame, largest first.
        time_s: of the frame; one that runs backwards counts as the time already reached.
        settings: ``lost_s`` and ``memory_s``.

    Returns:
        The next state, and the identifier of the region that each box belongs to.
    """
    before_s = time_s if following.time_s is None else following.time_s
    time_s = max(time_s, before_s)
    elapsed_s = time_s - before_s
    pairs = _match(following.regions, boxes, elapsed_s)
    identifiers: list[int | None] = [None] * len(boxes)
    regions, places = [], list(following.places)
    lost_s = max(settings.lost_s, _MISSED_FRAMES * elapsed_s)
    for number, region in enumerate(following.regions):
        if number in pairs:
            identifiers[pairs[number]] = region.identifier
            regions.append(_move(region, boxes[pairs[number]], time_s))
        elif time_s - region.seen_s < lost_s:
            regions.append(replace(region, is_visible=False))
        elif not region.has_moved and region.seen_s - region.first_s >= _FIRST_PLACE_S:
            places.append(StillPlace(region.box, region.seen_s))
    next_identifier = following.next_identifier
    for number, box in enumerate(boxes):
        if identifiers[number] is None:
            regions.append(FollowedRegion(next_identifier, box, box, box, time_s, time_s, time_s))
            identifiers[number] = next_identifier
            next_identifier += 1
    kept = tuple(place for place in places if time_s - place.seen_s <= settings.memory_s)[-_MAX_PLACES:]
    return Following(tuple(regions), kept, next_identifier, time_s), tuple(identifiers)


def choose(following: Following) -> FollowedRegion | None:
    """Return the visible region whose crop is classified now: the largest that was not yet, then each in turn."""
    return min(following.visible, key=lambda region: (region.looked_at, -region.box.area), default=None)


def note_look(following: Following, identifier: int, frame_number: int) -> Following:
    """Return the state after a region's crop was classified in frame ``frame_number`` (0 or more)."""
    regions = tuple(
        replace(region, looks=region.looks + 1, looked_at=frame_number) if region.identifier == identifier else region
        for region in following.regions
    )
    return replace(following, regions=regions)


def may_open_visit(following: Following, region: FollowedRegion, settings: RegionSettings) -> bool:
    """Return whether a region may open a visit.

    One that has moved may. One that never moved may not once it has stood for ``still_s``, nor where another region
    that never moved was seen within ``memory_s``: a branch in the wind comes back to its place, an animal comes along.
    """
    if region.has_moved:
        return True
    if region.seen_s - region.first_s >= settings.still_s:
        return False
    return not any(place.box.overlap(region.box) >= MIN_OVERLAP for place in following.places)


def _match(regions: Sequence[FollowedRegion], boxes: Sequence[Box], elapsed_s: float) -> dict[int, int]:
    """Return the number of the box that continues each region, by number: by overlap first, then by distance."""
    overlapping, near = [], []
    for number, region in enumerate(regions):
        for candidate, box in enumerate(boxes):
            common = region.box.common_area(box)
            if region.box.overlap(box) >= MIN_OVERLAP:
                overlapping.append((-common, number, candidate))
            elif (distance := region.box.distance(box)) <= _reach(region.box, elapsed_s) and _is_alike(region.box, box):
                near.append((distance, number, candidate))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, number, candidate in (*sorted(overlapping), *sorted(near)):
        if number not in pairs and candidate not in taken:
            pairs[number] = candidate
            taken.add(candidate)
    return pairs


def _reach(box: Box, elapsed_s: float) -> float:
    return max(_MIN_REACH * box.longer_side, _MAX_SPEED * min(elapsed_s, 1.0))


def _is_alike(box: Box, other: Box) -> bool:
    return max(box.area, other.area) <= _MAX_GROWTH * min(box.area, other.area)


def _move(region: FollowedRegion, box: Box, time_s: float) -> FollowedRegion:
    side = max(region.first_box.longer_side, box.longer_side)
    stays = box.distance(region.anchor) <= max(_STILL * side, _MIN_MOVE)
    return replace(
        region,
        box=box,
        anchor=region.anchor if stays else box,
        seen_s=time_s,
        still_since_s=region.still_since_s if stays else time_s,
        has_moved=region.has_moved or box.distance(region.first_box) > max(_MOVED * side, 2 * _MIN_MOVE),
        is_visible=True,
    )
