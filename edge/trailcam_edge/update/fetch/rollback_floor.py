"""Rollback floor: the newest signed versions a device has seen, stored apart from the metadata.

python-tuf rejects older metadata only while it can read the newer one that it has stored; damaged metadata must not
open the way back. The floor is two equal files, so that damage to one of them leaves the other. For each role it holds
the newest version and the keys that signed it: when root names other keys for a role, the floor of that role is
dropped, as TUF requires for the recovery from a fast-forward attack (specification 1.0.33, section 5.3.11). The time is
the newest at which a timestamp was signed.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from trailcam_core.errors import BundleError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.records import Pattern, canonical_json, parse_json
from trailcam_edge.update.errors import RefusedError

ROLES = ("root", "timestamp", "snapshot", "targets")
_FILES = ("floor.0.json", "floor.1.json")
_MAX_BYTES = 65_536
_MAX_NAME = 64
_MAX_CHANNELS = 100
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True)
class SeenVersion:
    """The newest version of a role's metadata, and the sorted ids of the keys that root named for it then."""

    version: int
    keys: str


@dataclass(frozen=True)
class Floor:
    """Minimum versions that are accepted. ``signed_at`` is None until a dated timestamp was seen."""

    roles: dict[str, SeenVersion] = field(default_factory=dict)
    releases: dict[str, int] = field(default_factory=dict)
    signed_at: datetime | None = None


@dataclass(frozen=True)
class _StoredFloor:
    """The form on disk, all texts."""

    keys: dict[str, Annotated[str, Pattern(r".{0,2000}", "the ids of keys")]]
    versions: dict[str, Annotated[str, Pattern(r"[0-9]{1,20}", "a version")]]
    releases: dict[str, Annotated[str, Pattern(r"[0-9]{1,64}", "a number")]]
    signed_at: Annotated[str, Pattern(r"|[0-9T:+.-]{20,40}", "a time with its zone, or empty")]


def trusted_time(floor: Floor, clock: datetime | None) -> datetime:
    """Return the reference time for expiry: that of the clock if it is known, but never before that of the floor.

    Args:
        floor: of this device.
        clock: None if the date cannot be trusted, as on a board without a clock battery.
    """
    known = [moment for moment in (floor.signed_at, clock) if moment is not None]
    return max(known, default=datetime(1970, 1, 1, tzinfo=UTC))


def check_floor(floor: Floor, found: Mapping[str, SeenVersion]) -> None:
    """Refuse metadata that is older than the floor.

    Raises:
        RefusedError: naming the role and both versions.
    """
    for role, seen in floor.roles.items():
        now = found[role]
        if now.version < seen.version and (role == "root" or now.keys == seen.keys):
            raise RefusedError(
                f"{role}.json: version {now.version} is offered, {seen.version} was seen before. "
                "The repository is outdated, or an attacker replays an old one: use the newest."
            )


def advance_floor(
    floor: Floor, found: Mapping[str, SeenVersion], signed_at: datetime | None, clock: datetime | None
) -> Floor:
    """Return the floor after verified metadata; a signing time ahead of a known clock is ignored."""
    if signed_at is not None and clock is not None and signed_at > clock + _CLOCKS_DIFFER:
        signed_at = None
    times = [moment for moment in (floor.signed_at, signed_at) if moment is not None]
    return Floor(dict(found), floor.releases, max(times, default=None))


def with_release(floor: Floor, channel: str, number: int) -> Floor:
    """Return the floor after the index of a channel.

    Raises:
        RefusedError: it is older than the one before.
    """
    before = floor.releases.get(channel, 0)
    if number < before:
        raise RefusedError(f"{channel}: release {number} is offered, {before} was seen before.")
    return replace(floor, releases=floor.releases | {channel: number})


def read_floor(folder: Path) -> Floor:
    """Return the higher floor of the two files; an empty one if neither can be read."""
    found = []
    for name in _FILES:
        with contextlib.suppress(BundleError, OSError, ValueError):
            found.append(_parse((folder / name).read_bytes(), name))
    return max(found, key=_height, default=Floor())


def write_floor(folder: Path, floor: Floor) -> None:
    """Write both files, one after the other; a floor that ``read_floor`` could not read leaves them as they are.

    Raises:
        RefusedError: a version, a list of keys or the number of channels is beyond the limits of the format.
        OSError: the disk is full, read-only or failing.
    """
    content = canonical_json(
        {
            "keys": {role: seen.keys for role, seen in floor.roles.items()},
            "releases": {channel: str(number) for channel, number in floor.releases.items()},
            "signed_at": floor.signed_at.isoformat() if floor.signed_at else "",
            "versions": {role: str(seen.version) for role, seen in floor.roles.items()},
        }
    )
    try:
        _parse(content, "rollback floor")
    except (BundleError, ValueError) as error:
        raise RefusedError(f"{error} The floor is unchanged: check the repository's metadata.") from error
    make_folder(folder)
    for name in _FILES:
        write_file(folder / name, content)


def _height(floor: Floor) -> tuple[int, int, int]:
    versions = [floor.roles[role].version if role in floor.roles else 0 for role in ("root", "timestamp")]
    return versions[0], versions[1], sum(floor.releases.values())


def _parse(content: bytes, source: str) -> Floor:
    table, document = parse_json(content, source, BundleError, _MAX_BYTES)
    stored = document.decode(_StoredFloor, table)
    for name, texts, most in (("keys", stored.keys, len(ROLES)), ("releases", stored.releases, _MAX_CHANNELS)):
        if len(texts) > most:
            document.refuse_value((name,), texts, f"at most {most} keys")
        for key in texts:
            if len(key) > _MAX_NAME or not key.isprintable():
                document.refuse_value((name, key), texts[key], f"a printable name of at most {_MAX_NAME} characters")
    return Floor(
        {role: SeenVersion(int(stored.versions[role]), stored.keys[role]) for role in ROLES if role in stored.versions},
        {channel: int(number) for channel, number in stored.releases.items()},
        datetime.fromisoformat(stored.signed_at) if stored.signed_at else None,
    )
