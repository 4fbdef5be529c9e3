"""The time zone of this computer, and when a clip began by it."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path

from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_archive.times.recorded import recorded_time

_LOCAL_TIME = Path("/etc/localtime")
_ZONES = "zoneinfo/"
_CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp"})


def local_zone(variable: str | None = None) -> tuple[tzinfo, str]:
    """Return the time zone of this computer, and its name or offset.

    Args:
        variable: the environment variable ``TZ``, which overrides the settings of the system.
    """
    name = (variable or "").removeprefix(":") or str(_LOCAL_TIME.resolve()).partition(_ZONES)[2]
    try:
        return read_zone(name), name
    except ValueError:
        now = datetime.now().astimezone()
        return now.tzinfo or UTC, now.isoformat()[-6:]


def recorded_at(path: Path, zone: tzinfo) -> datetime | None:
    """Return when a clip began, as its container states it; None if it states no time, or one that cannot be.

    Args:
        path: the file.
        zone: of containers that state none.
    """
    if path.suffix.lower() not in _CLIP_SUFFIXES:
        return None
    try:
        stated = recorded_time(path, "clip")
    except OSError:
        return None
    unix_s = CameraClock(zone).unix_s(stated, datetime.now(UTC))
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
