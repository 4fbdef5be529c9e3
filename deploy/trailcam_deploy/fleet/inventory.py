"""The devices of a fleet, as a TOML file; a host's settings override its groups', and these the file's.

channel = "animals10"            # of every device without another
source = "picamera2"             # camera, for a new configuration; source_file names a file with an address

[hosts.oak]                      # the device's id
ssh = "pi@10.0.0.7"              # SSH destination; without it the id, from your SSH configuration

[groups.valley]
hosts = ["oak", "brook"]
source = "0"                     # of the hosts of this group
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from trailcam_core.errors import DeployError
from trailcam_core.files.secret_file import read_secret
from trailcam_core.records import Document, Pattern, parse_toml, read_toml
from trailcam_deploy.device.host import Host, host_id


@dataclass(frozen=True, kw_only=True)
class _Settings:
    channel: str | None = None
    source: str | None = None
    source_file: Path | None = None
    live: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that this table has."""
        source = self.source if self.source_file is None else read_secret(self.source_file, "source of the camera")
        values = {"channel": self.channel, "source": source, "live": self.live}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class _HostTable(_Settings):
    ssh: Annotated[str, Pattern(".+", 'a destination such as "pi@10.0.0.7"')] | None = None


@dataclass(frozen=True, kw_only=True)
class _GroupTable(_Settings):
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _InventoryTable(_Settings):
    hosts: Mapping[str, _HostTable] = field(default_factory=dict)
    groups: Mapping[str, _GroupTable] = field(default_factory=dict)


@dataclass(frozen=True)
class Inventory:
    """All devices in the order of the file, and the ids of the hosts of each group."""

    hosts: tuple[Host, ...]
    groups: Mapping[str, tuple[str, ...]]

    def choose(self, group: str | None, only: tuple[str, ...]) -> tuple[Host, ...]:
        """Return the devices of a group, of these the ones in ``only``; without both all devices.

        Raises:
            DeployError: there is no such group or device.
        """
        chosen = [host.id for host in self.hosts]
        if group is not None:
            if group not in self.groups:
                known = ", ".join(self.groups) or "none"
                raise DeployError(f"--group {group}: the inventory has no such group; there are: {known}.")
            chosen = list(self.groups[group])
        for name in only:
            if name not in chosen:
                raise DeployError(f"--only {name}: not among {', '.join(chosen)}.")
        wanted = set(only or chosen)
        return tuple(host for host in self.hosts if host.id in wanted)


def read_inventory(path: Path) -> Inventory:
    """Read an inventory.

    Raises:
        DeployError: it cannot be read, or breaks a rule; the message has the file and the line.
    """
    return _inventory(*read_toml(path, DeployError))


def parse_inventory(text: str, source: str) -> Inventory:
    """Parse the text of an inventory; see ``read_inventory``."""
    return _inventory(*parse_toml(text, source, DeployError))


def _inventory(table: dict[str, Any], document: Document) -> Inventory:
    found = document.decode(_InventoryTable, table)
    if not found.hosts:
        raise document.refuse((), "lists no device, expected tables such as [hosts.oak]")
    of_groups: dict[str, dict[str, Any]] = {}
    for name, group in found.groups.items():
        _check_group(name, group, found, document)
        for member in group.hosts:
            of_groups.setdefault(member, {}).update(group.given())
    hosts = []
    seen: dict[str, str] = {}
    for name, row in found.hosts.items():
        if host_id(name) != name:
            raise document.refuse(
                ("hosts", name), f"hosts.{name}: an id has 1 to 64 of a-z 0-9 . _ - and begins with one of a-z 0-9"
            )
        ssh = row.ssh or name
        if ssh in seen:
            raise document.refuse(
                ("hosts", name), f"hosts.{name} and hosts.{seen[ssh]} are both {ssh}, expected each device once"
            )
        seen[ssh] = name
        hosts.append(Host(name, ssh, **{**found.given(), **of_groups.get(name, {}), **row.given()}))
    return Inventory(tuple(hosts), {name: group.hosts for name, group in found.groups.items()})


def _check_group(name: str, group: _GroupTable, found: _InventoryTable, document: Document) -> None:
    path = ("groups", name, "hosts")
    unknown = [member for member in group.hosts if member not in found.hosts]
    if unknown:
        raise document.refuse(path, f"groups.{name}.hosts names {', '.join(unknown)}, expected ids of [hosts.*]")
    if len(set(group.hosts)) != len(group.hosts):
        raise document.refuse(path, f"groups.{name}.hosts names a device twice")
