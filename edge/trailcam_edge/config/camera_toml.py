"""The configuration file of a camera: TOML into frozen dataclasses.

A section is a dataclass and a key is a field of it, so the file knows exactly what the code knows. ``[store]``,
``[live]``, ``[update]`` and each of ``[sinks.*]`` are off unless the section is there. Relative paths count from the
file's folder. ``trailcam service install`` writes a file with every key, commented.
"""

import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin, get_type_hints

from trailcam_core.errors import ConfigError
from trailcam_edge.config.watch_settings import (
    CameraSettings,
    MotionSettings,
    RecoverySettings,
    VisitSettings,
    WatchSettings,
)
from trailcam_edge.update.settings import UpdateSettings

__all__ = [
    "Config",
    "JsonLinesConfig",
    "LiveConfig",
    "ModelConfig",
    "MqttConfig",
    "SinksConfig",
    "StoreConfig",
    "WatchConfig",
    "WebhookConfig",
    "parse_config",
    "read_config",
    "read_secret",
]

_MAX_CONFIG_BYTES = 1_000_000
_MAX_SECRET_BYTES = 4_096
_OTHERS_MAY_READ = 0o004
_TYPES = {str: "text in quotes", bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}


@dataclass(frozen=True)
class ModelConfig:
    """What answers.

    ``bundle`` None is what the updater says, or without ``[update]`` the built-in one; ``threads`` None is as many as
    the machine has cores, at most 4.
    """

    bundle: Path | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= 64:
            raise ValueError(f"threads is {self.threads}, expected 1 to 64")


@dataclass(frozen=True)
class WatchConfig:
    """``rate_hz`` is how many frames a second are classified at most; None is as many as the machine can."""

    rate_hz: float | None = None

    def __post_init__(self) -> None:
        WatchSettings(rate_hz=self.rate_hz)


@dataclass(frozen=True)
class StoreConfig:
    """Where events are kept, and how much room they may take; ``docs/events.md`` says what is deleted then."""

    folder: Path = Path("/var/lib/trailcam")
    max_bytes: int = 2_000_000_000
    min_free_bytes: int = 200_000_000
    jpeg_quality: int = 90


@dataclass(frozen=True)
class JsonLinesConfig:
    """A file that gets one line per event."""

    path: Path
    max_bytes: int = 10_000_000
    keep: int = 3


@dataclass(frozen=True)
class MqttConfig:
    """A broker; ``discovery_prefix`` "" leaves Home Assistant out."""

    host: str
    camera_id: str
    port: int = 1883
    camera_name: str | None = None
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    base_topic: str = "trailcam"
    discovery_prefix: str = "homeassistant"
    pictures: bool = False


@dataclass(frozen=True)
class WebhookConfig:
    """A server that gets each event as a POST; the token goes into its Authorization header."""

    url: str
    token_file: Path | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True)
class SinksConfig:
    """Where events go besides the store; they need one."""

    json_lines: JsonLinesConfig | None = None
    mqtt: MqttConfig | None = None
    webhook: WebhookConfig | None = None

    def __bool__(self) -> bool:
        """True if there is any."""
        return any(getattr(self, entry.name) is not None for entry in fields(self))


@dataclass(frozen=True)
class LiveConfig:
    """The live page; ``hosts`` are further names that it may be called by, ``viewers`` how many may look at once."""

    address: str = "127.0.0.1:8080"
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    viewers: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.viewers <= 100:
            raise ValueError(f"viewers is {self.viewers}, expected 1 to 100")


@dataclass(frozen=True)
class Config:
    """Everything that a person can set."""

    model: ModelConfig = field(default_factory=ModelConfig)
    camera: CameraSettings = field(default_factory=CameraSettings)
    recovery: RecoverySettings = field(default_factory=RecoverySettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    visits: VisitSettings = field(default_factory=VisitSettings)
    watch: WatchConfig = field(default_factory=WatchConfig)
    store: StoreConfig | None = None
    sinks: SinksConfig = field(default_factory=SinksConfig)
    live: LiveConfig | None = None
    update: UpdateSettings | None = None

    def __post_init__(self) -> None:
        if self.sinks and self.store is None:
            raise ValueError("[sinks] needs [store]: events wait there while a sink cannot be reached")

    @property
    def settings(self) -> WatchSettings:
        """What the live loop is told."""
        return WatchSettings(self.camera, self.recovery, self.motion, self.visits, self.watch.rate_hz)


def read_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has an unknown key or a value that makes no sense; the message
            names the line.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_CONFIG_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f'{path}: cannot be read ({error}). "trailcam service install --root DIR" writes one to start from.'
        ) from error
    if len(content) > _MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: longer than {_MAX_CONFIG_BYTES:,} bytes, so hardly a configuration.")
    return parse_config(text, str(path), path.absolute().parent)


