"""Everything that a person can set about watching, with its defaults.

Plain frozen dataclasses: units are in the names, shares run from 0 to 1, and a value that makes no sense is a
``ValueError`` that names the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from trailcam_edge.events import BLANK, PERSON, UNKNOWN
from trailcam_edge.sources.orientation import View

__all__ = ["CameraSettings", "MotionSettings", "RecoverySettings", "VisitSettings", "WatchSettings"]


@dataclass(frozen=True)
class CameraSettings:
    """Which source, how it hangs, and what a camera is asked for.

    ``roi`` is x, y, width, height as shares of the upright picture. ``fast`` takes every frame of a video file as fast
    as it can. ``frame_rate_hz`` and ``focus_m`` None leave the rate to the camera and the focus to its motor.
    """

    source: str = "demo"
    fast: bool = False
    flip: bool = False
    rotate_deg: int = 0
    roi: tuple[float, float, float, float] | None = None
    picture_size_px: tuple[int, int] = (1920, 1080)
    small_size_px: tuple[int, int] = (640, 480)
    frame_rate_hz: float | None = None
    focus_m: float | None = None

    @property
    def view(self) -> View:
        """How the camera hangs."""
        return View(self.flip, self.rotate_deg, self.roi)

    def __post_init__(self) -> None:
        _ = self.view  # refuses what makes no sense
        for name in ("picture_size_px", "small_size_px"):
            for side_px in getattr(self, name):
                _within(name, side_px, 64, 8192)
        if self.frame_rate_hz is not None:
            _within("frame_rate_hz", self.frame_rate_hz, 0.1, 240)
        if self.focus_m is not None:
            _within("focus_m", self.focus_m, 0.05, 1000)


@dataclass(frozen=True)
class RecoverySettings:
    """What happens when a live source falls silent.

    Silent for ``stall_s``, it counts as blind. Lost, it is opened again after ``first_wait_s``, then after twice that
    and so on up to ``longest_wait_s``. Silent for ``give_up_s``, the program ends, so that the service manager starts
    everything afresh: a driver that hangs is cured by nothing less.
    """

    stall_s: float = 10.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    give_up_s: float = 300.0

    def __post_init__(self) -> None:
        _within("stall_s", self.stall_s, 0.1, 3600)
        _within("first_wait_s", self.first_wait_s, 0.01, 3600)
        _within("longest_wait_s", self.longest_wait_s, self.first_wait_s, 3600)
        _within("give_up_s", self.give_up_s, self.stall_s, 86_400)


@dataclass(frozen=True)
class MotionSettings:
    """When a frame is worth looking at, on a small grey picture of about 80 px.

    A pixel changed if it is ``level_step`` (of 255) away from the background; the frame did if ``changed_share`` of its
    pixels have. The background follows the scene within about ``follow_s``; after the last motion frames pass for
    ``hold_s`` more.
    """

    enabled: bool = False
    level_step: float = 12.0
    changed_share: float = 0.005
    follow_s: float = 5.0
    hold_s: float = 3.0

    def __post_init__(self) -> None:
        _within("level_step", self.level_step, 1, 255)
        _within("changed_share", self.changed_share, 0, 1)
        _within("follow_s", self.follow_s, 0.1, 3600)
        _within("hold_s", self.hold_s, 0, 3600)


@dataclass(frozen=True)
class VisitSettings:
    """When frames become a visit.

    A frame is accepted for a label from ``confidence`` on (``label_confidence`` overrides it per label); while a visit
    is open, from ``hold_share`` of that. Frames at least ``vote_spacing_s`` apart are votes. A visit opens with
    ``votes`` votes among the next ``vote_window`` and within ``vote_age_s``. It ends when its label was not accepted
    for ``cool_down_s``, so that two visits of one label are at least that far apart, or at ``longest_s``.

    Labels in ``blank_labels`` and ``person_labels`` (in any case) become these outcomes. Of blank, unknown and person,
    ``reported_outcomes`` become visits; every other label does. Pictures of people are kept only if asked for.
    """

    confidence: float = 0.6
    hold_share: float = 0.7
    label_confidence: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    vote_spacing_s: float = 0.25
    votes: int = 3
    vote_window: int = 5
    vote_age_s: float = 10.0
    cool_down_s: float = 30.0
    longest_s: float = 600.0
    blank_labels: tuple[str, ...] = ("blank", "empty", "background", "nothing")
    person_labels: tuple[str, ...] = ("person", "human", "people")
    reported_outcomes: tuple[str, ...] = (PERSON,)
    keep_person_pictures: bool = False

    def __post_init__(self) -> None:
        _within("confidence", self.confidence, 0, 1)
        _within("hold_share", self.hold_share, 0, 1)
        for label, confidence in self.label_confidence.items():
            _within(f"label_confidence of {label!r}", confidence, 0, 1)
        _within("vote_spacing_s", self.vote_spacing_s, 0, 60)
        _within("votes", self.votes, 2, 100)  # one frame never makes a visit
        _within("vote_window", self.vote_window, self.votes, 1000)
        _within("vote_age_s", self.vote_age_s, self.vote_spacing_s * (self.votes - 1), 3600)
        _within("cool_down_s", self.cool_down_s, self.vote_spacing_s, 86_400)
        _within("longest_s", self.longest_s, self.vote_age_s, 86_400)
        for outcome in self.reported_outcomes:
            if outcome not in (BLANK, UNKNOWN, PERSON):
                raise ValueError(f"reported_outcomes holds {outcome!r}, expected blank, unknown or person")


@dataclass(frozen=True)
class WatchSettings:
    """All of it. ``rate_hz`` is how many frames a second are classified at most; None is as many as the machine can."""

    camera: CameraSettings = field(default_factory=CameraSettings)
    recovery: RecoverySettings = field(default_factory=RecoverySettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    visits: VisitSettings = field(default_factory=VisitSettings)
    rate_hz: float | None = None

    def __post_init__(self) -> None:
        if self.rate_hz is not None:
            _within("rate_hz", self.rate_hz, 0.001, 1000)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}, expected {low:g} to {high:g}")
