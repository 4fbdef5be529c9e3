"""When to look a second time while nothing moves, and whether that may open a visit, as pure functions.

    nothing moves --zoom_every_s--> look --named--> look again, up to five times --> wait for zoom_every_s
                                      |--not named--> wait for zoom_every_s

Five looks are what a visit needs for its votes. A place that was named all along is remembered like a region that never
moved: it opens one visit, and no other until it has not been named for ``memory_s``. A stone that a model takes for a
sheep is one false visit, not one in every minute.
"""

from dataclasses import dataclass

from trailcam_core.images.boxes import Box
from trailcam_edge.regions.following import MIN_OVERLAP, StillPlace
from trailcam_edge.regions.settings import RegionSettings

STILL_REGION = 0  # the number of the region of these answers; those that move begin with 1
LOOKS = 5  # of one series
_SPACING_S = 0.5  # between two looks of one series
_MAX_PLACES = 16


@dataclass(frozen=True)
class StillLooks:
    """The state: ``looks`` of the present series, the time of the last, and places that were named all along."""

    looks: int = 0
    looked_s: float | None = None
    places: tuple[StillPlace, ...] = ()


def is_due(state: StillLooks, time_s: float, settings: RegionSettings) -> bool:
    """Return whether to look now.

    Args:
        state: before the frame.
        time_s: of the frame; nothing moves in it.
        settings: ``zoom_every_s``, 0 for never.
    """
    if not settings.zoom_every_s:
        return False
    if state.looked_s is None:
        return True
    wait_s = min(_SPACING_S, settings.zoom_every_s) if state.looks else settings.zoom_every_s
    return time_s - state.looked_s >= wait_s or time_s < state.looked_s


def note_still_look(state: StillLooks, box: Box, is_named: bool, time_s: float, settings: RegionSettings) -> StillLooks:
    """Return the state after a look.

    Args:
        state: before the look.
        box: where the look was.
        is_named: the answer is a label.
        time_s: of the frame.
        settings: ``memory_s``.
    """
    looks = state.looks + 1 if is_named else 0
    places = tuple(place for place in state.places if 0 <= time_s - place.seen_s <= settings.memory_s)
    known = any(place.box.overlap(box) >= MIN_OVERLAP for place in places)
    if is_named and (known or looks >= LOOKS):
        places = (*(place for place in places if place.box.overlap(box) < MIN_OVERLAP), StillPlace(box, time_s))
    return StillLooks(looks % LOOKS, time_s, places[-_MAX_PLACES:])


def end_series(state: StillLooks) -> StillLooks:
    """Return the state once something moves: the next look begins a series."""
    return StillLooks(0, state.looked_s, state.places)


def may_open(state: StillLooks, box: Box) -> bool:
    """Return whether a second look in a box may open a visit: not where one was seen that was named all along."""
    return not any(place.box.overlap(box) >= MIN_OVERLAP for place in state.places)
