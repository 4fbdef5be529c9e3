"""Rebuild a Keras model that was trained elsewhere for export: raw uint8 RGB in, float32 logits out.

The weights are copied and the result is compared with the original on noise:

    softmax at the end          removed, whether it is an activation, a layer or an operation
    half or mixed precision     every layer in float32
    augmentation and noise      replaced by identity; they are inactive in inference
    pixels scaled outside       scaled inside, from the stated range of the input

The range is read from the first layer or stated by the user (``input_range``), and never guessed, because a wrong range
raises no error.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.inference.tflite import ValueRange
from trailcam_core.spec import MAX_INPUT_PX, MIN_INPUT_PX
from trailcam_export.keras_model.input_range import find_range, is_augmentation
from trailcam_export.keras_model.load_run_model import copy_weights, load_keras, walk_layers

_PIXELS = "pixels"  # the layer that scales levels to the values of the original
_CROPPING = "RandomCrop"  # crops the centre in inference: not the identity
_PROBABILITY_TOLERANCE = 2e-3  # absolute; half precision against float32, measured 4e-4 on a mixed_bfloat16 network
_HALF_TOLERANCE = 5e-2


def open_foreign_model(
    path: Path, labels: tuple[str, ...], value_range: ValueRange | None = None
) -> tuple[keras.Model, tuple[str, ...]]:
    """Load a Keras model, rebuild it to (N, H, W, 3) uint8 RGB in and (N, K) float32 logits out; return it with notes.

    Args:
        path: ``.keras`` or ``.h5`` file.
        labels: K names in the order of its outputs.
        value_range: the input values of pixel levels 0 and 255, if the user stated them.

    Raises:
        ExportError: not a Keras model, not an image classifier of these labels, or its range is not known.
    """
    model = load_keras(path)
    height, width, floats = _check_input(model, path)
    _check_output(model, path, labels)
    (low, high), note = find_range(model, path, floats, value_range)
    core = _without_softmax(_rebuild(model, path), path)
    image = keras.Input((height, width, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling((high - low) / 255, offset=low, name=_PIXELS, dtype="float32")(image)
    rebuilt = keras.Model(image, core(scaled), name="classifier")
    _check_same(model, rebuilt, path, (height, width), floats, (low, high))
    return rebuilt, () if note is None else (note,)


def stated_range(model: keras.Model) -> ValueRange:
    """Return the input values of levels 0 and 255 inside a rebuilt model."""
    rescaling = model.get_layer(_PIXELS)
    return float(rescaling.offset), float(rescaling.scale * 255 + rescaling.offset)


def with_range(model: keras.Model, low: float, high: float) -> keras.Model:
    """Return a rebuilt model with other input values for levels 0 and 255; the weights are shared."""
    image = keras.Input(model.input_shape[1:], dtype="uint8", name="image")
    scaled = keras.layers.Rescaling((high - low) / 255, offset=low, dtype="float32")(image)
    return keras.Model(image, model.layers[-1](scaled))


def _check_input(model: keras.Model, path: Path) -> tuple[int, int, bool]:
    """Return height, width, and whether the input is float."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(f"{path}: {len(model.inputs)} inputs and {len(model.outputs)} outputs, expected one of each.")
    shape, dtype = tuple(model.inputs[0].shape), str(model.inputs[0].dtype)
    sides = shape[1:3]
    if len(shape) != 4 or shape[3] != 3 or not all(isinstance(side, int) for side in sides):
        raise ExportError(
            f"{path}: takes {shape}, expected (None, height, width, 3) with fixed sizes. Rebuild it with "
            "keras.Input((height, width, 3))."
        )
    if not all(MIN_INPUT_PX <= side <= MAX_INPUT_PX for side in sides):
        raise ExportError(f"{path}: takes {sides} px, expected {MIN_INPUT_PX} to {MAX_INPUT_PX} a side.")
    return int(sides[0]), int(sides[1]), "float" in dtype


