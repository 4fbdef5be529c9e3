"""Strict decoding of tables (TOML, JSON) into frozen dataclasses: one decoder for every settings and data file.

    @dataclass(frozen=True)
    class Store:
        folder: Path
        max_bytes: Annotated[int, Range(1_000_000, 10**13)] = 1_000_000_000

        def __post_init__(self) -> None:
            check_ranges(self)

    table, document = read_toml(path, ConfigError, max_bytes=1_000_000)
    store = document.decode(Store, table)

The type hints are the schema. An unknown key, a missing one, another type and a value out of range are refused with the
file, the line, the value and what was expected. A rule that spans several fields belongs into ``__post_init__`` as a
``FieldError`` that names the field.

msgspec and cattrs were considered: neither message holds the refused value, and neither knows the line of a key.
"""

import json
import math
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from trailcam_core.errors import TrailcamError

__all__ = [
    "Choice",
    "Document",
    "FieldError",
    "Key",
    "Pattern",
    "Range",
    "check_ranges",
    "encode",
    "parse_json",
    "parse_toml",
    "read_toml",
    "shown",
]

_T = TypeVar("_T")
_SHOWN_CHARACTERS = 60  # of a refused value, in a message
_MEANINGS = {
    str: "text in quotes",
    Path: "a path in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}


class FieldError(ValueError):
    """A field of a settings class holds a value that it cannot hold; ``field`` is its name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Range:
    """Bounds of a number, both included. NaN is always out of range."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def accepts(self, value: Any) -> bool:
        """Return True if ``value`` is within the bounds."""
        return bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        low, high = (f"{bound:,}" if isinstance(bound, int) else f"{bound:g}" for bound in (self.low, self.high))
        return f"{low} or more" if self.high == math.inf else f"{low} to {high}"


class Choice:
    """The texts that a field can hold."""

    def __init__(self, *values: str) -> None:
        self.values = values

    def accepts(self, value: Any) -> bool:
        """Return True if ``value`` is one of the texts."""
        return value in self.values

    def __str__(self) -> str:
        return f"one of {', '.join(self.values)}"


class Pattern:
    """A regular expression that the whole text must match; ``meaning`` describes it in messages."""

    def __init__(self, pattern: str, meaning: str) -> None:
        self._pattern, self._meaning = re.compile(pattern), meaning

    def accepts(self, value: Any) -> bool:
        """Return True if the whole of ``value`` matches."""
        return self._pattern.fullmatch(value) is not None

    def __str__(self) -> str:
        return self._meaning


class Key:
    """The key of a field in the file, if it differs from the name of the field."""

    def __init__(self, name: str) -> None:
        self.name = name


_Rule = Range | Choice | Pattern


def encode(record: Any) -> dict[str, Any]:
    """Return a dataclass as a table of plain values under the keys of the file; ``Document.decode`` is the inverse."""
    return {key: _encode_value(getattr(record, name)) for key, (name, _) in _keys_of(type(record)).items()}


def _encode_value(value: Any) -> Any:
    if is_dataclass(value):
        return encode(value)
    if isinstance(value, list | tuple):
        return [_encode_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encode_value(item) for key, item in value.items()}
    return value


def _keys_of(kind: type) -> dict[str, tuple[str, Any]]:
    """Return the name and hint of every field of a dataclass, by its key in the file."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for entry in fields(kind):
        hint = hints[entry.name]
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        key = next((mark.name for mark in marks if isinstance(mark, Key)), entry.name)
        found[key] = (entry.name, hint)
    return found


def check_ranges(record: Any) -> None:
    """Check the annotated fields of a dataclass; call it in ``__post_init__``. None is accepted where the hint has it.

    Raises:
        FieldError: a value breaks the rule of its field.
    """
    for name, hint in get_type_hints(type(record), include_extras=True).items():
        _check_value(name, getattr(record, name), hint)


def _check_value(name: str, value: Any, hint: Any) -> None:
    kind, rules = _without_none(hint)
    if value is None:
        return
    for rule in rules:
        if not rule.accepts(value):
            raise FieldError(name, f"{name} is {shown(value)}, expected {rule}")
    items = get_args(kind)
    if get_origin(kind) is tuple and items:
        for position, item in enumerate(value):
            _check_value(f"{name}[{position}]", item, items[0] if items[-1] is ... else items[position])
    elif get_origin(kind) in (Mapping, dict):
        for key, item in value.items():
            _check_value(f"{name}.{key}", item, items[1])


def _without_none(hint: Any) -> tuple[Any, list[_Rule]]:
    """Return the plain type of a hint without ``| None``, and the rules that annotate it."""
    rules: list[_Rule] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            rules += [rule for rule in found if isinstance(rule, _Rule)]
        elif isinstance(hint, types.UnionType) or get_origin(hint) is Union:
            hint = next(option for option in get_args(hint) if option is not type(None))
        elif get_origin(hint) is Literal:
            return str, [*rules, Choice(*get_args(hint))]
        else:
            return hint, rules


def _accepts_none(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _accepts_none(get_args(hint)[0])
    return type(None) in get_args(hint)


def shown(value: Any) -> str:
    """Return a refused value for a message: short, on one line, without control characters."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value):,}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return repr(value) if len(repr(value)) <= _SHOWN_CHARACTERS else f"{repr(value)[:_SHOWN_CHARACTERS]}..."


def read_toml(path: Path, error: type[TrailcamError], max_bytes: int = 1_000_000) -> "tuple[dict[str, Any], Document]":
    """Read a TOML file.

    Args:
        path: the file; relative paths in it are resolved against its folder.
        error: the family of errors that is raised.
        max_bytes: a larger file is refused unread.

    Raises:
        TrailcamError: of type ``error``: unreadable, too large, not UTF-8, or not TOML.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}). Check the path.") from problem
    if len(content) > max_bytes:
        raise error(f"{path}: more than {max_bytes:,} bytes, expected at most {max_bytes:,}. It was not read.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: byte {problem.start} is not UTF-8. Save the file as UTF-8.") from problem
    return parse_toml(text, str(path), error, path.absolute().parent)


def parse_toml(
    text: str, source: str, error: type[TrailcamError], folder: Path | None = None
) -> "tuple[dict[str, Any], Document]":
    """Parse the text of a TOML file; see ``read_toml``."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"{source}: not TOML: {problem}.") from problem
    return table, Document(source, error, folder, text)


def parse_json(
    content: bytes, source: str, error: type[TrailcamError], max_bytes: int
) -> "tuple[dict[str, Any], Document]":
    """Parse bytes from an untrusted place that must be one JSON object without a duplicate key.

    Args:
        content: the bytes of the file.
        source: the name of the file in messages.
        error: the family of errors that is raised.
        max_bytes: more is refused unread.

    Raises:
        TrailcamError: of type ``error``: too large, not UTF-8, not JSON, nested too deeply, a duplicate key, no object.
    """
    if len(content) > max_bytes:
        raise error(f"{source}: {len(content):,} bytes, expected at most {max_bytes:,}. It was not read.")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except UnicodeDecodeError as problem:
        raise error(f"{source}: byte {problem.start} is not UTF-8.") from problem
    except json.JSONDecodeError as problem:
        raise error(f"{source}: not JSON at line {problem.lineno} column {problem.colno}: {problem.msg}.") from problem
    except RecursionError as problem:
        raise error(f"{source}: nested too deeply to be read.") from problem
    except ValueError as problem:
        raise error(f"{source}: {problem}") from problem
    if not isinstance(value, dict):
        raise error(f"{source}: holds {shown(value)}, expected an object in braces.")
    return value, Document(source, error)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} occurs twice in one object, expected once.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number.")


