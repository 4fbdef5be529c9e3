"""Decoding of tables into dataclasses."""

import difflib
import re
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from trailcam_core.errors import TrailcamError
from trailcam_core.records.rules import SHOWN_CHARACTERS, FieldError, Rule, accepts_none, keys_of, shown, without_none

_T = TypeVar("_T")
_LIKE = 0.75  # of difflib: as subcommands of the command line
_MAX_FLOAT = int(sys.float_info.max)
_MEANINGS = {
    str: "text in quotes",
    Path: "a path in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}


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
        keys = keys_of(kind)
        for key in table:
            if key not in keys:
                known = ", ".join(keys)
                message = f"unknown key {_dotted((*path, key))!r}, expected one of {known}{self._hint(key, keys)}"
                raise self.refuse((*path, key), message)
        required = {entry.name for entry in fields(kind) if _is_required(entry)}  # type: ignore[arg-type]
        for key, (name, hint) in keys.items():
            if name in required and key not in table:
                expected = _meaning(*without_none(hint))
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
        return self._error(f"{self._source}{line}: {message}{'' if message.endswith('?') else '.'}")

    def refuse_value(self, path: tuple[str, ...], value: Any, expected: object) -> NoReturn:
        """Raise the error for a key whose value breaks a rule beyond its hint."""
        raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {expected}")

    def _hint(self, key: str, known: Iterable[str]) -> str:
        """Return what follows the valid keys: the one that an unknown key of TOML resembles; JSON is not typed."""
        if not self._lines:
            return ". It may come from a newer Trailcam: update this one"
        close = difflib.get_close_matches(key, known, n=1, cutoff=_LIKE)
        return f'. Did you mean "{close[0]}"?' if close else ""

    def _value(self, hint: Any, value: Any, path: tuple[str, ...]) -> Any:
        kind, rules = without_none(hint)
        if value is None and accepts_none(hint):
            return None  # JSON has null, TOML has not
        if is_dataclass(kind):
            return self.decode(kind, value, path)  # type: ignore[arg-type]
        if get_origin(kind) is tuple:
            return self._items(get_args(kind), value, path)
        if get_origin(kind) in (Mapping, dict):
            return self._mapping(kind, value, path)
        return self._plain(kind, rules, value, path)

    def _plain(self, kind: Any, rules: list[Rule], value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected text without a null character")
        if kind is Path and isinstance(value, str) and value:
            expanded = self._expanded(value, path)
            return expanded if self._folder is None else self._folder / expanded
        if kind is float and type(value) is int and abs(value) <= _MAX_FLOAT:
            value = float(value)
        if kind is not Any and type(value) is not kind:
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {_meaning(kind, rules)}")
        for rule in rules:
            if not rule.accepts(value):
                raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {rule}")
        return value

    def _expanded(self, value: str, path: tuple[str, ...]) -> Path:
        try:
            return Path(value).expanduser()
        except RuntimeError as problem:  # of a name after "~" that is no user, or of a user without a home folder
            expected = "a path from / on: the home folder is not known"
            raise self.refuse(path, f"{_dotted(path)} is {shown(value)}, expected {expected}") from problem

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


def _meaning(kind: Any, rules: list[Rule]) -> str:
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
    return ".".join(key[:SHOWN_CHARACTERS] for key in keys)


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in dotted.split("."))
