"""Find a recipe by name, and build and save its network.

Recipes are the modules beside this one, and those that other packages add with entry points of ``trailcam.recipes``.
"""

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

import trailcam_train.recipes
from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import STAGING_PREFIX, sync_directory
from trailcam_core.jobs.plugins import RECIPES, find_plugins, load_plugin
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.models.imagenet_file import ImageNetFile
from trailcam_train.models.weights_wheel import WeightsWheel
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import TEST_FRACTION, VALIDATION_FRACTION, Recipe

PublishedWeights = ImageNetFile | WeightsWheel


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes, sorted.

    Raises:
        TrainError: two recipes have one name.
    """
    return tuple(sorted({*_own_names(), *find_plugins(RECIPES, _own_names(), TrainError)}))


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name; dashes count as underscores.

    Raises:
        TrainError: unknown name, two recipes of one name, or a recipe of another package that cannot be used.
    """
    module = _module(name)
    found: Recipe = module.RECIPE
    if (found.seed, found.validation, found.test) != (0, VALIDATION_FRACTION, TEST_FRACTION):
        raise TrainError(
            f"recipe {name}: states its own seed, validation or test. A split depends on pictures and options alone, "
            "so that every recipe has the same test pictures: leave the three out of the recipe."
        )
    return replace(found, name=name.replace("-", "_"))


def recipe_summary(name: str) -> str:
    """Return the first line of the docstring of a recipe."""
    return (_module(name).__doc__ or "").strip().split("\n")[0].rstrip(".")


def recipe_cost(name: str) -> Cost | None:
    """Return the measured cost of a recipe; None if it states none."""
    cost: Cost | None = getattr(_module(name), "COST", None)
    return cost


def published_weights(recipe: Recipe) -> PublishedWeights | None:
    """Return the published weights that a recipe begins with; None if it begins with a file, or with nothing."""
    found: PublishedWeights | None = getattr(_module(recipe.name), "WEIGHTS", None)
    return found if recipe.weights == "imagenet" else None


def fetch_weights(recipe: Recipe, progress: Progress = silent) -> Path | None:
    """Fetch the published weights of a recipe, unless the cache has them; return their file, or None without any.

    Raises:
        TrainError: they cannot be fetched, or are not the published ones.
        OSError: the disk is full or failing.
    """
    found = published_weights(recipe)
    return None if found is None else found.fetch(progress)


def build_network(recipe: Recipe, class_count: int, precision: str) -> keras.Model:
    """Build the network of a recipe: (N, H, W, 3) uint8 to (N, class_count) float32 logits.

    Args:
        recipe: names the network and its settings.
        class_count: number of logits.
        precision: ``float32`` or ``mixed_bfloat16``.

    Raises:
        TrainError: unknown recipe, its weights are not available, or the network does not support this input size.
    """
    module = _module(recipe.name)
    with _dtype_policy(precision):
        try:
            model: keras.Model = module.build(recipe, class_count)
        except ValueError as error:  # raised by Keras: each of its networks has a minimum size
            size = f"{recipe.input.width}x{recipe.input.height}"
            reason = " ".join(str(error).split())[:200]
            raise TrainError(
                f"recipe {recipe.name}: the network cannot be built for {size} px ({reason}). Choose another "
                "input.height and input.width."
            ) from error
    return model


def save_network(model: keras.Model, recipe: Recipe, path: Path) -> None:
    """Save the weights of ``model`` in a new float32 network of plain layers, without any training state.

    Raises:
        OSError: the disk is full or failing; nothing is left at ``path``.
    """
    clean = build_network(replace(recipe, weights="none", batch_norm="train"), model.output_shape[-1], "float32")
    clean.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=path.parent) as staging:
        written = Path(staging) / path.name
        clean.save(written)
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        written.replace(path)
    sync_directory(path.parent)


def _own_names() -> tuple[str, ...]:
    modules = pkgutil.iter_modules(trailcam_train.recipes.__path__)
    return tuple(sorted(module.name for module in modules if module.name != "find"))


def _module(name: str) -> Any:
    wanted = name.replace("-", "_")
    found = find_plugins(RECIPES, _own_names(), TrainError)
    if wanted in _own_names():
        return importlib.import_module(f"trailcam_train.recipes.{wanted}")
    plugins = {entry.name.replace("-", "_"): entry for entry in found.values()}
    if wanted not in plugins:
        raise TrainError(f"recipe {name!r}: unknown, expected one of {', '.join(recipe_names())}.")
    module = load_plugin(plugins[wanted], TrainError)
    if not isinstance(getattr(module, "RECIPE", None), Recipe) or not callable(getattr(module, "build", None)):
        raise TrainError(
            f"recipe {name}: {plugins[wanted].value} lacks RECIPE or build, expected both as in "
            "trailcam_train.recipes.cnn."
        )
    return module


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
