"""A recipe: every setting of a training, as frozen dataclasses that go into ``recipe.toml`` and come out of it again.

The recipes themselves are the modules of ``trailcam_train.recipes``. A setting is named by its path in ``recipe.toml``,
for example ``batch_size``, ``input.height`` or ``phases.whole.epochs``; any of them can be overridden. What is unknown
or of another type is refused, with the names that exist.
"""

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import keras

from trailcam_edge.errors import TrainError
from trailcam_edge.manifest import FITS, MAX_INPUT_PX, MIN_INPUT_PX, InputSpec
from trailcam_train.augmentation import OFF, Augmentation
from trailcam_train.sampling import SAMPLINGS

__all__ = [
    "AUTO",
    "Distillation",
    "ModelInput",
    "Phase",
    "Recipe",
    "check_recipe",
    "find_builder",
    "find_recipe",
    "override",
    "recipe_from_table",
    "recipe_names",
    "recipe_to_toml",
]

Builder = Callable[["Recipe", int], keras.Model]  # recipe and number of classes to a model from uint8 to logits

AUTO = "auto"

_CHOICES = {
    "input.fit": FITS,
    "batch_norm": ("train", "inference"),
    "optimizer": ("adam", "adamw"),
    "class_weights": ("none", "balanced"),
    "sampling": SAMPLINGS,
    "precision": (AUTO, "float32", "mixed_bfloat16"),
    "schedule": ("constant", "cosine"),
}


@dataclass(frozen=True)
class ModelInput:
    """What the model takes: raw pixels of this size in px, and what happens to pictures of another aspect."""

    height: int
    width: int
    fit: str = "crop"

    @property
    def spec(self) -> InputSpec:
        """The same as the bundle's input."""
        return InputSpec(self.height, self.width, self.fit)


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one set of learning weights and one learning-rate schedule.

    ``first_layer`` is the first layer that learns, all before it are frozen; empty: all learn. The rate climbs for
    ``warmup_epochs`` to ``learning_rate`` and then stays or falls along a half cosine to zero. ``patience`` stops the
    phase after so many epochs without a better validation; 0 never does. ``epochs = 0`` leaves the phase out. With
    ``views`` above 0 the frozen layers are run once over that many augmented views of every picture, see ``trunk.py``.

    With ``blend`` below 1 the phase ends with (1 - blend) * the weights it began with + blend * its best, whether or
    not they validate better: that keeps what a pretrained backbone knows of other pictures than those it was tuned on.
    If no epoch of the phase was better than all before, it ends with the best before. Source: Wortsman et al., "Robust
    fine-tuning of zero-shot models", CVPR 2022 (WiSE-FT), section 3.
    """

    name: str
    epochs: int
    learning_rate: float
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    first_layer: str = ""
    patience: int = 0
    views: int = 0
    blend: float = 1.0


@dataclass(frozen=True)
class Distillation:
    """Learning from stronger runs; ``teacher`` is their folders with commas between, empty for none.

    The loss is (1 - weight) * cross-entropy with the labels + weight * temperature^2 * KL(teacher || student), both
    softened by ``temperature``; a weight of 1 leaves the labels out. Source: Hinton et al., "Distilling the knowledge
    in a neural network", 2015. With ``views`` above 0 the teacher answers so many augmented views of every picture
    once, beforehand, and epochs take them in turn; with 0 it answers new pictures in each epoch. In a phase that has
    views of its own the teacher answers those.
    """

    teacher: str = ""
    weight: float = 0.7
    temperature: float = 3.0
    views: int = 0


@dataclass(frozen=True)
class Recipe:
    """Every setting of a training.

    ``weights`` is ``imagenet``, ``none`` or the path of a backbone file. ``batch_norm = "inference"`` keeps the
    statistics of a pretrained backbone. ``ema`` is the momentum of an average of the weights, which is then what is
    validated and saved; 0 turns it off. ``class_weights = "balanced"`` makes each class count alike in the loss,
    ``sampling = "balanced"`` shows each as often, see ``sampling.py``; one of them is enough. With ``outliers_weight``
    above 0 and a folder of others, ``outliers_per_batch`` pictures of the half that may set the reject rule go into
    every batch, and the network learns to be undecided about them, see ``losses.py``. ``precision = "auto"`` trains in
    mixed bfloat16 on a GPU and in float32 elsewhere; the saved model is float32 either way. ``devices`` is how many
    share each batch, a number or ``auto`` for all that can, see ``devices.py``.
    """

    name: str
    input: ModelInput
    phases: tuple[Phase, ...]
    weights: str = "none"
    seed: int = 0
    batch_size: int = 32
    optimizer: str = "adam"
    weight_decay: float = 0.0
    batch_norm: str = "train"
    dropout: float = 0.0
    label_smoothing: float = 0.0
    class_weights: str = "none"
    sampling: str = "natural"
    outliers_weight: float = 0.0
    outliers_per_batch: int = 8
    ema: float = 0.0
    precision: str = "auto"
    devices: str = "auto"
    validation: float = 0.15
    test: float = 0.15
    augmentation: Augmentation = OFF
    distillation: Distillation = field(default_factory=Distillation)


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes, sorted."""
    package = importlib.import_module("trailcam_train.recipes")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name; dashes count as underscores.

    Raises:
        TrainError: there is none.
    """
    found: Recipe = _module(name).RECIPE
    return found


def find_builder(name: str) -> Builder:
    """Return the function that builds the network of a recipe.

    Raises:
        TrainError: there is no such recipe.
    """
    found: Builder = _module(name).build
    return found


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


def _module(name: str) -> Any:
    wanted = name.replace("-", "_")
    if wanted not in recipe_names():
        raise TrainError(f"recipe {name!r}: unknown, expected one of {', '.join(recipe_names())}.")
    return importlib.import_module(f"trailcam_train.recipes.{wanted}")


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
    if key.startswith("augmentation."):
        return -float("inf"), float("inf")  # Augmentation checks itself
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