def _check_output(model: keras.Model, path: Path, labels: tuple[str, ...]) -> None:
    shape = tuple(model.outputs[0].shape)  # with the size of a batch where a Sequential was built by its first one
    if shape[1:] == (1,) and len(labels) > 1:
        raise ExportError(
            f"{path}: gives one yes/no output, expected one output for each of the {len(labels)} labels. Train it with "
            f"{len(labels)} outputs, or wrap it in a model that gives the score of no and of yes."
        )
    if shape[1:] != (len(labels),):
        raise ExportError(
            f"{path}: gives {shape}, but --labels lists {len(labels)} names: expected {(None, len(labels))}, a score "
            "for each name. Name the label file that belongs to the model."
        )


def _rebuild(model: keras.Model, path: Path) -> keras.Model:
    """Return a copy in float32 without augmentation."""
    cropping = next((layer for layer in walk_layers(model) if type(layer).__name__ == _CROPPING), None)
    if cropping is not None:
        raise ExportError(
            f"{path}: the layer {cropping.name!r} crops at random, and the centre while predicting. Save the model "
            "without it: pictures are cropped before they reach a model."
        )

    def copy_layer(layer: Any) -> Any:
        if is_augmentation(layer):
            return keras.layers.Identity(name=layer.name, dtype="float32")
        config = layer.get_config()
        if "dtype" in config and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "float32"
        return type(layer).from_config(config)

    size = tuple(model.inputs[0].shape)[1:]
    try:
        copy = keras.models.clone_model(
            model, input_tensors=keras.Input(size, dtype="float32"), clone_function=copy_layer, recursive=True
        )
        copy_weights(model, copy)
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        reason = first_line(error)
        raise ExportError(
            f"{path}: cannot be rebuilt in float32 without augmentation ({reason}). Save it as a functional or "
            "sequential model of Keras layers."
        ) from error
    return copy


def _without_softmax(model: keras.Model, path: Path) -> keras.Model:
    """Return the model up to its logits; refuse one that ends with a sigmoid."""
    last, node, _ = model.outputs[0]._keras_history  # a layer, or an operation such as keras.ops.softmax
    taken = last._inbound_nodes[node].input_tensors  # here; last.input would be where a nested model begins
    if isinstance(last, keras.Model):
        inner = _without_softmax(last, path)
        return model if inner is last else keras.Model(model.inputs, inner(taken if len(taken) > 1 else taken[0]))
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    kind = type(last).__name__
    if activation == "sigmoid" or kind == "Sigmoid":
        raise ExportError(
            f"{path}: ends with a sigmoid, an independent yes or no for each label. A bundle answers with one label: "
            "train with softmax or logits."
        )
    if kind == "Softmax" or (kind == "Activation" and activation == "softmax"):
        return keras.Model(model.inputs, taken[0])
    if activation == "softmax":
        last.activation = keras.activations.linear  # of the copy that _rebuild made
    return model


def _check_same(
    model: keras.Model,
    rebuilt: keras.Model,
    path: Path,
    size: tuple[int, int],
    floats: bool,
    value_range: ValueRange,
) -> None:
    """Compare both on noise and on a ramp, as probabilities if the original returns them."""
    random = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, size[1]).astype(np.uint8)[None, :, None], (*size, 3))
    images = np.stack([random.integers(0, 256, (*size, 3), dtype=np.uint8), ramp, 255 - ramp])
    low, high = value_range
    given = images.astype(np.float32) * ((high - low) / 255) + low if floats else images
    expected = np.asarray(keras.ops.cast(model(given, training=False), "float32"))
    logits = np.asarray(rebuilt(images, training=False))
    got = logits
    if np.abs(expected.sum(axis=1) - 1).max() < _HALF_TOLERANCE and expected.min() >= 0:
        got = np.asarray(keras.ops.softmax(logits))
    half = any(layer.compute_dtype not in ("float32", "uint8") for layer in walk_layers(model))
    worst = float(np.abs(got - expected).max())
    allowed = (_HALF_TOLERANCE if half else _PROBABILITY_TOLERANCE) * (1 + float(np.abs(expected).max()))
    if not worst <= allowed:
        raise ExportError(
            f"{path}: rebuilt with raw pixels in and logits out it gives other scores (by {worst:.4g}, expected at "
            f"most {allowed:.4g}). A layer of it does something that cannot be carried over: save the model with a "
            "uint8 input, float32 layers and logits at the end."
        )
