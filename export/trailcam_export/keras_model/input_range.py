"""The input range of a foreign model, the values of pixel levels 0 and 255: read from the model, or stated by the user.

A uint8 input takes the levels unchanged. Otherwise the layers and plain operations that scale the input first imply the
range, a Rescaling layer or the divisions and subtractions of a ``preprocess_input``, if exactly one range is plausible:
scale and offset map 0..255, or 0..1, to usual network inputs, from about zero or below to a few units. Anything else,
in particular a plain ``x * 255``, implies no range, and none is guessed.
"""

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import ValueRange

_LEVELS: ValueRange = (0.0, 255.0)
_UNIT: ValueRange = (0.0, 1.0)
_SCALINGS = ("Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract", "Add", "GetItem", "BiasAdd")
_NOISE = ("GaussianNoise", "GaussianDropout", "AlphaDropout")

# Usual network inputs: 0..1, -1..1, or a few deviations around a mean (ImageNet's give -2.1 to 2.6).
_FARTHEST = 4.0
_LEAST_SPAN = 0.4  # of each channel: 0..1 behind a scale of 1/255 would be 0.004
_HIGHEST_LOW = 0.1  # 0..1 behind a scale and an offset of 0.5 would begin at 0.5: made for -1..1
_MEAN_ONLY = (-130.0, 260.0)  # levels less a mean of each channel, as of the networks that Caffe trained
_LEAST_MEAN = 50.0


def find_range(
    model: keras.Model, path: Path, floats: bool, stated: ValueRange | None
) -> tuple[ValueRange, str | None]:
    """Return the input values of levels 0 and 255, and a note for the user.

    Args:
        model: of one input.
        path: of the model, for messages.
        floats: whether that input is float.
        stated: by the user; it overrides a layer.

    Raises:
        ExportError: the range is unknown, or one is stated for an integer input.
    """
    if not floats:
        if stated not in (None, _LEVELS):
            raise ExportError(
                f"{path}: --input-range is {_format(stated)}, but the model itself takes whole numbers, levels 0 to "
                "255: scaling twice would make all pictures look alike. Leave --input-range out."
            )
        return _LEVELS, None
    scalings = _scalings(model)
    known = next((found for scaling in scalings if (found := _made_for(scaling)) is not None), None)
    if stated is None and known is None:
        seen = (
            f" (its first layer, {scalings[0].name!r}, scales by {_format_numbers(scalings[0].scale)} and adds "
            f"{_format_numbers(scalings[0].offset)}, which fits no usual range)"
            if scalings
            else ""
        )
        raise ExportError(
            f"{path}: takes float32 and does not state its range{seen}. State the values of black and white pixels "
            "in training: --input-range 0 255, --input-range 0 1 or --input-range -1 1."
        )
    if stated is None:
        assert known is not None  # noqa: S101 - checked above; for the type checker
        return known, None
    if known is None or known == stated:
        return stated, None
    return stated, (
        f"--input-range {stated[0]:g} {stated[1]:g} was used, although the first layer, {scalings[0].name!r}, is made "
        f"for {_format(known)}: if the answers are poor, leave --input-range out"
    )


def is_augmentation(layer: Any) -> bool:
    """Return whether a layer is active only in training."""
    name = type(layer).__name__
    return name.startswith("Random") or name in _NOISE


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Scale and offset of each channel after the first layers of a model; ``name`` is that of the last of them."""

    name: str
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]


def _made_for(scaling: _Scaling) -> ValueRange | None:
    """Return the range that a scaling maps to usual network inputs."""
    scale, offset = scaling.scale, scaling.offset
    is_unscaled = bool(np.isclose(scale, 1, rtol=0, atol=1e-5).all())
    if is_unscaled and bool((offset == 0).all()):
        return None
    for low, high in (_LEVELS, _UNIT):  # no scale fits both: they would have to differ by 255
        ends = np.stack([scale * low + offset, scale * high + offset])
        lowest, highest = float(ends.min()), float(ends.max())
        span = float(np.abs(ends[1] - ends[0]).min())
        if -_FARTHEST <= lowest <= _HIGHEST_LOW and highest <= _FARTHEST and span >= _LEAST_SPAN:
            return low, high
        only_mean = is_unscaled and float(offset.max()) <= -_LEAST_MEAN
        if high == _LEVELS[1] and only_mean and _MEAN_ONLY[0] <= lowest and highest <= _MEAN_ONLY[1]:
            return low, high
    return None


def _scalings(model: Any) -> list[_Scaling]:
    """Return the scaling after each of the first layers and operations that scale the input, without augmentation."""
    if isinstance(model, keras.Sequential):
        layers = [layer for layer in model.layers if not _passes(layer)]
        if layers and isinstance(layers[0], keras.Model):
            return _scalings(layers[0])
        chain: list[tuple[str, Any]] = []
        tensor = keras.Input(model.input_shape[1:])
        for layer in takewhile(_is_scaling, layers):
            chain.append((layer.name, layer(chain[-1][1] if chain else tensor)))
        return _measure(tensor, chain)
    if not hasattr(model, "operations") or len(model.inputs) != 1:
        return []
    chain = []
    while len(readers := _readers(model, chain[-1][1] if chain else model.inputs[0])) == 1:
        operation, node = readers[0]
        if not chain and isinstance(operation, keras.Model):
            return _scalings(operation)
        if not _is_scaling(operation) or len(node.input_tensors) != 1:
            break
        chain.append((operation.name, node.outputs[0]))
    return _measure(model.inputs[0], chain)


def _is_scaling(operation: Any) -> bool:
    return type(operation).__name__ in _SCALINGS


def _measure(tensor: Any, chain: list[tuple[str, Any]]) -> list[_Scaling]:
    """Measure scale and offset on images of 0, 1 and 255, up to the first operation that is not linear."""
    found: list[_Scaling] = []
    if not chain:
        return found
    probe = np.ones((3, *(side or 8 for side in tensor.shape[1:])), np.float32)
    probe *= np.array([0, 1, 255], np.float32).reshape(3, 1, 1, 1)
    answers = keras.Model(tensor, [output for _, output in chain]).predict_on_batch(probe)
    for (name, _), answer in zip(chain, answers if isinstance(answers, list) else [answers], strict=True):
        black, one, white = np.asarray(answer, np.float64)[:, 0, 0, :]
        scale = (white - black) / _LEVELS[1]
        if not np.allclose(one, black + scale, rtol=0, atol=0.01 * max(1.0, float(np.abs(scale).max()))):
            break
        found.append(_Scaling(name, scale, black))
    return found


def _readers(model: Any, tensor: Any) -> list[tuple[Any, Any]]:
    """Return the layers and plain operations of a functional model that read a tensor, with the node that reads it."""
    found: list[tuple[Any, Any]] = []
    for operation in model.operations:
        for node in operation._inbound_nodes:
            if any(item is tensor for item in node.input_tensors):
                found += _readers(model, node.outputs[0]) if _passes(operation) else [(operation, node)]
    return found


def _passes(layer: Any) -> bool:
    """Return whether a layer, or a nested model, is the identity in inference."""
    if isinstance(layer, keras.layers.InputLayer | keras.layers.Identity) or is_augmentation(layer):
        return True
    return isinstance(layer, keras.Model) and all(
        _passes(inner) for inner in getattr(layer, "operations", layer.layers)
    )


def _format(stated: ValueRange | None) -> str:
    return "" if stated is None else f"{stated[0]:g} to {stated[1]:g}"


def _format_numbers(value: Any) -> str:
    return ", ".join(dict.fromkeys(f"{number:.4g}" for number in np.ravel(value)))
