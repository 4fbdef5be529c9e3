"""Inspect and edit the flatbuffer of a TFLite file: weights, fusion, runtimes, tensor names, input type.

An interpreter runs a file with lost weights, or with batch normalisation beside the convolutions, without an error.
Counting weights detects the first, arithmetic with constants behind a convolution the second.
"""

from collections import Counter
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from trailcam_core.errors import ExportError
from trailcam_export.tflite.flatbuffer import operator_code, read_tflite, write_tflite

_OPS = schema.BuiltinOperator
_CONVOLUTIONS = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D)
_ARITHMETIC = (_OPS.MUL, _OPS.ADD, _OPS.SUB)
_MIN_FRACTION = 0.99  # of the weights; converters may drop a few constants, but never a kernel

# The oldest versions on which golden vectors of every scheme were replayed ("make check-runtimes"), and the TFLite that
# tflite-runtime 2.14 is. The file states which TFLite its operators need.
_LITERT, _TFLITE_RUNTIME = "2.1", "2.14"
_NEWEST_FOR_TFLITE_RUNTIME = (2, 14)


def kernel_size(model: Any) -> int:
    """Return the number of kernel weights of a Keras model, those of two dimensions or more."""
    return sum(int(np.prod(weight.shape)) for weight in model.weights if len(weight.shape) >= 2)


def check_weights(content: bytes, scheme: str, kernels: int) -> None:
    """Refuse a file that lost weights, or in which batch normalisation was not folded into the convolutions.

    Args:
        content: the file.
        scheme: of the file, for messages.
        kernels: as ``kernel_size`` counts them.

    Raises:
        ExportError: saying how many are missing, or naming the operator.
    """
    model = read_tflite(content)
    graph = model.subgraphs[0]
    constant = {index for index, tensor in enumerate(graph.tensors) if _is_constant(model, tensor)}
    found = sum(_size(graph.tensors[index]) for index in constant if len(_shape(graph.tensors[index])) >= 2)
    if found < _MIN_FRACTION * kernels:
        raise ExportError(
            f"The converted {scheme} file holds {found:,} weights, the trained model {kernels:,}: some were lost on "
            "the way. Nothing was exported."
        )
    constant |= {
        int(operator.outputs[0])
        for operator in graph.operators
        if operator_code(model, operator) == _OPS.DEQUANTIZE and int(operator.inputs[0]) in constant
    }
    _check_fused(model, graph, constant, scheme)


def runtime_min(content: bytes) -> dict[str, str | None]:
    """Return the oldest runtimes that can run a file, for the manifest.

    Source: the entry ``min_runtime_version``, which the converter writes from the versions of the operators. The
    quantiser behind it does not raise them, so its additions are detected here: scales per output in a dense layer,
    which need 2.17; activations quantised while the model runs, with a scale per channel of a convolution, are in 2.14
    already.
    """
    model = read_tflite(content)
    graph = model.subgraphs[0]
    stated: tuple[int, ...] = (0,)
    for entry in model.metadata or []:
        if bytes(entry.name) == b"min_runtime_version":
            text = bytes(model.buffers[entry.buffer].data).split(b"\0")[0].decode("ascii", "replace")
            stated = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    per_output = any(
        operator_code(model, operator) == _OPS.FULLY_CONNECTED and _scale_count(graph.tensors[operator.inputs[1]]) > 1
        for operator in graph.operators
    )
    old_enough = stated <= _NEWEST_FOR_TFLITE_RUNTIME and not per_output
    return {"litert": _LITERT, "tflite_runtime": _TFLITE_RUNTIME if old_enough else None}


def take_uint8(content: bytes) -> bytes:
    """Put a cast from uint8 before the float32 input of a file."""
    model = read_tflite(content)
    graph = model.subgraphs[0]
    before = int(graph.inputs[0])
    levels = schema.TensorT()
    levels.name, levels.type, levels.shape, levels.buffer = (
        b"image",
        schema.TensorType.UINT8,
        _shape(graph.tensors[before]),
        0,
    )
    graph.tensors.append(levels)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = _OPS.CAST
    code.version = 1
    model.operatorCodes.append(code)
    cast = schema.OperatorT()
    cast.opcodeIndex = len(model.operatorCodes) - 1
    cast.inputs, cast.outputs = [len(graph.tensors) - 1], [before]
    cast.builtinOptionsType, cast.builtinOptions = schema.BuiltinOptions.CastOptions, schema.CastOptionsT()
    cast.builtinOptions.inDataType, cast.builtinOptions.outDataType = schema.TensorType.UINT8, schema.TensorType.FLOAT32
    graph.operators.insert(0, cast)
    graph.inputs = [len(graph.tensors) - 1]
    for signature in model.signatureDefs or []:
        for entry in signature.inputs:
            entry.tensorIndex = len(graph.tensors) - 1
    return write_tflite(model)


def shorten_names(content: bytes) -> bytes:
    """Name each tensor of a file by the last of the operators that were fused into it.

    The converter lists them all, up to six a tensor and none of use to a device: 25 kB of an EfficientNet-Lite2, half a
    percent of what an update sends. Names stay apart: the second tensor of a name, mostly a bias, ends with ``;2``.
    """
    model = read_tflite(content)
    for graph in model.subgraphs:
        taken: Counter[bytes] = Counter()
        for tensor in graph.tensors:
            name = bytes(tensor.name).split(b";")[0]
            taken[name] += 1
            tensor.name = name if taken[name] == 1 else b"%s;%d" % (name, taken[name])
    return write_tflite(model)


def _check_fused(model: Any, graph: Any, constant: set[int], scheme: str) -> None:
    """Refuse arithmetic with a constant per channel behind a convolution: a normalisation that was not folded.

    One number for all channels is part of an activation (hard swish adds 3), and an output with two readers cannot be
    folded.
    """
    made_by = {int(output): operator for operator in graph.operators for output in operator.outputs}
    readers = Counter(int(index) for operator in graph.operators for index in operator.inputs)
    for operator in graph.operators:
        if operator_code(model, operator) not in _ARITHMETIC:
            continue
        inputs = [int(index) for index in operator.inputs]
        factors = [index for index in inputs if index in constant]
        sources = [index for index in inputs if index in made_by and index not in constant]
        if not factors or not sources or operator_code(model, made_by[sources[0]]) not in _CONVOLUTIONS:
            continue
        channels = _shape(graph.tensors[sources[0]])[-1]
        factor = graph.tensors[factors[0]]
        if readers[sources[0]] > 1 or channels == 1 or not _size(factor) == channels == (_shape(factor) or [1])[-1]:
            continue
        if made_by[sources[0]].builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE:
            name = bytes(graph.tensors[operator.outputs[0]].name).decode("utf-8", "replace")
            raise ExportError(
                f"The converted {scheme} file is not fused: {name!r} computes with a constant right behind a "
                "convolution, where a folded batch normalisation would have left nothing. It would be slow and "
                "quantise badly. Put BatchNormalization directly behind the convolution, without a layer between."
            )


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def _size(tensor: Any) -> int:
    return int(np.prod(_shape(tensor)))


def _scale_count(tensor: Any) -> int:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return 0 if scales is None else len(scales)
