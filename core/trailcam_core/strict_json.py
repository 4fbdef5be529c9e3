"""Read JSON from an untrusted file field by field, and write it canonically.

A reader takes every key of an object by name, type and range, and then asks that none is left: what nobody expected is
an error, not something to ignore. Each message names the file, the field, what it holds and what was expected.

Canonical form: UTF-8, keys sorted, no white space, no NaN or infinity, one newline at the end. Equal values then have
equal bytes, and so equal digests.
"""

import json
import re
from typing import Any, NoReturn

from trailcam_core.errors import BundleError

__all__ = ["JsonObject", "canonical_json", "parse_object"]

_SHOWN_CHARACTERS = 60  # of a wrong value, in a message


def canonical_json(value: Any) -> bytes:
    """Return ``value`` (dicts with string keys, lists, strings, numbers, booleans, None) as canonical JSON bytes.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def parse_object(content: bytes, source: str, max_bytes: int) -> "JsonObject":
    """Parse ``content``, which must be one JSON object without duplicate keys, of at most ``max_bytes``.

    Args:
        content: the bytes of the file.
        source: what messages call it, for example ``manifest.json``.
        max_bytes: refused unread above this.

    Raises:
        BundleError: too large, not UTF-8, not JSON, nested too deeply, a key twice, not an object.
    """
    if len(content) > max_bytes:
        raise BundleError(f"{source}: {len(content):,} bytes, expected at most {max_bytes:,}. It was not read.")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BundleError(f"{source}: byte {error.start} is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise BundleError(f"{source}: not JSON at line {error.lineno} column {error.colno}: {error.msg}.") from error
    except RecursionError as error:
        raise BundleError(f"{source}: nested too deeply to be read.") from error
    except ValueError as error:
        raise BundleError(f"{source}: {error}") from error
    if not isinstance(value, dict):
        raise BundleError(f"{source}: holds a {type(value).__name__}, expected an object in braces.")
    return JsonObject(value, source, "")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:_SHOWN_CHARACTERS]!r} stands twice in one object, expected once.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON knows.")


class JsonObject:
    """One JSON object whose keys are taken one by one; ``finish`` refuses what was not taken."""

    def __init__(self, fields: dict[str, Any], source: str, path: str) -> None:
        self._fields = dict(fields)
        self._source = source
        self._path = path

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        if self._fields:
            keys = ", ".join(repr(self._name(key)) for key in sorted(self._fields)[:5])
            raise BundleError(
                f"{self._source}: unknown key {keys}. It may come from a newer Trailcam: update this one."
            )

    def has(self, key: str) -> bool:
        """Say whether an optional key is there and was not taken yet."""
        return key in self._fields

    def text(self, key: str, pattern: str, meaning: str) -> str:
        """Take a string that matches the whole of ``pattern``; ``meaning`` says it in words."""
        value = self._take(key, str, meaning)
        if not re.fullmatch(pattern, value):
            self.refuse(key, value, meaning)
        return str(value)

    def optional_text(self, key: str, pattern: str, meaning: str) -> str | None:
        """Take a string that matches the whole of ``pattern``, or null; the key itself must be there."""
        if self._take_null(key):
            return None
        return self.text(key, pattern, meaning)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Take one of ``choices``."""
        value = self._take(key, str, f"one of {', '.join(choices)}")
        if value not in choices:
            self.refuse(key, value, f"one of {', '.join(choices)}")
        return str(value)

    def boolean(self, key: str) -> bool:
        """Take true or false."""
        value = self._fields.pop(key, None)
        if not isinstance(value, bool):
            self.refuse(key, value, "true or false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """Take a whole number in ``low..high``."""
        value = self._take(key, int, f"a whole number, {low:,} to {high:,}")
        if not low <= value <= high:
            self.refuse(key, value, f"{low:,} to {high:,}")
        return int(value)

    def number(self, key: str, low: float, high: float) -> float:
        """Take a number in ``low..high``."""
        value = self._take(key, (int, float), f"a number, {low:g} to {high:g}")
        if not low <= value <= high:
            self.refuse(key, value, f"{low:g} to {high:g}")
        return float(value)

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        """Take a number in ``low..high``, or null; the key itself must be there."""
        if self._take_null(key):
            return None
        return self.number(key, low, high)

    def texts(self, key: str, max_items: int, max_characters: int) -> tuple[str, ...]:
        """Take a list of 1 to ``max_items`` different, printable, non-empty strings."""
        meaning = f"a list of 1 to {max_items:,} different names"
        value = self._take(key, list, meaning)
        if not 1 <= len(value) <= max_items:
            self.refuse(key, value, meaning)
        seen: set[str] = set()
        for position, item in enumerate(value):
            name = f"{key}[{position}]"
            if not isinstance(item, str) or not 1 <= len(item) <= max_characters or not item.isprintable():
                self.refuse(name, item, f"a printable name of 1 to {max_characters} characters")
            if item != item.strip():
                self.refuse(name, item, "a name without spaces around it")
            if item in seen:
                self.refuse(name, item, "a name that does not stand in the list already")
            seen.add(item)
        return tuple(value)

    def numbers(self, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """Take a list of exactly ``count`` numbers in ``low..high``."""
        meaning = f"a list of {count:,} numbers, each {low:g} to {high:g}"
        value = self._take(key, list, meaning)
        if len(value) != count:
            self.refuse(key, value, meaning)
        for position, item in enumerate(value):
            if isinstance(item, bool) or not isinstance(item, int | float) or not low <= item <= high:
                self.refuse(f"{key}[{position}]", item, f"a number, {low:g} to {high:g}")
        return tuple(float(item) for item in value)

    def child(self, key: str) -> "JsonObject":
        """Take a nested object."""
        value = self._take(key, dict, "an object in braces")
        return JsonObject(value, self._source, self._name(key))

    def optional_child(self, key: str) -> "JsonObject | None":
        """Take a nested object or null; the key itself must be there."""
        if self._take_null(key):
            return None
        return self.child(key)

    def children(self, key: str, max_items: int) -> "list[JsonObject]":
        """Take a list of 1 to ``max_items`` objects."""
        meaning = f"a list of 1 to {max_items:,} objects in braces"
        value = self._take(key, list, meaning)
        if not 1 <= len(value) <= max_items:
            self.refuse(key, value, meaning)
        for position, item in enumerate(value):
            if not isinstance(item, dict):
                self.refuse(f"{key}[{position}]", item, "an object in braces")
        return [JsonObject(item, self._source, f"{self._name(key)}[{position}]") for position, item in enumerate(value)]

    def text_table(self, key: str, max_items: int, max_characters: int) -> dict[str, str]:
        """Take an object whose keys and values are printable strings of at most ``max_characters``, in one line."""
        table = self.child(key)
        if len(table._fields) > max_items:
            self.refuse(key, table._fields, f"at most {max_items:,} keys")
        for name, value in table._fields.items():
            for item in (name, value):
                if not isinstance(item, str) or len(item) > max_characters or not item.isprintable():
                    table.refuse(name, item, f"printable text of at most {max_characters:,} characters")
        return dict(table._fields)

    def refuse(self, key: str, value: Any, expected: str) -> NoReturn:
        """Raise the error for a field that does not hold what it should."""
        if isinstance(value, dict | list):
            shown = f"an object of {len(value):,}" if isinstance(value, dict) else f"a list of {len(value):,}"
        else:
            shown = repr(value[:_SHOWN_CHARACTERS]) if isinstance(value, str) else json.dumps(value)[:_SHOWN_CHARACTERS]
        raise BundleError(f"{self._source}: {self._name(key)} is {shown}, expected {expected}.")

    def _name(self, key: str) -> str:
        key = key[:_SHOWN_CHARACTERS]
        key = key if key.isprintable() else repr(key)  # an untrusted file must not steer a terminal
        return f"{self._path}.{key}" if self._path else key

    def _take_null(self, key: str) -> bool:
        if key in self._fields and self._fields[key] is None:
            del self._fields[key]
            return True
        return False

    def _take(self, key: str, kind: type | tuple[type, ...], expected: str) -> Any:
        if key not in self._fields:
            raise BundleError(f"{self._source}: {self._name(key)} is missing, expected {expected}.")
        value = self._fields.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            self.refuse(key, value, expected)
        return value
