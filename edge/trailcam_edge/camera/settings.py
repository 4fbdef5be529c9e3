"""Settings of the camera and of its recovery, with their defaults.

Units are in the names, shares run from 0 to 1. A value out of range is a ``FieldError``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from trailcam_core.files.secret_file import read_secret
from trailcam_core.records import FieldError, Range, check_ranges
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.stream_config import StreamConfig


@dataclass(frozen=True)
class CameraSettings(Orientation, StreamConfig):
    """Section ``[camera]``: the frame source, its mounting orientation and the requested stream.

    ``fast`` reads every frame of a video file without keeping its pace. ``source_file`` is a file that contains the
    source on its only line, for an address with a password: mode 640, group trailcam.
    """

    source: str = "demo"
    fast: bool = False
    source_file: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source_file is not None and self.source != "demo":
            raise FieldError("source_file", "source_file and source are both set, expected one of them")

    def resolved(self) -> "CameraSettings":
        """Return the settings with the source of ``source_file``, if that is set.

        Raises:
            ConfigError: the file cannot be read, or others may read it.
        """
        if self.source_file is None:
            return self
        source = read_secret(self.source_file, "source of the camera")
        return replace(self, source=source, source_file=None)


@dataclass(frozen=True)
class RecoverySettings:
    """Section ``[recovery]``: recovery of a live source that stops delivering.

    After ``stall_s`` without a frame the camera counts as blind. A lost source is reopened after ``first_wait_s``; each
    further attempt waits twice as long, up to ``longest_wait_s``. After ``give_up_s`` without a frame the program ends,
    so that the service manager restarts it: only a new process recovers from a hanging driver.
    """

    stall_s: Annotated[float, Range(0.1, 3600)] = 10.0
    first_wait_s: Annotated[float, Range(0.01, 3600)] = 1.0
    longest_wait_s: Annotated[float, Range(0.01, 3600)] = 60.0
    give_up_s: Annotated[float, Range(0.1, 86_400)] = 300.0

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_at_least(self, "longest_wait_s", self.first_wait_s, "first_wait_s")
        _check_at_least(self, "give_up_s", self.stall_s, "stall_s")


def _check_at_least(settings: object, name: str, low: float, other: str) -> None:
    value = getattr(settings, name)
    if value < low:
        raise FieldError(name, f"{name} is {value:g}, expected at least {other} ({low:g})")
