"""Settings of updates: releases, self-test limits and the trial of a new bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from trailcam_core.records import FieldError, Pattern, Range, check_ranges

UPDATE_FOLDER = Path("/var/lib/trailcam/update")
TRUST_FOLDER = Path("/etc/trailcam")
_DAY_S = 86_400.0
_SOURCE = Pattern(r"(https://|/).*", "an https:// address or the absolute path of a folder")


@dataclass(frozen=True)
class UpdateSettings:
    """Section ``[update]``: the source of releases, the limits of a bundle and the rule of its trial.

    ``folder`` holds the journal and the bundles. Without ``source`` and ``channel`` only "trailcam
    update SOURCE" installs bundles.

    Self-test: 90 % of the images take at most ``max_latency_ms``, the process at most ``max_memory_mb``. The defaults
    keep two images a second, and a Raspberry Pi of 512 MB alive; with the built-in bundle the process takes 84 MB on
    x86-64.

    Trial: a candidate is committed after ``healthy_s`` of uninterrupted health, and rolled back ``give_up_s`` after a
    start without it, or after ``most_starts`` starts. A camera whose ``current`` link has changed ends, so that the
    service manager restarts it, once no visit is open or after ``switch_wait_s``.
    """

    folder: Path = UPDATE_FOLDER
    source: Annotated[str, _SOURCE] | None = None
    channel: str | None = None
    max_latency_ms: Annotated[float, Range(1, 600_000)] = 500.0
    max_memory_mb: Annotated[float, Range(1, 1_000_000)] = 300.0
    healthy_s: Annotated[float, Range(1, _DAY_S)] = 600.0
    give_up_s: Annotated[float, Range(1, 7 * _DAY_S)] = 3600.0
    most_starts: Annotated[int, Range(1, 1000)] = 3
    switch_wait_s: Annotated[float, Range(0, _DAY_S)] = 600.0

    def __post_init__(self) -> None:
        check_ranges(self)
        if (self.source is None) != (self.channel is None):
            named = "channel" if self.source is None else "source"
            raise FieldError(
                named, "source and channel belong together: set both, or neither to update only by command"
            )
        if self.give_up_s < self.healthy_s:
            raise FieldError(
                "give_up_s", f"give_up_s is {self.give_up_s:g}, expected at least healthy_s ({self.healthy_s:g})"
            )


def trusted_file(folder: Path, name: str) -> Path:
    """Return the path of ``root.json`` or ``device-id`` for the update in ``folder``.

    A provisioned camera has them in ``TRUST_FOLDER``, where root alone writes. Another folder than the camera's, and a
    camera that was set up by hand or by an earlier version, has them in ``folder``.
    """
    provisioned = TRUST_FOLDER / name
    return provisioned if folder == UPDATE_FOLDER and provisioned.exists() else folder / name
