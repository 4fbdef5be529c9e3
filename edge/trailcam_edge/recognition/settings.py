"""Settings of the live loop and of visits, with their defaults. A value out of range is a ``FieldError``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from trailcam_core.records import Choice, FieldError, Range, check_ranges
from trailcam_edge.camera.settings import CameraSettings, RecoverySettings
from trailcam_edge.events import BLANK_LABELS, NOTHING, PERSON, PERSON_LABELS, UNKNOWN
from trailcam_edge.recognition.schedule import ScheduleSettings
from trailcam_edge.regions import RegionSettings

_Probability = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class VisitSettings:
    """Section ``[visits]``: when frames become a visit.

    A frame is accepted for a label from ``confidence`` on (``label_confidence`` overrides it per label); while a visit
    is open, from ``hold_share`` of that. Frames at least ``vote_spacing_s`` apart are votes. A visit opens with
    ``votes`` votes among the next ``vote_window`` and within ``vote_age_s``. It ends when its label was not accepted
    for ``cool_down_s``, so that two visits of one label are at least that far apart, or at ``longest_s``.

    Labels in ``blank_labels`` and ``person_labels`` (in any case) become these outcomes. Of ``nothing``, ``unknown``
    and ``person``, ``reported_outcomes`` become visits; every other label does. Pictures of people are kept only
    with ``keep_person_pictures``.

    An open visit is reported again when its confidence has grown by ``update_gain``, or its picture is clearly sharper,
    at most every ``update_spacing_s``.

    Only labels in ``allowed`` become visits, if it has any; a label in ``months`` becomes one in these months (1 to 12)
    alone. Outcomes are not concerned. Visits that are suppressed are counted.
    """

    confidence: _Probability = 0.6
    hold_share: _Probability = 0.7
    label_confidence: Mapping[str, _Probability] = field(default_factory=lambda: MappingProxyType({}))
    vote_spacing_s: Annotated[float, Range(0, 60)] = 0.25
    votes: Annotated[int, Range(2, 100)] = 3  # a single frame never makes a visit
    vote_window: Annotated[int, Range(2, 1000)] = 5
    vote_age_s: Annotated[float, Range(0, 3600)] = 10.0
    cool_down_s: Annotated[float, Range(0, 86_400)] = 30.0
    longest_s: Annotated[float, Range(0, 86_400)] = 600.0
    blank_labels: tuple[str, ...] = BLANK_LABELS
    person_labels: tuple[str, ...] = PERSON_LABELS
    reported_outcomes: tuple[Annotated[str, Choice(NOTHING, UNKNOWN, PERSON)], ...] = (PERSON,)
    keep_person_pictures: bool = False
    update_gain: Annotated[float, Range(0.01, 1)] = 0.1
    update_spacing_s: Annotated[float, Range(0, 3600)] = 2.0
    allowed: tuple[str, ...] = ()
    months: Mapping[str, tuple[Annotated[int, Range(1, 12)], ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, low, other in (
            ("vote_window", self.votes, "votes"),
            ("vote_age_s", self.vote_spacing_s * (self.votes - 1), "vote_spacing_s times the votes but one"),
            ("cool_down_s", self.vote_spacing_s, "vote_spacing_s"),
            ("longest_s", self.vote_age_s, "vote_age_s"),
        ):
            if getattr(self, name) < low:
                raise FieldError(name, f"{name} is {getattr(self, name):g}, expected at least {other} ({low:g})")


@dataclass(frozen=True)
class WatchSettings:
    """Section ``[watch]``: at most ``rate_hz`` frames a second are classified; None is as many as possible."""

    rate_hz: Annotated[float, Range(0.001, 1000)] | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class LoopSettings:
    """Settings that the live loop reads."""

    camera: CameraSettings = field(default_factory=CameraSettings)
    recovery: RecoverySettings = field(default_factory=RecoverySettings)
    motion: RegionSettings = field(default_factory=RegionSettings)
    visits: VisitSettings = field(default_factory=VisitSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
