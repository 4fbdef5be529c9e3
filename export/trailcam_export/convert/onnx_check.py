"""Check a converted ONNX file as ONNX Runtime reads it, and refuse conversions that are wrong without an error.

Checked: it is valid, of the pinned opset, of standard operators only and with all weights inside; it draws no random
numbers; input, output and every tensor between have fixed sizes; it does not end with a softmax; no weight was lost and
batch normalisation is folded into the convolutions; plain ONNX Runtime opens it.
"""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.spec import FeatureMap
from trailcam_export.convert.onnx_feature_map import OUTPUT_NAME as FEATURE_MAP_NAME
from trailcam_export.convert.to_onnx import INPUT_NAME, OPSET, OUTPUT_NAME

_RANDOM = {"RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Multinomial", "Bernoulli"}
_ENDINGS = {"Softmax", "LogSoftmax", "Sigmoid"}
_PASSING = {"Reshape", "Squeeze", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Flatten"}
_ARITHMETIC = {"Mul", "Add", "Sub", "Div", "BatchNormalization"}
_Tensor = tuple[str, int, tuple[int, ...]]  # name, type, shape
_MIN_FRACTION = 0.99  # see tflite/inspect.py


def check_onnx(
    model: onnx.ModelProto,
    scheme: str,
    input_shape: tuple[int, ...],
    class_count: int,
    kernels: int,
    feature_map: FeatureMap | None = None,
) -> None:
    """Refuse an ONNX file that does not satisfy ``scheme``; the float source of an int8 file is checked as ``float32``.

    Args:
        model: the file.
        scheme: ``float32``, ``float16`` or ``int8``.
        input_shape: (H, W, 3).
        class_count: K.
        kernels: as ``trailcam_export.tflite.inspect.kernel_size`` counts them.
        feature_map: size of the second output; None for a file without one.

    Raises:
        ExportError: naming the operator or tensor.
    """
    name = f"The converted onnx-{scheme} file"
    try:
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{name} is not valid: {first_line(error)}.") from error
    _check_operators(model, name)
    _check_tensors(inferred, name, input_shape, class_count, feature_map)
    _check_end(model, name)
    _check_weights(model, name, scheme, kernels)
    if (
        scheme != "int8"
    ):  # there a ReLU is part of the quantiser behind it, so that what follows seems to touch the Conv
        _check_fused(model, name)
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise ExportError(f"{name} does not load: {first_line(error)}.") from error


def onnx_kernel_size(model: onnx.ModelProto) -> int:
    """Return the number of float weights of an ONNX file in tensors of two dimensions or more."""
    return sum(
        int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if len(tensor.dims) >= 2 and tensor.data_type == TensorProto.FLOAT
    )


def _check_operators(model: onnx.ModelProto, name: str) -> None:
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    if opsets != [("", OPSET)]:
        raise ExportError(f"{name} uses the operator sets {opsets}, expected only ONNX's own, version {OPSET}.")
    for node in model.graph.node:
        if node.op_type in _RANDOM:
            raise ExportError(
                f"{name} holds {node.op_type}: it draws random numbers, so augmentation or dropout is still in it."
            )
    outside = [tensor.name for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    if outside:
        raise ExportError(f"{name} keeps {outside[0]!r} in a file beside it, expected all weights inside.")


def _check_tensors(
    model: onnx.ModelProto, name: str, input_shape: tuple[int, ...], class_count: int, feature_map: FeatureMap | None
) -> None:
    inputs: list[_Tensor] = [(INPUT_NAME, TensorProto.UINT8, (1, *input_shape))]
    outputs: list[_Tensor] = [(OUTPUT_NAME, TensorProto.FLOAT, (1, class_count))]
    if feature_map is not None:
        outputs.append((FEATURE_MAP_NAME, TensorProto.FLOAT, feature_map.shape))
    for role, found, wanted in (("input", model.graph.input, inputs), ("output", model.graph.output, outputs)):
        seen = [(item.name, item.type.tensor_type.elem_type, _shape(item)) for item in found]
        if seen != wanted:
            raise ExportError(f"{name} has the {role} {seen}, expected {wanted}.")
    for item in model.graph.value_info:
        if item.type.HasField("tensor_type") and not all(isinstance(size, int) for size in _shape(item)):
            raise ExportError(f"{name} holds {item.name!r} of unknown size, expected a fixed one.")


def _check_end(model: onnx.ModelProto, name: str) -> None:
    made_by = {output: node for node in model.graph.node for output in node.output}
    tensor = model.graph.output[0].name
    while tensor in made_by:
        node = made_by[tensor]
        if node.op_type in _ENDINGS:
            raise ExportError(
                f"{name} ends with {node.op_type}, but a bundle gives logits: temperature and reject rule work on "
                "them. Train with logits (no activation in the last layer)."
            )
        if node.op_type not in _PASSING:
            return
        tensor = node.input[0]


def _check_weights(model: onnx.ModelProto, name: str, scheme: str, kernels: int) -> None:
    wanted = {"float32": (TensorProto.FLOAT,), "float16": (TensorProto.FLOAT16, TensorProto.FLOAT)}
    kinds = wanted.get(scheme, (TensorProto.INT8, TensorProto.UINT8))
    found = sum(
        int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if len(tensor.dims) >= 2 and tensor.data_type in kinds
    )
    if found < _MIN_FRACTION * kernels:
        raise ExportError(
            f"{name} holds {found:,} {scheme} weights, the trained model {kernels:,}: some were lost on the way, or "
            "not converted. Nothing was exported."
        )


def _check_fused(model: onnx.ModelProto, name: str) -> None:
    """Refuse arithmetic with a constant per channel behind a convolution: a normalisation that was not folded.

    One number for all channels is part of an activation (hard swish adds 3), and an output with two readers cannot be
    folded.
    """
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    readers = Counter(item for node in model.graph.node for item in node.input)
    for node in model.graph.node:
        behind = [item for item in node.input if item in made_by and made_by[item].op_type == "Conv"]
        if node.op_type not in _ARITHMETIC or len(behind) != 1 or readers[behind[0]] > 1:
            continue
        channels = _fixed_shape(made_by[behind[0]].input[1], sizes, made_by)[:1]
        others = [_fixed_shape(item, sizes, made_by) for item in node.input if item != behind[0]]
        per_channel = all(shape and [int(np.prod(shape))] == channels for shape in others) and channels != [1]
        if per_channel or node.op_type == "BatchNormalization":
            raise ExportError(
                f"{name} is not fused: {node.op_type} {node.name!r} computes with a constant right behind a "
                "convolution, where a folded batch normalisation would have left nothing. Put BatchNormalization "
                "directly behind the convolution, without a layer between."
            )


def _fixed_shape(tensor: str, sizes: dict[str, list[int]], made_by: dict[str, onnx.NodeProto]) -> list[int]:
    """Return the sizes of a constant, none for computed tensors and single numbers."""
    while tensor in made_by and made_by[tensor].op_type in ("DequantizeLinear", "Cast"):
        tensor = made_by[tensor].input[0]
    return sizes.get(tensor, [])


def _shape(item: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    """Return the sizes; an unknown one is its name, or a question mark."""
    return tuple(
        int(size.dim_value) if size.HasField("dim_value") else size.dim_param or "?"
        for size in item.type.tensor_type.shape.dim
    )
