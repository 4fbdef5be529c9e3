"""Requested stream parameters of a camera."""

from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import Range, check_ranges

_Side = Annotated[int, Range(64, 8192)]


@dataclass(frozen=True)
class StreamConfig:
    """Requested sizes, frame rate and focus; a camera may deliver others, except for a ``focus_m`` it cannot set.

    Crops and stored pictures come from ``picture_size_px``; the Pi camera finds motion in a second stream of
    ``small_size_px``, a USB camera has one stream alone.
    ``frame_rate_hz`` None leaves the rate to the camera. ``focus_m`` is a distance in metres for cameras with a focus
    motor; None is continuous autofocus where available.
    """

    picture_size_px: tuple[_Side, _Side] = (1920, 1080)
    small_size_px: tuple[_Side, _Side] = (640, 480)
    frame_rate_hz: Annotated[float, Range(0.1, 240)] | None = None
    focus_m: Annotated[float, Range(0.05, 1000)] | None = None

    def __post_init__(self) -> None:
        check_ranges(self)
