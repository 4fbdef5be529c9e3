"""Replace the last layer of an int8 TFLite file, and leave every other byte of its weights and ranges as it is.

A head-only retraining changes one layer. Calibrated anew, with other pictures, all ranges of the frozen part would
move a little, and an update would send the whole file. So the earlier file is taken as it is: its dense layer gets new
weights, its logits a new range, and all else stays.

The rules are those of ``quantise_litert``: one symmetric scale for the weights, biases in the product of the scales of
input and weights, and a range of the logits that holds zero.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from trailcam_core.errors import ExportError
from trailcam_export.tflite.feature_map import without_feature_map
from trailcam_export.tflite.flatbuffer import operator_code, read_tflite, write_tflite
from trailcam_export.tflite.metadata import METADATA_NAME

_OPS = schema.BuiltinOperator
_INT8_MAX, _LEVELS = 127, 255
_LEAST = 1e-6  # of a weight or a range of logits: no scale is zero

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class DenseLayer:
    """The last layer of a trained network: ``kernel`` (F, K) and ``bias`` (K,)."""

    kernel: Floats
    bias: Floats


@dataclass(frozen=True)
class _Parts:
    """The tensors round the last layer of a graph."""

    features: Any
    weights: Any
    bias: Any
    logits: tuple[Any, ...]  # as int8, then as uint8 where a QUANTIZE follows


def give_features(content: bytes) -> tuple[bytes, float, int]:
    """Return an int8 file that gives what its last layer sees in place of the logits, with its scale and zero point.

    Raises:
        ExportError: the file has no such layer.
    """
    model = read_tflite(without_feature_map(content))
    parts = _find(model)
    graph = model.subgraphs[0]
    index = next(number for number, tensor in enumerate(graph.tensors) if tensor is parts.features)
    graph.outputs, model.signatureDefs = [index], []
    stated = parts.features.quantization
    return write_tflite(model), float(stated.scale[0]), int(stated.zeroPoint[0])


def replace_last_layer(content: bytes, layer: DenseLayer, lowest: float, highest: float) -> bytes:
    """Return an int8 file with another last layer.

    Args:
        content: the earlier file, with or without feature map and metadata, which both are removed.
        layer: of the retrained network.
        lowest: the least logit of it on calibration pictures.
        highest: the largest.

    Raises:
        ExportError: the file has no such layer, or one of another size.
    """
    model = read_tflite(without_feature_map(content))
    _remove_metadata(model)
    parts = _find(model)
    count, size = layer.kernel.shape[1], int(parts.weights.shape[1])
    if layer.kernel.shape[0] != size:
        raise ExportError(
            f"The earlier bundle has {size} features in front of its last layer, the trained network "
            f"{layer.kernel.shape[0]}: they are not of one network."
        )
    scale = max(float(np.abs(layer.kernel).max()), _LEAST) / _INT8_MAX
    weights = np.clip(np.rint(layer.kernel.T / scale), -_INT8_MAX, _INT8_MAX).astype(np.int8)
    _put(model, parts.weights, weights, scale, 0)
    step = float(parts.features.quantization.scale[0]) * scale
    _put(model, parts.bias, np.rint(layer.bias / step).astype(np.int32), step, 0)
    low, high = min(0.0, lowest), max(0.0, highest)
    width = max(high - low, _LEAST) / _LEVELS
    zero = int(np.clip(np.rint(-low / width), 0, _LEVELS))  # of uint8; that of int8 is 128 less
    for tensor in parts.logits:
        tensor.shape = [1, count]
        shift = 0 if tensor.type == schema.TensorType.UINT8 else 128
        _state(tensor, width, zero - shift)
    return write_tflite(model)


def _find(model: Any) -> _Parts:
    graph = model.subgraphs[0]
    made_by = {int(output): operator for operator in graph.operators for output in operator.outputs}
    index, logits = int(graph.outputs[0]), []
    while index in made_by and operator_code(model, made_by[index]) == _OPS.QUANTIZE:
        logits.append(graph.tensors[index])
        index = int(made_by[index].inputs[0])
    operator = made_by.get(index)
    if operator is None or operator_code(model, operator) != _OPS.FULLY_CONNECTED or len(operator.inputs) != 3:
        raise ExportError(
            "The earlier bundle does not end in a dense layer with a bias, so it cannot get a new one. Leave out "
            "--earlier: int8 is then calibrated anew."
        )
    features, weights, bias = (graph.tensors[int(number)] for number in operator.inputs)
    return _Parts(features, weights, bias, (graph.tensors[index], *logits))


def _put(model: Any, tensor: Any, values: npt.NDArray[Any], scale: float, zero: int) -> None:
    tensor.shape = list(values.shape)
    _state(tensor, scale, zero)
    model.buffers[tensor.buffer].data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)


def _state(tensor: Any, scale: float, zero: int) -> None:
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([zero], np.int64)


def _remove_metadata(model: Any) -> None:
    """Remove the embedded metadata with its buffer, the last one: the new file gets its own, and must not grow."""
    kept = [entry for entry in model.metadata or [] if bytes(entry.name) != METADATA_NAME]
    for entry in model.metadata or []:
        if entry in kept:
            continue
        if entry.buffer == len(model.buffers) - 1:
            model.buffers.pop()
        else:
            model.buffers[entry.buffer].data = None
    model.metadata = kept
