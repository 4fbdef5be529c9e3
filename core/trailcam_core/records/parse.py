"""TOML and JSON files from untrusted places, with limits."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from trailcam_core.errors import TrailcamError
from trailcam_core.records.decode import Document
from trailcam_core.records.rules import shown

_TOO_MANY_DIGITS = f"has a whole number of more than {sys.get_int_max_str_digits():,} digits, expected fewer"


class _RefusedError(ValueError):
    """Valid JSON for Python, not for Trailcam."""


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
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{source}: not TOML: {problem}.") from problem
    except RecursionError as problem:
        raise error(f"{source}: nested too deeply to be read.") from problem
    except ValueError as problem:
        raise error(f"{source}: {_TOO_MANY_DIGITS}.") from problem
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
    except _RefusedError as problem:
        raise error(f"{source}: {problem}") from problem
    except ValueError as problem:
        raise error(f"{source}: {_TOO_MANY_DIGITS}.") from problem
    if not isinstance(value, dict):
        raise error(f"{source}: holds {shown(value)}, expected an object in braces.")
    return value, Document(source, error)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RefusedError(f"the key {shown(key)} occurs twice in one object, expected once.")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not a JSON number.")
