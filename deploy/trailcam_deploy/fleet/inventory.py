"""The list of the devices of a fleet: TOML into frozen dataclasses, unknown keys refused.

channel = "animals10"            # of every device that names none
source = "picamera2"             # camera, for a new configuration

[hosts.oak]                      # the device's id
ssh = "pi@10.0.0.7"              # where it is; without it the id itself, from your SSH configuration

[groups.valley]
hosts = ["oak", "brook"]
source = "0"                     # of the hosts of this group
"""

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trailcam_core.errors import DeployError

__all__ = ["Host", "Inventory", "host_id", "is_address", "parse_inventory", "read_inventory"]

_MAX_BYTES = 1_000_000
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_LONGEST_ID = 64


@dataclass(frozen=True)
class Host:
    """One device: its id, where it is, and what it should be. None is left to the command line."""

    id: str
    ssh: str
    channel: str | None = None
    source: str | None = None
    live: bool | None = None


@dataclass(frozen=True)
class Inventory:
    """All devices, in the order of the file, and which groups they are in."""

    hosts: tuple[Host, ...]
    groups: Mapping[str, tuple[str, ...]]

    def choose(self, group: str | None, only: tuple[str, ...]) -> tuple[Host, ...]:
        """Return the devices of a group, or those that were named, or all.

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


def host_id(destination: str) -> str:
    """Return an id for a device that only an SSH destination is known of: its host's name."""
    name = destination.rpartition("@")[2].lower().partition(".local")[0]
    kept = "".join(letter if letter in _ID_LETTERS else "-" for letter in name).strip("._-")
    return kept[:_LONGEST_ID] or "camera"


def is_address(name: str) -> bool:
    """Say whether a name is an IP address, which tells nothing about a device and may be another's tomorrow."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def read_inventory(path: Path) -> Inventory:
    """Read an inventory.

    Raises:
        DeployError: it cannot be read, or breaks a rule; the message names the place.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{path}: cannot be read ({error}).") from error
    if len(content) > _MAX_BYTES:
        raise DeployError(f"{path}: longer than {_MAX_BYTES:,} bytes, so hardly an inventory.")
    return parse_inventory(text, str(path))


def parse_inventory(text: str, source: str) -> Inventory:
    """Turn TOML into an inventory; see ``read_inventory``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # a table that is there twice is among these
        raise DeployError(f"{source}: not TOML, or a host twice: {error}.") from error
    _refuse_unknown(table, ("channel", "source", "live", "hosts", "groups"), source, "")
    defaults = _settings(table, source, "")
    rows = _table(table, "hosts", source, "")
    if not rows:
        raise DeployError(f"{source}: lists no device, expected tables such as [hosts.oak].")
    groups: dict[str, tuple[str, ...]] = {}
    of_groups: dict[str, dict[str, Any]] = {}
    for name, row in _table(table, "groups", source, "").items():
        place = f"groups.{name}"
        row = _as_table(row, source, place)
        _refuse_unknown(row, ("hosts", "channel", "source", "live"), source, place)
        members = row.get("hosts")
        if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
            raise DeployError(f'{source}: {place}.hosts is {members!r}, expected a list such as ["oak"].')
        strangers = [each for each in members if each not in rows]
        if strangers:
            raise DeployError(f"{source}: {place}.hosts names {', '.join(strangers)}, expected ids of [hosts.*].")
        if len(set(members)) != len(members):
            raise DeployError(f"{source}: {place}.hosts names a device twice.")
        groups[name] = tuple(members)
        for each in members:
            of_groups.setdefault(each, {}).update(_settings(row, source, place))
    hosts = []
    for name, row in rows.items():
        place = f"hosts.{name}"
        row = _as_table(row, source, place)
        _refuse_unknown(row, ("ssh", "channel", "source", "live"), source, place)
        if host_id(name) != name:
            raise DeployError(f"{source}: {place}: an id has 1 to 64 of a-z 0-9 . _ - and begins with one of a-z 0-9.")
        where = row.get("ssh", name)
        if not isinstance(where, str) or not where:
            raise DeployError(f'{source}: {place}.ssh is {where!r}, expected such as "pi@10.0.0.7".')
        hosts.append(Host(name, where, **{**defaults, **of_groups.get(name, {}), **_settings(row, source, place)}))
    _refuse_twice(hosts, source)
    return Inventory(tuple(hosts), groups)


def _refuse_twice(hosts: list[Host], source: str) -> None:
    seen: dict[str, str] = {}
    for host in hosts:
        if host.ssh in seen:
            raise DeployError(
                f"{source}: hosts.{host.id} and hosts.{seen[host.ssh]} are both {host.ssh}, expected each device once."
            )
        seen[host.ssh] = host.id


def _settings(row: Mapping[str, Any], source: str, place: str) -> dict[str, Any]:
    kinds: dict[str, type] = {"channel": str, "source": str, "live": bool}
    assert set(kinds) < {field.name for field in fields(Host)}  # noqa: S101 - one definition
    found = {name: row[name] for name in kinds if name in row}
    for name, value in found.items():
        if type(value) is not kinds[name]:
            expected = "text in quotes" if kinds[name] is str else "true or false"
            raise DeployError(f"{source}: {_dotted(place, name)} is {value!r}, expected {expected}.")
    return found


def _refuse_unknown(row: Mapping[str, Any], known: tuple[str, ...], source: str, place: str) -> None:
    for name in row:
        if name not in known:
            raise DeployError(f"{source}: unknown key {_dotted(place, name)}, expected one of {', '.join(known)}.")


def _table(row: Mapping[str, Any], name: str, source: str, place: str) -> dict[str, Any]:
    return _as_table(row.get(name, {}), source, _dotted(place, name))


def _as_table(value: object, source: str, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DeployError(f"{source}: {place} is {value!r}, expected a table.")
    return value


def _dotted(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
