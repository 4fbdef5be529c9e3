"""Cut one operator out of a TFLite file, as it is or as the linear part of a layer in real numbers."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from trailcam_export.tflite.flatbuffer import write_tflite

_DTYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}


def operator_file(model: Any, operator: Any, inputs: Sequence[int]) -> bytes:
    """Return a file of one operator of ``model``, a ``ModelT``.

    Args:
        model: with the operator in its first subgraph.
        operator: of it.
        inputs: the tensors that the file takes, in this order; all others that the operator reads are constants.
    """
    graph = model.subgraphs[0]
    used = dict.fromkeys(int(index) for index in (*operator.inputs, *operator.outputs) if index >= 0)
    data = {index: model.buffers[graph.tensors[index].buffer].data for index in used if index not in inputs}
    return _write(model, operator, {index: graph.tensors[index] for index in used}, data, inputs)


def linear_file(model: Any, layer: Any) -> bytes:
    """Return a float32 file of a layer without its activation function: its first input times its weights, plus bias.

    Args:
        model: float32, or with integer constants, which are replaced by their real numbers.
        layer: a convolution or dense layer, whose inputs are activation, weights, bias.
    """
    graph = model.subgraphs[0]
    taken = int(layer.inputs[0])
    tensors, data = {}, {}
    for index in dict.fromkeys(int(index) for index in (*layer.inputs, *layer.outputs) if index >= 0):
        tensors[index] = copy(graph.tensors[index])
        tensors[index].type, tensors[index].quantization = schema.TensorType.FLOAT32, None
        if index != taken and (values := constant(model, graph.tensors[index])) is not None:
            data[index] = np.frombuffer(real_numbers(values, graph.tensors[index]).tobytes(), np.uint8)
    linear = copy(layer)
    linear.builtinOptions = copy(layer.builtinOptions)
    linear.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
    return _write(model, linear, tensors, data, [taken])


def constant(model: Any, tensor: Any) -> npt.NDArray[Any] | None:
    """Return the stored values of a tensor in its shape; None for an activation."""
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.frombuffer(bytes(data), _DTYPES[tensor.type]).reshape([int(size) for size in tensor.shape])


def real_numbers(values: npt.NDArray[Any], tensor: Any) -> npt.NDArray[np.float32]:
    """Return the float32 numbers that stored values of a tensor represent; those of a float tensor as they are."""
    stated = tensor.quantization
    if stated is None or stated.scale is None or not len(stated.scale):
        return values.astype(np.float32)
    scale, zero = np.asarray(stated.scale, np.float64), np.asarray(stated.zeroPoint, np.float64)
    if len(scale) > 1:  # one for each slice of a dimension
        shape = [1] * values.ndim
        shape[stated.quantizedDimension] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((values - zero) * scale, np.float32)


def _write(model: Any, operator: Any, tensors: dict[int, Any], data: dict[int, Any], inputs: Sequence[int]) -> bytes:
    numbers = {index: number for number, index in enumerate(tensors)} | {-1: -1}  # -1: an input that is left out
    file, part, alone = schema.ModelT(), schema.SubGraphT(), copy(operator)
    file.version, file.operatorCodes = model.version, [model.operatorCodes[operator.opcodeIndex]]
    file.buffers, file.subgraphs = [schema.BufferT()], [part]
    part.tensors, part.operators = [], [alone]
    for index, tensor in tensors.items():
        own = copy(tensor)
        own.buffer = 0
        if data.get(index) is not None:
            buffer = schema.BufferT()
            buffer.data = data[index]
            file.buffers.append(buffer)
            own.buffer = len(file.buffers) - 1
        part.tensors.append(own)
    alone.opcodeIndex = 0
    alone.inputs = [numbers[int(index)] for index in operator.inputs]
    alone.outputs = [numbers[int(index)] for index in operator.outputs]
    part.inputs, part.outputs = [numbers[index] for index in inputs], alone.outputs
    return write_tflite(file)
