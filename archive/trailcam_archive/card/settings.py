"""Settings of the reading of a card."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from trailcam_core.records import Range, check_ranges
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.regions import RegionSettings


@dataclass(frozen=True)
class CardSettings:
    """How recordings become visits.

    Attributes:
        gap_s: recordings that begin at most so long after the end of the one before are one sequence.
        start: when the one recording of a station that states no time began, with a zone; None leaves it unknown.
        clips_are_local: containers that are defined in UTC hold local time, as many trail cameras write it.
        visits: which confidence a label needs, and which labels are outcomes.
        motion: what counts as moving.
    """

    gap_s: Annotated[float, Range(0, 86_400)] = 60.0
    start: datetime | None = None
    clips_are_local: bool = False
    visits: VisitSettings = field(default_factory=VisitSettings)
    motion: RegionSettings = field(default_factory=RegionSettings)

    def __post_init__(self) -> None:
        check_ranges(self)
