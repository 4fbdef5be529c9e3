"""Times of recordings on the command line: the zone of this computer, and when a clip began."""

import os
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from trailcam_archive.media_files import media_kind
from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_archive.times.recorded import recorded_time

_LOCAL_TIME = Path("/etc/localtime")
_ZONES = "zoneinfo/"


def local_zone() -> tuple[tzinfo, str]:
    """Return the time zone of this computer, and its name or offset."""
    name = os.environ.get("TZ", "").removeprefix(":") or str(_LOCAL_TIME.resolve()).partition(_ZONES)[2]
    try:
        return read_zone(name), name
    except ValueError:
        now = datetime.now().astimezone()
        return now.tzinfo or UTC, now.isoformat()[-6:]


def recorded_at(path: Path) -> datetime | None:
    """Return when a clip began, as its container states it; None if it states no time, or one that cannot be.

    A container that states no zone is read in that of this computer.
    """
    if media_kind(path.name) != "clip":
        return None
    try:
        stated = recorded_time(path, "clip")
    except OSError:
        return None
    unix_s = CameraClock(local_zone()[0]).unix_s(stated, datetime.now(UTC))
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
