"""A recipe: every setting of a training, as frozen dataclasses. ``recipe_file.py`` writes, reads and overrides them.

The recipes themselves are the modules of ``trailcam_train.recipes``.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from trailcam_core.errors import TrainError
from trailcam_core.spec import InputSpec
from trailcam_train.field.settings import FieldSettings
from trailcam_train.input.augmentation import OFF, Augmentation

__all__ = ["AUTO", "Distillation", "ModelInput", "Phase", "Recipe", "find_builder", "find_recipe", "recipe_names"]

Builder = Callable[["Recipe", int], keras.Model]  # recipe and number of classes to a model from uint8 to logits

AUTO = "auto"


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
    share each batch, a number or ``auto`` for all that can, see ``devices.py``. ``field`` names the labels that are
    never an answer, and says how ``--negatives`` makes views of a field camera.
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
    distillation: Distillation = dataclasses.field(default_factory=Distillation)
    field: FieldSettings = dataclasses.field(default_factory=FieldSettings)


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


def _module(name: str) -> Any:
    wanted = name.replace("-", "_")
    if wanted not in recipe_names():
        raise TrainError(f"recipe {name!r}: unknown, expected one of {', '.join(recipe_names())}.")
    return importlib.import_module(f"trailcam_train.recipes.{wanted}")
