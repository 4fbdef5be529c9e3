"""Keras models that are refused or asked about, each with the reason and a cure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import ExportError
from trailcam_export.keras_model.load_foreign_model import open_foreign_model

from .conftest import LABELS, network, opened_model, preprocessed, rescaling


def test_a_range_that_nobody_stated_is_not_guessed(save: Any) -> None:
    with pytest.raises(ExportError, match=r"does not state its range.*--input-range 0 255"):
        open_foreign_model(save(network()), LABELS)


def test_a_stated_range_that_would_scale_whole_numbers_twice_is_refused(save: Any) -> None:
    with pytest.raises(ExportError, match="scaling twice"):
        open_foreign_model(save(network(rescaling(), dtype="uint8")), LABELS, (0.0, 1.0))


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (127.5, 127.5), (0.5, 0.5)])
def test_a_rescaling_layer_that_could_mean_several_ranges_is_asked_about(
    save: Any, pictures: Any, scale: float, offset: float
) -> None:
    model = network(keras.layers.Rescaling(scale, offset=offset, name="theirs"))
    with pytest.raises(ExportError, match=r"'theirs', scales by .* fits no usual range.*--input-range 0 255"):
        open_foreign_model(save(model), LABELS)
    expected = model((pictures / np.float32(127.5) - 1).astype(np.float32))
    assert np.allclose(opened_model(save(model), (-1.0, 1.0))(pictures), expected, rtol=1e-4, atol=1e-3)


def test_a_random_crop_is_refused_because_it_does_something_while_predicting(save: Any) -> None:
    inputs = keras.Input((40, 40, 3))
    x = keras.layers.RandomCrop(32, 32)(rescaling()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    with pytest.raises(ExportError, match="crops at random"):
        opened_model(save(model))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: network(rescaling(), last=[keras.layers.Dense(5)]),
            r"gives \(None, 5\), but --labels lists 3 names",
        ),
        (lambda: network(rescaling(), last=[keras.layers.Dense(3, activation="sigmoid")]), "ends with a sigmoid"),
        (
            lambda: keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()]),
            "with fixed sizes",
        ),
        (lambda: keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]), "32, 1"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]),
            "32 to 1024",
        ),
    ],
)
def test_what_is_no_classifier_of_these_labels_is_refused(
    save: Any, model: Callable[[], keras.Model], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        open_foreign_model(save(model()), LABELS)


def test_a_file_that_is_no_keras_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="cannot be loaded as a Keras model"):
        open_foreign_model(path, LABELS)


def test_one_yes_or_no_output_for_two_labels_is_named(save: Any) -> None:
    model = network(rescaling(), last=[keras.layers.Dense(1, activation="sigmoid")])
    with pytest.raises(ExportError, match="one yes/no output, expected one output for each of the 2 labels"):
        open_foreign_model(save(model), ("cat", "dog"))


@pytest.mark.parametrize("steps", [lambda x: x * 255.0, lambda x: x * x, lambda x: x + 0.0])
def test_operations_that_fit_no_usual_range_are_asked_about(save: Any, steps: Any) -> None:
    with pytest.raises(ExportError, match="does not state its range"):
        open_foreign_model(save(preprocessed(steps)), LABELS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras while it saves
def test_layer_classes_that_keras_does_not_have_are_named(tmp_path: Path) -> None:
    parts = {"call": lambda self, x: x, "__module__": "their_package.layers"}
    path = tmp_path / "theirs.keras"
    network(type("Sharpen", (keras.layers.Layer,), parts)(name="sharpen")).save(path)

    with pytest.raises(ExportError, match="holds the layer classes Sharpen, which Keras does not have"):
        open_foreign_model(path, LABELS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras while it saves
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_is_named_with_a_cure(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs{suffix}"
    network(keras.layers.Lambda(lambda x: x / 127.5 - 1, name="to_range")).save(path)
    with pytest.raises(ExportError, match=r"layer 'to_range' is a Lambda.*Rescaling\(1 / 127.5, offset=-1\)") as said:
        open_foreign_model(path, LABELS)
    assert str(said.value).endswith(".")
