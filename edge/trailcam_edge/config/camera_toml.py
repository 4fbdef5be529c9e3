"""The configuration file of a camera: one TOML section for each settings class.

Every component owns its settings class; a key of the file is a field of the class. ``[store]``, ``[clips]``,
``[live]``, ``[update]`` and each of ``[sinks.*]``, ``[notify.*]`` and ``[actions.*]`` are off unless present. Relative
paths are resolved against the file's folder. ``trailcam service install`` writes a file with every key, commented out.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from trailcam_core.errors import ConfigError
from trailcam_core.network.secrets import has_secret
from trailcam_core.records import Document, FieldError, Range, check_ranges, parse_toml, read_toml, shown
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.events import CLOSED
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.sinks.actions.settings import ActionSettings
from trailcam_edge.sinks.notify.settings import NotifySettings
from trailcam_edge.sinks.settings import SinksSettings
from trailcam_edge.store.settings import CollectSettings, StoreSettings
from trailcam_edge.update.settings import UpdateSettings

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_REPLACED = {  # keys of [motion] before there were regions
    "changed_share": "use min_fraction, the smallest region as a fraction of the frame (0.0006)",
    "hold_s": "remove it; a region that stands still is watched for still_s (60 s)",
}


@dataclass(frozen=True)
class ModelSettings:
    """Section ``[model]``: the bundle that classifies.

    ``bundle`` None is the active bundle of the updater or, without ``[update]``, the built-in one; ``threads`` None is
    one for each core, at most 4.
    """

    bundle: Path | None = None
    threads: Annotated[int, Range(1, 64)] | None = None

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Config(LoopSettings):
    """All settings of a camera."""

    model: ModelSettings = field(default_factory=ModelSettings)
    store: StoreSettings | None = None
    collect: CollectSettings = field(default_factory=CollectSettings)
    sinks: SinksSettings = field(default_factory=SinksSettings)
    notify: Mapping[str, NotifySettings] = field(default_factory=lambda: MappingProxyType({}))
    actions: Mapping[str, ActionSettings] = field(default_factory=lambda: MappingProxyType({}))
    clips: ClipSettings | None = None
    live: LiveSettings | None = None
    update: UpdateSettings | None = None

    def __post_init__(self) -> None:
        if self.sinks and self.store is None:
            raise FieldError("sinks", "[sinks] needs [store]: events wait there while a sink is unreachable")
        if self.clips is not None and self.store is None:
            raise FieldError("clips", "[clips] needs [store]: clips are kept there")
        if self.store is None and (self.collect.quiet_per_day or self.collect.unknown_per_day):
            raise FieldError("collect", "[collect] needs [store]: its pictures are kept there")
        for section in ("notify", "actions"):
            names = getattr(self, section)
            if names and self.store is None:
                raise FieldError(section, f"[{section}] needs [store]: its events wait there")
            for name in names:
                if not _NAME.fullmatch(name):
                    raise FieldError(
                        section, f"[{section}.{shown(name)}], expected a name of 1 to 32 of A-Z a-z 0-9 _ -"
                    )

    @property
    def wants_changes(self) -> bool:
        """True if a sink, notification, action or clip needs events of visits that are still open."""
        sinks = (self.sinks.json_lines, self.sinks.mqtt, self.sinks.webhook)
        kinds = [kind for sink in sinks if sink is not None for kind in sink.events]
        kinds += [each.only_when for each in (*self.notify.values(), *self.actions.values())]
        return self.clips is not None or any(kind != CLOSED for kind in kinds)


def read_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key or a value out of range; the message names the line.
    """
    try:
        table, document = read_toml(path, ConfigError)
    except ConfigError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise ConfigError(
            f'{path}: no such file. "trailcam service install --root DIR" writes a configuration to start from.'
        ) from error.__cause__
    _warn_if_exposed(path, table)
    return _decode(table, document)


def parse_config(text: str, source: str, folder: Path) -> Config:
    """Parse the text of a configuration file.

    Args:
        text: TOML.
        source: the name of the file in messages.
        folder: relative paths are resolved against it.

    Raises:
        ConfigError: see ``read_config``.
    """
    table, document = parse_toml(text, source, ConfigError, folder)
    return _decode(table, document)


def _decode(table: dict[str, Any], document: Document) -> Config:
    motion = table.get("motion")
    for key in motion if isinstance(motion, dict) else ():
        if key in _REPLACED:
            raise document.refuse(
                ("motion", key), f"motion.{key} belongs to the motion gate of before: {_REPLACED[key]}"
            )
    _refuse_shown_secret(table.get("notify"), document)
    return document.decode(Config, table)


def _refuse_shown_secret(notify: object, document: Document) -> None:
    """Refuse addresses of another type here: the decoder would show the value, and all of it may be a secret."""
    for name, section in notify.items() if isinstance(notify, dict) else ():
        found = section.get("addresses", []) if isinstance(section, dict) else []
        if not isinstance(found, list) or not all(isinstance(address, str) for address in found):
            path = ("notify", str(name), "addresses")
            raise document.refuse(path, f"{'.'.join(path)} is of another type, expected a list of texts")


def _warn_if_exposed(path: Path, table: object) -> None:
    """Log a warning if others may read a file that contains an address with a password."""
    try:
        mode = path.stat().st_mode
    except OSError:  # removed since it was read
        return
    if mode & 0o004 and holds_secret(table):
        _log.warning(
            '%s: other users may read a password in it. "chgrp trailcam %s; chmod 640 %s", or move the address of the '
            "camera into a file: source_file in [camera].",
            *[path] * 3,
        )


def holds_secret(value: object) -> bool:
    """Return True if a table of a configuration contains an address with a secret, or any of a notification."""
    if isinstance(value, dict):
        return bool(value.get("addresses")) or any(map(holds_secret, value.values()))
    if isinstance(value, list):
        return any(map(holds_secret, value))
    return isinstance(value, str) and has_secret(value)
