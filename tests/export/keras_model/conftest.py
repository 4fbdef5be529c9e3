"""A small Keras model that somebody else could have made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_export.keras_model.load_foreign_model import open_foreign_model

LABELS = ("blue", "green", "red")


Layers = list[Any]


@pytest.fixture
def save(tiny: Any, tmp_path: Path) -> Callable[[keras.Model], Path]:
    def write(model: keras.Model) -> Path:
        path = tmp_path / "theirs.keras"
        tiny.save(model, path)
        return path

    return write


def network(*first: Any, last: Layers | None = None, dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((32, 32, 3), dtype=dtype)
    x = inputs
    for layer in first:
        x = layer(x)
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, name="scores")(x) if last is None else x
    for layer in last or []:
        x = layer(x)
    return keras.Model(inputs, x)


def preprocessed(steps: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(steps(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def opened_model(path: Path, *rest: Any) -> keras.Model:
    return open_foreign_model(path, LABELS, *rest)[0]


def rescaling() -> Any:
    return keras.layers.Rescaling(1 / 127.5, offset=-1)


@pytest.fixture(scope="module")
def pictures() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