class Document:
    """A file under decoding: its name in messages, its error family and, for TOML, its lines.

    Args:
        source: the name of the file in messages.
        error: the family of errors that is raised.
        folder: relative paths are resolved against it; None leaves them as they are.
        text: of a TOML file, so that messages hold the line of a key; empty where there is none.
    """

    def __init__(self, source: str, error: type[TrailcamError], folder: Path | None = None, text: str = "") -> None:
        self._source = source
        self._error = error
        self._folder = folder
        self._lines = text.splitlines()

    def decode(self, kind: type[_T], table: Any, path: tuple[str, ...] = ()) -> _T:
        """Return a ``kind`` made of a table.

        Args:
            kind: a dataclass; its hints may be str, int, float, bool, Path, Literal, tuple, Mapping[str, ...], further
                dataclasses, each optional and annotated with ``Range``, ``Choice`` or ``Pattern``.
            table: the parsed table.
            path: keys that lead to the table.

        Raises:
            TrailcamError: of the document's family; the message names line, field, value and what was expected.
        """
        if not isinstance(table, dict):
            raise self.refuse(path, f"{_dotted(path)} is {shown(table)}, expected a table [{_dotted(path)}]")
        keys = _keys_of(kind)
        for key in table:
            if key not in keys:
                known = ", ".join(keys)
                newer = "" if self._lines else ". It may come from a newer Trailcam: update this one"
                message = f"unknown key {_dotted((*path, key))!r}, expected one of {known}{newer}"
                raise self.refuse((*path, key), message)
        required = {entry.name for entry in fields(kind) if _is_required(entry)}  # type: ignore[arg-type]
        for key, (name, hint) in keys.items():
            if name in required and key not in table:
                expected = _meaning(*_without_none(hint))
                raise self.refuse(path, f"{_dotted((*path, key))} is missing, expected {expected}")
        values = {keys[key][0]: self._value(keys[key][1], value, (*path, key)) for key, value in table.items()}
        try:
            return kind(**values)
        except FieldError as problem:
            key = next((key for key, (name, _) in keys.items() if name == problem.field), problem.field)
            raise self.refuse((*path, key), str(problem)) from problem
        except ValueError as problem:
            raise self.refuse(path, str(problem)) from problem

    def refuse(self, path: tuple[str, ...], message: str) -> TrailcamError:
        """Return the error for a key, to be raised: file, line and message."""
        line = f", line {self._line_of(path)}" if self._lines else ""
        return self._error(f"{self._source}{line}: {message}.")

    def refuse_value(self, path: tuple[str, ...], value: Any, expected: object) -> NoReturn:
        """Raise the error for a key whose value breaks a rule beyond its hint."""
        raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {expected}")

    def _value(self, hint: Any, value: Any, path: tuple[str, ...]) -> Any:
        kind, rules = _without_none(hint)
        if value is None and _accepts_none(hint):
            return None  # JSON has null, TOML has not
        if is_dataclass(kind):
            return self.decode(kind, value, path)  # type: ignore[arg-type]
        if get_origin(kind) is tuple:
            return self._items(get_args(kind), value, path)
        if get_origin(kind) in (Mapping, dict):
            return self._mapping(kind, value, path)
        return self._plain(kind, rules, value, path)

    def _plain(self, kind: Any, rules: list[_Rule], value: Any, path: tuple[str, ...]) -> Any:
        if kind is Path and isinstance(value, str) and value:
            expanded = Path(value).expanduser()
            return expanded if self._folder is None else self._folder / expanded
        if kind is float and type(value) is int:
            value = float(value)
        if kind is not Any and type(value) is not kind:
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {_meaning(kind, rules)}")
        for rule in rules:
            if not rule.accepts(value):
                raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {rule}")
        return value

    def _mapping(self, kind: Any, value: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(value, dict):
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected a table")
        item = get_args(kind)[1]
        made = {key: self._value(item, one, (*path, key)) for key, one in value.items()}
        return made if get_origin(kind) is dict else types.MappingProxyType(made)

    def _items(self, kinds: tuple[Any, ...], value: Any, path: tuple[str, ...]) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected a list")
        if kinds[-1] is ...:
            kinds = (kinds[0],) * len(value)
        if len(value) != len(kinds):
            raise self.refuse(path, f"{_dotted(path)} has {len(value)} values, expected {len(kinds)}")
        last = path[-1]
        return tuple(
            self._value(kind, item, (*path[:-1], f"{last}[{position}]"))
            for position, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )

    def _line_of(self, path: tuple[str, ...]) -> int:
        """Return the line of a key, or of the nearest table around it; tomllib does not keep it."""
        path = tuple(part.split("[")[0] for part in path)
        best, depth = 1, 0
        section: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, start=1):
            if header := re.match(r"\s*\[+([^\]]+)\]", line):
                section = _keys(header[1])
                here = section
            elif key := re.match(r"\s*([A-Za-z0-9_.\"'\- ]+?)\s*=", line):
                here = (*section, *_keys(key[1]))
            else:
                continue
            if path[: len(here)] == here and len(here) > depth:
                best, depth = number, len(here)
        return best


def _meaning(kind: Any, rules: list[_Rule]) -> str:
    if is_dataclass(kind) or get_origin(kind) in (Mapping, dict):
        return "a table"
    if get_origin(kind) is tuple:
        return "a list"
    if kind is str and rules:
        return ", ".join(map(str, rules))
    return ", ".join([_MEANINGS.get(kind, str(kind)), *map(str, rules)])


def _is_required(entry: "Field[Any]") -> bool:
    return entry.init and entry.default is MISSING and entry.default_factory is MISSING


def _dotted(path: tuple[str, ...]) -> str:
    keys = (key if key.isprintable() else repr(key) for key in path)  # an untrusted file must not steer a terminal
    return ".".join(key[:_SHOWN_CHARACTERS] for key in keys)


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in dotted.split("."))
