"""Open the Keras model of a run and refuse one that cannot be exported."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.errors import ExportError
from trailcam_core.files.keras_weights import prove_weights
from trailcam_core.inference.file_model import first_line
from trailcam_core.spec import InputSpec
from trailcam_export.keras_model.first_reading import custom_layers, lambda_layers

_LOADING_ERRORS = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, zipfile.BadZipFile)


def open_trained_model(path: Path, spec: InputSpec, labels: tuple[str, ...]) -> keras.Model:
    """Load ``model.keras`` and check that it takes (N, H, W, 3) uint8 RGB and gives (N, K) float32 scores.

    Args:
        path: the file.
        spec: the input of the run.
        labels: K names, in the order of the outputs.

    Raises:
        ExportError: damaged, of other shapes or dtypes, half precision, or with weights that are not finite.
    """
    model = load_keras(path)
    check_trained_model(model, path, spec, labels)
    return model


def load_keras(path: Path) -> keras.Model:
    """Load a Keras model with any inputs and outputs.

    Raises:
        ExportError: Keras runs on another backend than TensorFlow, or the file is damaged or holds something else.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"Keras runs on {keras.backend.backend()} here, but only TensorFlow can convert to TFLite. "
            "Unset KERAS_BACKEND for the export; a run that was trained on another backend can be read all the same."
        )
    prove_weights(path, ExportError)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except _LOADING_ERRORS as error:
        names = lambda_layers(path)
        if names:
            raise ExportError(
                f"{path}: the layer {names[0]!r} is a Lambda, and its Python code is not run because it could do "
                "anything. Put layers in its place, such as keras.layers.Rescaling(1 / 127.5, offset=-1) for "
                "x / 127.5 - 1. If the file is yours, load it with keras.models.load_model(path, safe_mode=False), "
                "copy its weights into a model without Lambda and save that."
            ) from error
        custom = custom_layers(path)
        if custom:
            raise ExportError(
                f"{path}: holds the layer classes {', '.join(custom)}, which Keras does not have; their Python code is "
                "not in the file. Build the same model of Keras layers, copy its weights, and save that; or export it "
                "to ONNX in the program that knows them."
            ) from error
        reason = first_line(error)
        raise ExportError(f"{path}: cannot be loaded as a Keras model ({reason}). Save or train it again.") from error
    if not isinstance(model, keras.Sequential) and not isinstance(model, keras.models.Model):
        raise ExportError(f"{path}: holds a {type(model).__name__}, expected a Keras model.")
    return model


def check_trained_model(model: keras.Model, path: Path, spec: InputSpec, labels: tuple[str, ...]) -> None:
    """Refuse a model that does not satisfy ``open_trained_model``; ``path`` is for messages.

    Raises:
        ExportError: see there.
    """
    _check_tensors(model, path, spec, labels)
    _check_precision(model, path)
    _check_weights(model, path)


def _check_tensors(model: keras.Model, path: Path, spec: InputSpec, labels: tuple[str, ...]) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(f"{path}: {len(model.inputs)} inputs and {len(model.outputs)} outputs, expected one of each.")
    taken, given = model.inputs[0], model.outputs[0]
    expected = (None, spec.height, spec.width, 3)
    if tuple(taken.shape) != expected or taken.dtype != "uint8":
        raise ExportError(
            f"{path}: takes {tuple(taken.shape)} {taken.dtype}, expected {expected} uint8 with the normalisation "
            "inside the model, as in recipe.toml [input]. Train the run again."
        )
    if tuple(given.shape) != (None, len(labels)) or given.dtype != "float32":
        raise ExportError(
            f"{path}: gives {tuple(given.shape)} {given.dtype}, expected {(None, len(labels))} float32, a score for "
            "each name in labels.json. Train the run again."
        )


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of a model into its clone, in the precision of the clone.

    Raises:
        ValueError: the two do not have the same weights.
    """
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        ours.assign(keras.ops.cast(theirs, ours.dtype))
    for layer in walk_layers(target):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # Normalization computes with what it read from its weights when it was built
        if isinstance(layer, keras.layers.Normalization):
            # tf2onnx 1.17 takes a tensor from outside of the graph for one more input of the file
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)


def walk_layers(model: Any) -> Iterator[Any]:
    """Yield every layer of a model, including those of nested models."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from walk_layers(layer)


def _check_precision(model: keras.Model, path: Path) -> None:
    for layer in walk_layers(model):
        if layer.compute_dtype not in ("float32", "uint8"):
            raise ExportError(
                f"{path}: layer {layer.name!r} computes in {layer.compute_dtype}, expected float32. "
                "Save the run from a float32 copy of the model; training itself may be in mixed precision."
            )


def _check_weights(model: keras.Model, path: Path) -> None:
    for weight in model.weights:
        if "float" in str(weight.dtype) and not bool(keras.ops.all(keras.ops.isfinite(weight))):
            raise ExportError(f"{path}: {weight.path} holds NaN or infinity: training diverged. Train the run again.")
