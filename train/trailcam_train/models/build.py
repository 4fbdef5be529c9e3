"""Build the network of a recipe in the precision that suits this machine; save it in float32 whatever trained it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras

from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import STAGING_PREFIX, sync_directory
from trailcam_train.recipe.schema import Recipe, find_builder

__all__ = [
    "build_network",
    "has_gpu",
    "jit_setting",
    "load_network",
    "save_network",
    "seed_epoch",
    "training_precision",
]


def training_precision(recipe: Recipe) -> str:
    """Return the precision to train in: ``float32`` or ``mixed_bfloat16``.

    bfloat16 has the range of float32, so no loss needs scaling. On a processor it is slower than float32.
    """
    if recipe.precision != "auto":
        return recipe.precision
    return "mixed_bfloat16" if has_gpu() else "float32"


def build_network(recipe: Recipe, class_count: int, precision: str) -> keras.Model:
    """Build the network of a recipe: (N, H, W, 3) uint8 to (N, class_count) float32 logits.

    Raises:
        TrainError: unknown recipe, its weights cannot be had, or the network cannot take pictures of this size.
    """
    with _dtype_policy(precision):
        builder = find_builder(recipe.name)
        try:
            return builder(recipe, class_count)
        except ValueError as error:  # Keras says so: each of its networks has a least size
            size = f"{recipe.input.width}x{recipe.input.height}"
            reason = " ".join(str(error).split())[:200]
            raise TrainError(
                f"recipe {recipe.name}: the network cannot be built for {size} px ({reason}). Choose another "
                "input.height and input.width."
            ) from error


def save_network(model: keras.Model, recipe: Recipe, path: Path) -> None:
    """Save the weights of ``model`` in a fresh float32 network of plain layers, without anything else of a training.

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


def load_network(path: Path) -> keras.Model:
    """Load a saved network, ready to predict.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no Keras model.
    """
    model = keras.models.load_model(path, compile=False)
    model.compile(jit_compile=jit_setting())
    return model


def jit_setting() -> str | bool:
    """Return Keras' ``jit_compile`` for this machine: its own choice, but never XLA for TensorFlow on a processor.

    Keras chooses XLA there, which made a training step of EfficientNet-Lite0 at 160 px six times slower (2 cores).
    """
    return False if keras.backend.backend() == "tensorflow" and not has_gpu() else "auto"


def seed_epoch(seed: int, epoch: int) -> None:
    """Make the chance of an epoch depend on its number alone, on the backend where the network does not see to that.

    Keras' dropout keeps its random state in a variable of the network, which checkpoints hold; on torch, where nobody
    gave it a seed, it draws from torch's own generator instead. Source: ``dropout`` in Keras' torch backend, its
    "unseeded" path.
    """
    if keras.backend.backend() == "torch":
        keras.utils.set_random_seed((seed * 100_003 + epoch) % 2**32)


def has_gpu() -> bool:
    """Return whether Keras computes on a GPU here.

    Every backend's arrays say where they are, and none needs to be imported by name.
    """
    place = str(getattr(keras.ops.convert_to_tensor(1.0), "device", "")).lower()
    return "gpu" in place or "cuda" in place


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
