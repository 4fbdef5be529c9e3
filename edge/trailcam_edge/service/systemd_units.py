"""systemd units of Trailcam: their texts, and their atomic installation.

/etc/systemd/system/trailcam.service         the unit; written anew every time, a drop-in keeps changes
/etc/systemd/system/trailcam-update.service  installs a newer bundle once; only if the configuration has a source
/etc/systemd/system/trailcam-update.timer    starts it periodically
/etc/sysusers.d/trailcam.conf                the user they run as
/etc/trailcam/trailcam.toml                  the configuration; written once, then it belongs to the user
/etc/trailcam/source                         the address of the camera, if it has a password; mode 640, like every
                                             configuration with a password
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import DeviceError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.network.secrets import has_secret
from trailcam_core.records import toml_string
from trailcam_edge.service.cameras import Camera, other_configs

_ONE = Camera()
UNIT_PATH = _ONE.unit_path
UPDATE_PATH, TIMER_PATH = _ONE.update_paths
USERS_PATH = Path("etc/sysusers.d/trailcam.conf")
CONFIG_PATH = _ONE.config_path
SOURCE_PATH = _ONE.source_path
SECRET_MODE = 0o640
_DATA = Path(__file__).parents[1] / "data"
_USERS = 'u trailcam - "Trailcam" /var/lib/trailcam\nm trailcam video\n'
_DEVICES = (  # as /proc/devices and the device tree of a Raspberry Pi name them
    "char-video4linux rw",
    "char-media rw",
    "char-drm rw",
    "char-dma_heap rw",
    "/dev/vcio rw",
)
_NO_RELEASES = (
    '# source = "https://example.org/release"       # or a folder: an inbox; without it by hand, from a stick\n'
    '# channel = "animals10"                        # which bundle of it; both or none'
)
_SAFE_PATH = re.compile(r"/[A-Za-z0-9_./+@-]*")


@dataclass(frozen=True)
class Change:
    """One file and its change: "written", "unchanged", "kept" or "removed"."""

    path: Path
    done: str


def render_unit(program: str, in_home: bool, camera: Camera = _ONE) -> str:
    """Return the text of the camera's unit.

    Args:
        program: the absolute path of ``trailcam``.
        in_home: the program is in a home folder, which must then stay readable.
        camera: of several; the unit is a template for all of them.

    Raises:
        DeviceError: a path that a unit would have to quote.
    """
    return _render(UNIT_PATH, program, in_home, camera)


def render_update_units(program: str, in_home: bool, camera: Camera = _ONE) -> dict[Path, str]:
    """Return the texts of the update's service and timer, by their paths below the root.

    Args and errors are those of ``render_unit``.
    """
    files = zip(camera.update_paths, (UPDATE_PATH, TIMER_PATH), strict=True)
    return {path: _render(template, program, in_home, camera) for path, template in files}


def _render(path: Path, program: str, in_home: bool, camera: Camera) -> str:
    if not _SAFE_PATH.fullmatch(program):
        raise DeviceError(f"{program}: a service needs a path of plain letters. Install Trailcam elsewhere.")
    values = {
        "program": program,
        **camera.unit_values(),
        "protect_home": "read-only" if in_home else "yes",
        "devices": "\n".join(f"DeviceAllow={device}" for device in _DEVICES),
        "protection": (_DATA / "protection.conf").read_text(encoding="utf-8").rstrip("\n"),
    }
    return _fill((_DATA / path.name).read_text(encoding="utf-8"), values)


def render_config(
    source: str | None,
    releases: tuple[str, str] | None = None,
    token_file: str | None = None,
    camera: Camera = _ONE,
    port: int = 8080,
) -> str:
    """Return the commented configuration for a camera.

    Args:
        source: of its frames; None for the one in its file.
        releases: source and channel of its bundle; None for updates by command only.
        token_file: of a live page that listens on the network; None for a page on this machine alone.
        camera: of several.
        port: of the live page.

    Raises:
        ValueError: a text that is not UTF-8.
    """
    live = f'address = "127.0.0.1:{port}"\n# token_file = "/etc/trailcam/token"'
    in_file = f'source_file = "/{camera.source_path}"         # instead: for an address with a password; mode 640'
    wanted, shown_source = _NO_RELEASES, in_file
    if token_file is not None:
        live = f'address = "0.0.0.0:{port}"\ntoken_file = {toml_string(token_file)}'
    if releases is not None:
        wanted = f"source = {toml_string(releases[0])}\nchannel = {toml_string(releases[1])}"
    if source is not None:
        shown_source = f"source = {toml_string(source)}\n# {in_file}"
    values = {
        "camera_source": shown_source,
        "release": wanted,
        "live": live,
        "state_folder": str(camera.state_folder),
        "camera_id": camera.name or "oak",
        "unit": camera.unit,
    }
    return _fill((_DATA / "trailcam.toml").read_text(encoding="utf-8"), values)


def install(
    root: Path,
    unit: str,
    config: str,
    update_units: Mapping[Path, str] | None = None,
    source: str | None = None,
    camera: Camera = _ONE,
) -> list[Change]:
    """Write the files of the service below ``root``; a second call changes nothing.

    Args:
        root: of the system.
        unit: the camera's.
        config: written if there is none.
        update_units: of ``render_update_units``; None removes those that are there.
        source: of the camera, for its file; None if the configuration has it. Written if there was no
            configuration.
        camera: of several; then units are not removed, as another camera may need them.

    Raises:
        OSError: nothing may be written there.
    """
    changes = [_write(root / camera.unit_path, unit, root), _write(root / USERS_PATH, _USERS, root)]
    if update_units is not None:
        changes += [_write(root / path, text, root) for path, text in update_units.items()]
    elif camera.name is None:
        changes += _remove(root, camera.update_paths)
    place = root / camera.config_path
    if place.exists():
        if _holds_secret(place.read_text(encoding="utf-8")):
            place.chmod(place.stat().st_mode & SECRET_MODE)
        return [*changes, Change(Path("/") / camera.config_path, "kept")]
    if source is not None:
        changes.append(_write(root / camera.source_path, f"{source}\n", root, SECRET_MODE))
    return [*changes, _write(place, config, root, SECRET_MODE if _holds_secret(config) else 0o644)]


def secret_files(root: Path, camera: Camera = _ONE) -> list[Path]:
    """Return the files below ``root`` that the group of the service reads."""
    return [
        path
        for path in (root / camera.config_path, root / camera.source_path)
        if path.exists() and _is_restricted(path)
    ]


def _is_restricted(path: Path) -> bool:
    return not path.stat().st_mode & 0o007


def _holds_secret(config: str) -> bool:
    lines = [line for line in config.splitlines() if not line.lstrip().startswith("#")]
    if any(re.match(r"\s*addresses\s*=", line) for line in lines):  # of [notify]: any part of them may be a secret
        return True
    return any(has_secret(text) for line in lines for text in re.findall(r"""["']([^"']*://.*)["']""", line))


def uninstall(root: Path) -> list[Change]:
    """Remove all units and the user's description; configurations, events, pictures and bundles stay.

    Raises:
        OSError: nothing may be removed there.
    """
    named = Camera("any")  # its units are those of every name
    units = (UNIT_PATH, UPDATE_PATH, TIMER_PATH, named.unit_path, *named.update_paths)
    kept = other_configs(root, named)
    changes = _remove(root, (*units, USERS_PATH))
    return [*changes, *(Change(Path("/") / path.relative_to(root), "kept") for path in kept)]


def _remove(root: Path, paths: Sequence[Path]) -> list[Change]:
    changes = []
    for path in paths:
        if (root / path).exists():
            (root / path).unlink()
            changes.append(Change(Path("/") / path, "removed"))
    return changes


def unreachable_folder(program: Path) -> Path | None:
    """Return the first parent folder of a program that other users may not enter, or None."""
    for folder in reversed(program.absolute().parents):
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            return folder
    return None


def _write(path: Path, text: str, root: Path, mode: int = 0o644) -> Change:
    shown = Path("/") / path.relative_to(root)
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        path.chmod(mode)
        return Change(shown, "unchanged")
    make_folder(path.parent)
    write_file(path, content, mode)
    return Change(shown, "written")


def _fill(text: str, values: dict[str, str]) -> str:
    """Fill in the names in braces, in one pass: a value may contain braces."""
    return re.sub(r"\{([a-z_]+)\}", lambda found: values.get(found[1], found[0]), text)
