"""The schema in type hints: ranges, choices, patterns and keys of fields, and checks against them."""

import json
import math
import re
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from trailcam_core.network.secrets import mask_address

SHOWN_CHARACTERS = 60  # of a refused value, in a message
_TOO_LONG = 10**1000


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


Rule = Range | Choice | Pattern


def check_ranges(record: Any) -> None:
    """Check the annotated fields of a dataclass; call it in ``__post_init__``. None is accepted where the hint has it.

    Raises:
        FieldError: a value breaks the rule of its field.
    """
    for name, hint in get_type_hints(type(record), include_extras=True).items():
        _check_value(name, getattr(record, name), hint)


def _check_value(name: str, value: Any, hint: Any) -> None:
    kind, rules = without_none(hint)
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


def without_none(hint: Any) -> tuple[Any, list[Rule]]:
    """Return the plain type of a hint without ``| None``, and the rules that annotate it."""
    rules: list[Rule] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            rules += [rule for rule in found if isinstance(rule, Rule)]
        elif isinstance(hint, types.UnionType) or get_origin(hint) is Union:
            hint = next(option for option in get_args(hint) if option is not type(None))
        elif get_origin(hint) is Literal:
            return str, [*rules, Choice(*get_args(hint))]
        else:
            return hint, rules


def accepts_none(hint: Any) -> bool:
    """Return True if a hint has ``| None``, also inside an annotation."""
    if get_origin(hint) is Annotated:
        return accepts_none(get_args(hint)[0])
    return type(None) in get_args(hint)


def shown(value: Any) -> str:
    """Return a refused value for a message: short, on one line, without control characters and secrets."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value):,}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int) and abs(value) >= _TOO_LONG:
        return "a whole number of more than 1,000 digits"  # Python would not write one of more than 4,300
    if isinstance(value, str):
        value = mask_address(value)
    return repr(value) if len(repr(value)) <= SHOWN_CHARACTERS else f"{repr(value)[:SHOWN_CHARACTERS]}..."


def keys_of(kind: type) -> dict[str, tuple[str, Any]]:
    """Return the name and hint of every field of a dataclass, by its key in the file."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for entry in fields(kind):
        hint = hints[entry.name]
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        key = next((mark.name for mark in marks if isinstance(mark, Key)), entry.name)
        found[key] = (entry.name, hint)
    return found


def encode(record: Any) -> dict[str, Any]:
    """Return a dataclass as a table of plain values under the keys of the file; ``Document.decode`` is the inverse."""
    return {key: _encode_value(getattr(record, name)) for key, (name, _) in keys_of(type(record)).items()}


def _encode_value(value: Any) -> Any:
    if is_dataclass(value):
        return encode(value)
    if isinstance(value, list | tuple):
        return [_encode_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encode_value(item) for key, item in value.items()}
    return value
