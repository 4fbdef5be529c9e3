"""The input range of a foreign model, the values of pixel levels 0 and 255: read from the model, or stated by the user.

A uint8 input takes the levels unchanged. Otherwise a Rescaling layer that reads the input implies the range, if exactly
one range is plausible: scale and offset map 0..255, or 0..1, to usual network inputs, from about zero or below to a few
units. Anything else, in particular a plain ``x * 255``, implies no range, and none is guessed.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import ValueRange

_LEVELS: ValueRange = (0.0, 255.0)
_UNIT: ValueRange = (0.0, 1.0)
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
    first = _first_layer(model)
    known = _made_for(first) if isinstance(first, keras.layers.Rescaling) else None
    if stated is None and known is None:
        seen = (
            f" (its first layer, {first.name!r}, scales by {_format_numbers(first.scale)} and adds "
            f"{_format_numbers(first.offset)}, which fits no usual range)"
            if isinstance(first, keras.layers.Rescaling)
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
        f"--input-range {stated[0]:g} {stated[1]:g} was used, although the first layer, {first.name!r}, is made for "
        f"{_format(known)}: if the answers are poor, leave --input-range out"
    )


def is_augmentation(layer: Any) -> bool:
    """Return whether a layer is active only in training."""
    name = type(layer).__name__
    return name.startswith("Random") or name in _NOISE


def _made_for(layer: Any) -> ValueRange | None:
    """Return the range that a Rescaling layer maps to usual network inputs."""
    scale, offset = np.broadcast_arrays(np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64))
    if bool((scale == 1).all() and (offset == 0).all()):
        return None
    for low, high in (_LEVELS, _UNIT):  # no scale fits both: they would have to differ by 255
        ends = np.stack([scale * low + offset, scale * high + offset])
        lowest, highest = float(ends.min()), float(ends.max())
        span = float(np.abs(ends[1] - ends[0]).min())
        if -_FARTHEST <= lowest <= _HIGHEST_LOW and highest <= _FARTHEST and span >= _LEAST_SPAN:
            return low, high
        only_mean = bool((scale == 1).all()) and float(offset.max()) <= -_LEAST_MEAN
        if high == _LEVELS[1] and only_mean and _MEAN_ONLY[0] <= lowest and highest <= _MEAN_ONLY[1]:
            return low, high
    return None


def _first_layer(model: Any) -> Any:
    """Return the only layer that reads the input, behind augmentation and inside nested models; None if not unique."""
    if isinstance(model, keras.Sequential):
        readers = [layer for layer in model.layers if not _passes(layer)][:1]
    elif hasattr(model, "operations") and len(model.inputs) == 1:
        readers = _readers(model, model.inputs[0])
    else:
        return None
    if len(readers) != 1:
        return None
    return _first_layer(readers[0]) if isinstance(readers[0], keras.Model) else readers[0]


def _readers(model: Any, tensor: Any) -> list[Any]:
    """Return the layers and plain operations of a functional model that read a tensor."""
    found: list[Any] = []
    for operation in model.operations:
        for node in operation._inbound_nodes:
            if any(item is tensor for item in node.input_tensors):
                found += _readers(model, node.outputs[0]) if _passes(operation) else [operation]
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
    return ", ".join(f"{number:.4g}" for number in np.ravel(value))
