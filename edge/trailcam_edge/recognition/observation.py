"""What the live loop reports: one record per frame, visit or blind time."""

from dataclasses import dataclass

from trailcam_core.classifier import Classification
from trailcam_edge.events import BlindTime, Visit
from trailcam_edge.sources import Frame

__all__ = ["Happening", "Observation"]


@dataclass(frozen=True)
class Observation:
    """One frame and its answer; the frame may be used until the next happening is asked for.

    ``answer`` is None where the motion gate kept the model from being asked. ``outcome`` is what the frame counts as: a
    label, "unknown", "blank" or "person", None without an answer. ``age_ms`` is the time from the frame's timestamp to
    now, ``rate_hz`` the smoothed frame rate of the whole loop, 0 until it is known, ``dropped`` how many frames nobody
    had time for since the beginning, ``open_labels`` whose visits are under way.
    """

    frame: Frame
    answer: Classification | None
    rate_hz: float
    outcome: str | None = None
    age_ms: float = 0.0
    dropped: int = 0
    open_labels: tuple[str, ...] = ()


Happening = Observation | Visit | BlindTime
