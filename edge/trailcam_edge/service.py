"""Trailcam as a systemd service: what is written where, as pure text, and written in one step each.

/etc/systemd/system/trailcam.service    the unit; written anew every time, a drop-in keeps changes
/etc/sysusers.d/trailcam.conf           the user it runs as
/etc/trailcam/trailcam.toml             the configuration; written once, then it is the person's
"""

import re
from dataclasses import dataclass
from pathlib import Path

from trailcam_edge.disk import write_file
from trailcam_edge.errors import DeviceError

__all__ = [
    "CONFIG_PATH",
    "UNIT_PATH",
    "USERS_PATH",
    "Change",
    "install",
    "render_config",
    "render_unit",
    "uninstall",
    "unreachable_folder",
]

UNIT_PATH = Path("etc/systemd/system/trailcam.service")
USERS_PATH = Path("etc/sysusers.d/trailcam.conf")
CONFIG_PATH = Path("etc/trailcam/trailcam.toml")
_DATA = Path(__file__).parent / "data"
_USERS = 'u trailcam - "Trailcam" /var/lib/trailcam\nm trailcam video\n'
_DEVICES = (  # as /proc/devices and the device tree of a Raspberry Pi name them
    "char-video4linux rw",
    "char-media rw",
    "char-drm rw",
    "char-dma_heap rw",
    "/dev/vcio rw",
)
_SAFE_PATH = re.compile(r"/[A-Za-z0-9_./+@-]*")


@dataclass(frozen=True)
class Change:
    """One file, and what was done with it: "written", "unchanged", "kept" or "removed"."""

    path: Path
    done: str


def render_unit(program: str, in_home: bool) -> str:
    """Return the unit's text.

    Args:
        program: the absolute path of ``trailcam``.
        in_home: the program lies in somebody's home, which must then stay readable.

    Raises:
        DeviceError: a path that a unit cannot name without quoting.
    """
    if not _SAFE_PATH.fullmatch(program):
        raise DeviceError(f"{program}: a service needs a path of plain letters. Install Trailcam elsewhere.")
    text = (_DATA / "trailcam.service").read_text(encoding="utf-8")
    values = {
        "program": program,
        "config": f"/{CONFIG_PATH}",
        "protect_home": "read-only" if in_home else "yes",
        "devices": "\n".join(f"DeviceAllow={device}" for device in _DEVICES),
    }
    return _fill(text, values)


def render_config(source: str) -> str:
    """Return the commented configuration for a camera."""
    return _fill((_DATA / "trailcam.toml").read_text(encoding="utf-8"), {"source": source})


def install(root: Path, unit: str, config: str) -> list[Change]:
    """Write what a service needs below ``root``; doing it twice changes nothing.

    Raises:
        OSError: nothing may be written there.
    """
    changes = [_write(root / UNIT_PATH, unit, root), _write(root / USERS_PATH, _USERS, root)]
    place = root / CONFIG_PATH
    if place.exists():
        return [*changes, Change(Path("/") / CONFIG_PATH, "kept")]
    return [*changes, _write(place, config, root)]


def uninstall(root: Path) -> list[Change]:
    """Remove the unit and the user's description; configuration, events and pictures are the person's and stay.

    Raises:
        OSError: nothing may be removed there.
    """
    changes = []
    for path in (UNIT_PATH, USERS_PATH):
        if (root / path).exists():
            (root / path).unlink()
            changes.append(Change(Path("/") / path, "removed"))
    if (root / CONFIG_PATH).exists():
        changes.append(Change(Path("/") / CONFIG_PATH, "kept"))
    return changes


def unreachable_folder(program: Path) -> Path | None:
    """Return the first folder on the way to a program that other users may not pass, or None."""
    for folder in reversed(program.absolute().parents):
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            return folder
    return None


def _write(path: Path, text: str, root: Path) -> Change:
    shown = Path("/") / path.relative_to(root)
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        return Change(shown, "unchanged")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
    return Change(shown, "written")


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
