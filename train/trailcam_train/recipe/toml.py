"""Recipes as ``recipe.toml``: write, read, and override single settings.

A setting is named by its path in the file, for example ``batch_size``, ``input.height`` or ``phases.whole.epochs``.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trailcam_core.errors import TrainError
from trailcam_core.records import Document, encode, read_toml
from trailcam_core.spec import MAX_INPUT_PX
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """Return the recipe with ``key=value`` settings replaced.

    Raises:
        TrainError: not of that form, an unknown key, or a value that the setting does not accept.
    """
    table = _to_table(recipe)
    for setting in settings:
        key, text = _split(setting)
        section = _section_of(table, key)
        if section is None:
            keys = [name for name in _flatten(table) if name != "name"]
            raise TrainError(f"setting {key!r}: unknown, expected {_likely(key, keys)}.")
        last = key.rpartition(".")[2]
        section[last] = _parse(text, section[last], key)
    return recipe_from_table(table, Document("--set", TrainError))


def check_values(settings: Iterable[str]) -> None:
    """Check the values of ``key=value`` settings before their recipe is known; unknown keys are left to ``override``.

    Raises:
        TrainError: not of that form, or a value that no recipe accepts.
    """
    document = Document("--set", TrainError)
    for setting in settings:
        key, text = _split(setting)
        parts = key.split(".")
        phase = Phase(parts[1] if parts[0] == "phases" and len(parts) > 2 else "any", 1, 0.1)
        table = _to_table(Recipe("any", ModelInput(MAX_INPUT_PX, MAX_INPUT_PX), (phase,)))
        section = _section_of(table, key)
        if section is not None:
            last = key.rpartition(".")[2]
            section[last] = _parse(text, section[last], key)
            _decode(table, document)


def _split(setting: str) -> tuple[str, str]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise TrainError(f"setting {setting!r}: expected KEY=VALUE, for example batch_size=16.")
    return key.strip(), text.strip()


def _section_of(table: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Return the table that holds the value of a key, None if there is no such value."""
    *path, last = key.split(".")
    section: Any = table
    for part in path:
        section = section.get(part) if isinstance(section, dict) else None
    if key == "name" or not isinstance(section, dict) or isinstance(section.get(last, {}), dict):
        return None
    return section


def _likely(key: str, keys: list[str]) -> str:
    """Return the settings that may be meant: of this section, of any phase, of a similar name, or all sections."""
    section, _, last = key.rpartition(".")
    near = [name for name in keys if name.startswith(f"{key}.") or (section and name.rpartition(".")[0] == section)]
    near = near or [name for name in keys if section.split(".")[0] in ("", "phases") and name.endswith(f".{last}")]
    near = near or get_close_matches(key, keys, n=3)
    sections = list(dict.fromkeys(name.split(".")[0] + ".*" if "." in name else name for name in keys))
    return f"one of {', '.join(near or sections)}"


def read_recipe(path: Path) -> Recipe:
    """Read a ``recipe.toml``.

    Raises:
        TrainError: it cannot be read, has unknown or missing keys, or a value out of range.
    """
    return recipe_from_table(*read_toml(path, TrainError))


def recipe_from_table(table: dict[str, Any], document: Document) -> Recipe:
    """Decode the table of a ``recipe.toml``.

    Raises:
        TrainError: unknown or missing keys, or a value out of range.
    """
    recipe = _decode(table, document)
    _check_fields_together(recipe, document)
    return recipe


def _decode(table: dict[str, Any], document: Document) -> Recipe:
    found = table.get("phases")
    if not isinstance(found, dict):
        document.refuse_value(("phases",), found, "a table for each phase, such as [phases.head]")
    phases = tuple(
        document.decode(Phase, {"name": name, **phase} if isinstance(phase, dict) else phase, ("phases", name))
        for name, phase in found.items()
    )
    return replace(document.decode(Recipe, {**table, "phases": []}), phases=phases)


def recipe_to_toml(recipe: Recipe) -> bytes:
    """Return the bytes of ``recipe.toml``; reading them returns the same recipe."""
    lines: list[str] = []
    _write_table(_to_table(recipe), "", lines)
    content = "\n".join(lines).strip() + "\n"
    if tomllib.loads(content) != _to_table(recipe):
        raise ValueError(f"recipe {recipe.name} cannot be written as TOML")
    return content.encode("utf-8")


def _check_fields_together(recipe: Recipe, document: Document) -> None:
    """Refuse settings that contradict each other."""
    if not any(phase.epochs for phase in recipe.phases):
        raise document.refuse(("phases",), "no phase has an epoch, expected at least one")
    if recipe.validation + recipe.test >= 1:
        message = "validation and test leave nothing to train on; their sum must be below 1"
        raise document.refuse(("validation",), message)
    for phase in recipe.phases:
        if phase.views and not phase.first_layer:
            path = ("phases", phase.name, "views")
            message = f"{'.'.join(path)} is {phase.views}, which needs frozen layers (first_layer). Set it to 0"
            raise document.refuse(path, message)
    last = next(phase for phase in reversed(recipe.phases) if phase.epochs)
    if last.scale < 1:
        path = ("phases", last.name, "scale")
        message = f"{'.'.join(path)} is {last.scale:g}, but the last phase must learn from pictures of the input's size"
        raise document.refuse(path, f"{message}. Set it to 1")
    if recipe.sampling == "balanced" and recipe.class_weights == "balanced":
        message = "sampling and class_weights are both balanced, which counts small classes twice. Choose one"
        raise document.refuse(("sampling",), message)
    if recipe.weights == "none" and recipe.batch_norm == "inference":
        raise document.refuse(
            ("batch_norm",),
            "weights is none, but batch_norm is inference, which needs trained statistics. Add "
            '"--set batch_norm=train", and "--set phases.head.epochs=0" if there is a phase for the head alone',
        )


def _to_table(recipe: Recipe) -> dict[str, Any]:
    table = encode(recipe)
    table["phases"] = {phase.pop("name"): phase for phase in table["phases"]}
    return table


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _parse(text: str, now: Any, key: str) -> Any:
    try:
        return type(now)(text)
    except ValueError as error:
        raise TrainError(f"setting {key}: {text!r}, expected {type(now).__name__} such as {now!r}.") from error


def _write_table(table: dict[str, Any], name: str, lines: list[str]) -> None:
    """Write plain values first, then tables, as TOML requires."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if name and plain:
        lines += ["", f"[{name}]"]
    for key, value in plain.items():
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        lines.append(f"{key} = {_toml_text(value) if isinstance(value, str) else shown}")
    for key, value in table.items():
        if isinstance(value, dict):
            _write_table(value, f"{name}.{key}" if name else key, lines)


def _toml_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
