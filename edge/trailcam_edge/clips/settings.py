"""Settings of clips. A value out of range is a ``FieldError``."""

from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import FieldError, Range, check_ranges


@dataclass(frozen=True)
class ClipSettings:
    """Section ``[clips]``: a short video of each visit; off unless present.

    A clip begins ``before_s`` before the first frame of its visit and lasts at most ``longest_s``. It ends 2 s after
    its animal was last recognised, if that is earlier.

    Frames wait in memory as JPEG: ``rate_hz`` a second, the longer side of ``longer_side_px``, together at most
    ``max_memory_mb`` (of 1,000,000 bytes). The video has at most ``max_kbit_s``. Writing one may take
    ``write_timeout_s``.
    """

    before_s: Annotated[float, Range(0, 30)] = 5.0
    longest_s: Annotated[float, Range(1, 60)] = 15.0
    rate_hz: Annotated[float, Range(1, 30)] = 8.0
    longer_side_px: Annotated[int, Range(160, 1920)] = 960
    jpeg_quality: Annotated[int, Range(1, 100)] = 70
    max_memory_mb: Annotated[float, Range(1, 500)] = 24.0
    max_kbit_s: Annotated[int, Range(100, 20_000)] = 1500
    write_timeout_s: Annotated[float, Range(1, 600)] = 120.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.longest_s <= self.before_s:
            raise FieldError(
                "longest_s",
                f"longest_s is {self.longest_s:g}, expected more than before_s ({self.before_s:g}): it includes that",
            )