def parse_config(text: str, source: str, folder: Path) -> Config:
    """Turn TOML into a configuration.

    Args:
        text: the file's content.
        source: what messages call it.
        folder: what relative paths count from.

    Raises:
        ConfigError: see ``read_config``.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}.") from error
    return _Parser(text, source, folder).section(Config, table, ())  # type: ignore[no-any-return]


def read_secret(path: Path, what: str) -> str:
    """Return the one line of a file that nobody but its owner and group may read.

    Raises:
        ConfigError: it cannot be read, is empty or has several lines, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        with open(path, "rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        text = content.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the {what} cannot be read ({error}).") from error
    if mode & _OTHERS_MAY_READ:
        raise ConfigError(f'{path}: others may read the {what} in it. Close it: "chmod o= {path}".')
    if not text or len(content) > _MAX_SECRET_BYTES or not text.isprintable():
        raise ConfigError(f"{path}: expected the {what} on one line, and nothing else.")
    return text


class _Parser:
    def __init__(self, text: str, source: str, folder: Path) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._folder = folder

    def section(self, kind: type, table: dict[str, Any], path: tuple[str, ...]) -> Any:
        """Return a ``kind`` made of a table; ``path`` is where the table stands."""
        hints = get_type_hints(kind)
        unknown = [key for key in table if key not in hints]
        if unknown:
            noun = "sections" if kind in (Config, SinksConfig) else "keys"
            place = f" in [{'.'.join(path)}]" if path else ""
            raise self._error((*path, unknown[0]), f"unknown {unknown[0]!r}{place}; {noun} are {', '.join(hints)}")
        missing = [
            entry.name
            for entry in fields(kind)
            if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in table
        ]
        if missing:
            raise self._error(path, f"[{'.'.join(path)}] needs {' and '.join(missing)}")
        values = {key: self._value(hints[key], value, (*path, key)) for key, value in table.items()}
        try:
            return kind(**values)
        except ValueError as error:
            named = next((key for key in values if str(error).startswith(f"{key} ")), None)
            raise self._error(path if named is None else (*path, named), str(error)) from error

    def _value(self, hint: Any, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(hint, types.UnionType) or get_origin(hint) is Union:
            hint = next(option for option in get_args(hint) if option is not type(None))
        if is_dataclass(hint):
            if not isinstance(value, dict):
                raise self._error(path, f"{path[-1]} is {value!r}, expected a section [{'.'.join(path)}]")
            return self.section(hint, value, path)  # type: ignore[arg-type]
        if get_origin(hint) is tuple:
            return self._several(get_args(hint), value, path)
        if get_origin(hint) is Mapping:
            if not isinstance(value, dict):
                raise self._error(path, f"{path[-1]} is {value!r}, expected a table such as {{ cow = 0.8 }}")
            item = get_args(hint)[1]
            return MappingProxyType({key: self._value(item, one, (*path, key)) for key, one in value.items()})
        if hint is Path and isinstance(value, str) and value:
            return self._folder / Path(value).expanduser()
        if hint is float and type(value) is int:
            return float(value)
        if type(value) is not hint:
            raise self._error(path, f"{path[-1]} is {value!r}, expected {_TYPES[hint]}")
        return value

    def _several(self, kinds: tuple[Any, ...], value: Any, path: tuple[str, ...]) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self._error(path, f"{path[-1]} is {value!r}, expected a list in [ ]")
        if kinds[-1] is ...:
            kinds = (kinds[0],) * len(value)
        if len(value) != len(kinds):
            raise self._error(path, f"{path[-1]} has {len(value)} values, expected {len(kinds)}")
        return tuple(self._value(kind, item, path) for kind, item in zip(kinds, value, strict=True))

    def _error(self, path: tuple[str, ...], message: str) -> ConfigError:
        return ConfigError(f"{self._source}, line {self._line_of(path)}: {message}.")

    def _line_of(self, path: tuple[str, ...]) -> int:
        """Return the line of a key, or of the nearest section around it; tomllib does not say it."""
        best, depth = 1, 0
        section: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, start=1):
            if header := re.match(r"\s*\[+([^\]]+)\]", line):
                section = _names(header[1])
                here = section
            elif key := re.match(r"\s*([A-Za-z0-9_.\"'\- ]+?)\s*=", line):
                here = (*section, *_names(key[1]))
            else:
                continue
            if path[: len(here)] == here and len(here) > depth:
                best, depth = number, len(here)
        return best


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in dotted.split("."))
