"""Recipes as ``recipe.toml``: into the file, out of it again, and with single settings overridden.

A setting is named by its path in the file, for example ``batch_size``, ``input.height`` or ``phases.whole.epochs``.
What is unknown, of another type or out of range is refused, with the names that exist or the values that are allowed.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from trailcam_core.errors import TrainError
from trailcam_core.spec import FITS, MAX_INPUT_PX, MIN_INPUT_PX
from trailcam_train.field.settings import FieldSettings
from trailcam_train.input.augmentation import Augmentation
from trailcam_train.input.epoch_order import SAMPLINGS
from trailcam_train.recipe.schema import AUTO, Distillation, ModelInput, Phase, Recipe

__all__ = ["check_recipe", "override", "recipe_from_table", "recipe_to_toml"]

_CHOICES = {
    "input.fit": FITS,
    "batch_norm": ("train", "inference"),
    "optimizer": ("adam", "adamw"),
    "class_weights": ("none", "balanced"),
    "sampling": SAMPLINGS,
    "precision": (AUTO, "float32", "mixed_bfloat16"),
    "schedule": ("constant", "cosine"),
}


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """Return the recipe with ``key=value`` settings put in.

    Raises:
        TrainError: not of that form, an unknown key, or a value that does not fit.
    """
    table = _to_table(recipe)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise TrainError(f"setting {setting!r}: expected KEY=VALUE, for example batch_size=16.")
        *path, last = key.strip().split(".")
        place: Any = table
        for part in path:
            place = place.get(part) if isinstance(place, dict) else None
        if key.strip() == "name" or not isinstance(place, dict) or isinstance(place.get(last, {}), dict):
            keys = [name for name in _flatten(table) if name != "name"]
            raise TrainError(f"setting {key!r}: unknown, expected one of {', '.join(keys)}.")
        place[last] = _parse(text.strip(), place[last], key)
    return recipe_from_table(table, "--set")


def recipe_from_table(table: dict[str, Any], source: str) -> Recipe:
    """Return the recipe that a parsed ``recipe.toml`` holds.

    Raises:
        TrainError: unknown or missing keys, or values that do not fit.
    """
    try:
        rest = dict(table)
        phases = tuple(_fill(Phase, {"name": name, **found}) for name, found in rest.pop("phases").items())
        recipe: Recipe = _fill(
            Recipe,
            {
                **rest,
                "phases": phases,
                "input": _fill(ModelInput, rest["input"]),
                "augmentation": _fill(Augmentation, rest["augmentation"]),
                "distillation": _fill(Distillation, rest["distillation"]),
                "field": _fill(FieldSettings, rest.get("field", {})),
            },
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise TrainError(f"{source}: not a recipe of this version ({error}).") from error
    check_recipe(recipe, source)
    return recipe


def recipe_to_toml(recipe: Recipe) -> bytes:
    """Return the bytes of ``recipe.toml``; ``recipe_from_table(tomllib.loads(...))`` gives the recipe back."""
    lines: list[str] = []
    _write_table(_to_table(recipe), "", lines)
    content = "\n".join(lines).strip() + "\n"
    if tomllib.loads(content) != _to_table(recipe):
        raise ValueError(f"recipe {recipe.name} cannot be written as TOML")
    return content.encode("utf-8")


def check_recipe(recipe: Recipe, source: str) -> None:
    """Refuse settings that cannot work.

    Raises:
        TrainError: naming the setting, its value and what was expected.
    """
    table = _flatten(_to_table(recipe))
    for key, value in table.items():
        choices = _CHOICES.get(key) or _CHOICES.get(key.rsplit(".", 1)[-1])
        if choices and value not in choices:
            raise TrainError(f"{source}: {key} is {value!r}, expected one of {', '.join(choices)}.")
        low, high = _range(key)
        if isinstance(value, int | float) and not low <= value <= high:
            raise TrainError(f"{source}: {key} is {value:g}, expected {low:g} to {high:g}.")
    if recipe.devices != AUTO and not re.fullmatch("[1-9][0-9]{0,3}", recipe.devices):
        raise TrainError(f"{source}: devices is {recipe.devices!r}, expected auto or a number from 1.")
    if not any(phase.epochs for phase in recipe.phases):
        raise TrainError(f"{source}: no phase has an epoch, expected at least one.")
    if recipe.validation + recipe.test >= 1:
        raise TrainError(f"{source}: validation and test leave nothing to train on; their sum must be below 1.")
    for phase in recipe.phases:
        if phase.views and not phase.first_layer:
            raise TrainError(
                f"{source}: phases.{phase.name}.views is {phase.views}, which needs frozen layers (first_layer). "
                "Set it to 0."
            )
    if recipe.sampling == "balanced" and recipe.class_weights == "balanced":
        raise TrainError(
            f"{source}: sampling and class_weights are both balanced, which counts small classes twice. Choose one."
        )
    if recipe.weights == "none" and recipe.batch_norm == "inference":
        raise TrainError(
            f"{source}: weights is none, but batch_norm is inference, which needs trained statistics. "
            'Add "--set batch_norm=train", and "--set phases.head.epochs=0" where there is a phase for the head alone.'
        )


def _to_table(recipe: Recipe) -> dict[str, Any]:
    table = asdict(recipe)
    table["phases"] = {phase.pop("name"): phase for phase in table["phases"]}
    return table


def _fill(kind: Any, table: dict[str, Any]) -> Any:
    """Make a dataclass of a table; whole numbers become floats where the field is one."""
    floats = {item.name for item in fields(kind) if item.type is float}
    values = {
        key: float(value) if key in floats and isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in table.items()
    }
    for item in fields(kind):
        if item.name in values and item.type in (int, float, str) and type(values[item.name]) is not item.type:
            raise TypeError(f"{item.name} is {values[item.name]!r}, expected {getattr(item.type, '__name__', '')}")
    return kind(**values)


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


def _range(key: str) -> tuple[float, float]:
    last = key.rsplit(".", 1)[-1]
    if key in ("input.height", "input.width"):
        return MIN_INPUT_PX, MAX_INPUT_PX
    if key.startswith(("augmentation.", "field.")):
        return -float("inf"), float("inf")  # these check themselves
    if last in ("dropout", "label_smoothing", "ema", "validation", "test"):
        return (0.01 if last in ("validation", "test") else 0.0), 0.99999
    return {
        "batch_size": (1, 65536),
        "learning_rate": (1e-12, 100),
        "weight": (0, 1),
        "temperature": (0.1, 100),
        "views": (0, 1000),
        "blend": (0, 1),
        "outliers_per_batch": (1, 65536),
        "outliers_weight": (0, 100),
    }.get(last, (0, 1e9))


def _write_table(table: dict[str, Any], name: str, lines: list[str]) -> None:
    """Write plain values first, then tables: what TOML asks for."""
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
