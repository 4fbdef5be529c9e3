"""Names and paths of the service: of the one camera of a board, or of one of several.

Several cameras are instances of a template unit, ``trailcam@NAME.service``, each with its configuration, folder and
port. Names are kept as they are, so "gate.1" and "gate_1" are two cameras.

/etc/systemd/system/trailcam@.service        for all of them; ``systemctl start trailcam@gate``
/etc/trailcam/cameras/gate.toml              the configuration of one
/etc/trailcam/cameras/gate.source            the address of its camera, if it has a password
/var/lib/trailcam/gate/                      its store and its bundles
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import DeviceError
from trailcam_core.records import shown

SYSTEM = Path("etc/systemd/system")
CAMERAS = Path("etc/trailcam/cameras")
_STATE = Path("/var/lib/trailcam")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # as camera_id over MQTT
_RESERVED = ("pictures", "clips", "set-aside", "update")  # folders of a camera without a name
_FIRST_PORT = 8080


@dataclass(frozen=True)
class Camera:
    """One camera of a board; ``name`` None is the only one."""

    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that cannot be that of a unit, a file and a device.

        Raises:
            DeviceError: it cannot.
        """
        if self.name is not None and (not _NAME.fullmatch(self.name) or self.name in _RESERVED):
            raise DeviceError(
                f"--name is {shown(self.name)}, expected 1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or "
                f"digit, and none of {', '.join(_RESERVED)}."
            )

    @property
    def unit(self) -> str:
        """The name of the unit, as ``systemctl`` takes it."""
        return "trailcam" if self.name is None else f"trailcam@{self.name}"

    @property
    def timer(self) -> str:
        """The name of the timer of the update."""
        return "trailcam-update.timer" if self.name is None else f"trailcam-update@{self.name}.timer"

    @property
    def unit_path(self) -> Path:
        """The file of the unit, below the root."""
        return SYSTEM / ("trailcam.service" if self.name is None else "trailcam@.service")

    @property
    def update_paths(self) -> tuple[Path, Path]:
        """The files of service and timer of the update, below the root."""
        at = "" if self.name is None else "@"
        return SYSTEM / f"trailcam-update{at}.service", SYSTEM / f"trailcam-update{at}.timer"

    @property
    def config_path(self) -> Path:
        """The configuration, below the root."""
        return Path("etc/trailcam/trailcam.toml") if self.name is None else CAMERAS / f"{self.name}.toml"

    @property
    def source_path(self) -> Path:
        """The file with the address of the camera, below the root."""
        return Path("etc/trailcam/source") if self.name is None else CAMERAS / f"{self.name}.source"

    @property
    def state_folder(self) -> Path:
        """The folder that the service may write."""
        return _STATE if self.name is None else _STATE / self.name

    def unit_values(self) -> dict[str, str]:
        """Return the values of the template of the units; ``%i`` is the name of an instance."""
        if self.name is None:
            return {"config": f"/{self.config_path}", "state": "trailcam", "which": ""}
        return {"config": f"/{CAMERAS}/%i.toml", "state": "trailcam/%i", "which": " (%i)"}


def other_configs(root: Path, camera: Camera) -> list[Path]:
    """Return the configurations of the other cameras below a root, that of the camera without a name first."""
    paths = [root / Camera().config_path, *sorted((root / CAMERAS).glob("*.toml"))]
    return [path for path in paths if path.is_file() and path != root / camera.config_path]


def free_port(root: Path, camera: Camera) -> int:
    """Return the first port from 8080 on that no other camera below a root has for its live page."""
    taken = set()
    for path in other_configs(root, camera):
        try:
            address = tomllib.loads(path.read_text(encoding="utf-8")).get("live", {}).get("address", "")
        except (OSError, ValueError, AttributeError):
            continue  # its own start reports it
        port = str(address).rpartition(":")[2]
        taken.add(int(port) if port.isdecimal() else _FIRST_PORT)
    return next(port for port in range(_FIRST_PORT, 65_536) if port not in taken)
