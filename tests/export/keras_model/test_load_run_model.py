"""What cannot be exported is refused when the trained model is opened."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trailcam_core.errors import ExportError
from trailcam_core.spec import InputSpec
from trailcam_export.keras_model.load_run_model import open_trained_model

LABELS = ("blue", "green", "red")
SPEC = InputSpec(32, 32, "crop")


def _refused(tiny: Any, model: keras.Model, folder: Path, message: str) -> None:
    tiny.save(model, folder / "model.keras")
    with pytest.raises(ExportError, match=message):
        open_trained_model(folder / "model.keras", SPEC, LABELS)


def test_a_good_model_opens(tiny: Any) -> None:
    model = open_trained_model(tiny.path / "model.keras", SPEC, LABELS)
    assert model.output_shape == (None, 3)


def test_a_damaged_file_is_named(tiny: Any, tmp_path: Path) -> None:
    content = (tiny.path / "model.keras").read_bytes()
    for number, bad in enumerate((content[: len(content) // 2], b"", b"not a zip", content[:100] + content[200:])):
        path = tmp_path / f"{number}.keras"
        path.write_bytes(bad)
        with pytest.raises(ExportError, match=rf"{number}\.keras: cannot be loaded"):
            open_trained_model(path, SPEC, LABELS)


def test_another_number_of_labels_is_refused(tiny: Any) -> None:
    with pytest.raises(ExportError, match=r"gives \(None, 3\) float32, expected \(None, 4\)"):
        open_trained_model(tiny.path / "model.keras", SPEC, (*LABELS, "yellow"))


def test_a_float_input_is_refused(tiny: Any, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image)))
    _refused(tiny, model, tmp_path, r"takes .* float32, expected .* uint8 with the normalisation inside")


def test_two_outputs_are_refused(tiny: Any, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    _refused(tiny, keras.Model(image, [keras.layers.Dense(3)(x), keras.layers.Dense(3)(x)]), tmp_path, "2 outputs")


def test_weights_that_are_not_finite_are_refused(tiny: Any, tmp_path: Path) -> None:
    model = tiny.build()
    bias = model.layers[-1].weights[1]
    bias.assign(np.array([0, np.nan, 0], np.float32))
    _refused(tiny, model, tmp_path, "NaN or infinity")


def test_a_mixed_precision_model_is_refused(tiny: Any, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dense(4, dtype="mixed_bfloat16", name="half")(x)
    _refused(
        tiny, keras.Model(image, keras.layers.Dense(3, dtype="float32")(x)), tmp_path, "'half' computes in bfloat16"
    )


def test_another_keras_backend_is_refused_with_the_way_out(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="Unset KERAS_BACKEND"):
        open_trained_model(tiny.path / "model.keras", SPEC, LABELS)
