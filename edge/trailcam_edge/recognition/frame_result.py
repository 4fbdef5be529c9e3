"""Events of the live loop: one record for each frame, visit, change of a visit, and blind time."""

from dataclasses import dataclass

from trailcam_core.classifier import Classification
from trailcam_core.images.boxes import Box
from trailcam_edge.events import BlindTime, SuppressedVisit, Visit, VisitChange
from trailcam_edge.regions.polygons import Polygon
from trailcam_edge.sources import Frame


@dataclass(frozen=True)
class FrameResult:
    """One frame and its classification; the frame is valid until the next event is requested.

    ``answer`` is None if nothing moved; the model has classified the first frame all the same, so a result proves that
    it runs. ``outcome`` is the label that was counted,
    ``unknown``, ``nothing`` or ``person``, None without an answer. ``age_ms`` is the time since the frame's timestamp,
    ``rate_hz`` the smoothed frame rate of the loop (0 until it is known), ``dropped`` the number of frames that arrived
    while the model was busy, so far; those beyond a requested rate do not count. ``open_labels`` are the labels with an
    open visit.

    ``paused`` is True outside the hours of the schedule: the frame was not classified.

    ``box`` is the region of the answer, None for the whole frame; ``boxes`` are all regions of the frame, ``ignore``
    and ``only`` the masks in use.
    """

    frame: Frame
    answer: Classification | None
    rate_hz: float
    outcome: str | None = None
    age_ms: float = 0.0
    dropped: int = 0
    open_labels: tuple[str, ...] = ()
    box: Box | None = None
    boxes: tuple[Box, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    only: tuple[Polygon, ...] = ()
    paused: bool = False


WatchEvent = FrameResult | Visit | VisitChange | SuppressedVisit | BlindTime
