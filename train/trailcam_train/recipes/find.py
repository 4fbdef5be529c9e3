"""Find a recipe by name, and build and save its network."""

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
from trailcam_train.recipe.schema import Recipe


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes, sorted."""
    modules = pkgutil.iter_modules(trailcam_train.recipes.__path__)
    return tuple(sorted(module.name for module in modules if module.name != "find"))


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name; dashes count as underscores.

    Raises:
        TrainError: unknown name.
    """
    found: Recipe = _module(name).RECIPE
    return found


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


def _module(name: str) -> Any:
    wanted = name.replace("-", "_")
    if wanted not in recipe_names():
        raise TrainError(f"recipe {name!r}: unknown, expected one of {', '.join(recipe_names())}.")
    return importlib.import_module(f"trailcam_train.recipes.{wanted}")


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
