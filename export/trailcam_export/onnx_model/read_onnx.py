"""Read and check an ONNX classifier that was trained elsewhere: one input of pictures, one output of scores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, compose, version_converter

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.spec import MAX_INPUT_PX, MIN_INPUT_PX
from trailcam_export.convert.to_onnx import OPSET

CHANNELS = 3
EXPORT_HINT = "Export it again from its framework"
_PREFIX = "model/"  # of every name of the original: ours cannot collide
_PASSING = ("Identity", "Flatten", "Reshape", "Squeeze", "Cast")
_SOFTMAXES, _SIGMOIDS = ("Softmax", "LogSoftmax"), ("Sigmoid", "HardSigmoid")


@dataclass(frozen=True, eq=False)
class Original:
    """A checked file: one input of ``height`` by ``width`` px, ``channels_first`` or last, float or integer.

    ``graph`` has a batch of one, the pinned operator set and prefixed names; ``scores`` is the tensor before a softmax.
    """

    path: Path
    graph: onnx.ModelProto
    input_name: str
    output_name: str
    scores: str
    height: int
    width: int
    channels_first: bool
    floats: bool

    @property
    def gives_probabilities(self) -> bool:
        """Whether a softmax was cut off."""
        return self.scores != self.output_name


def read_original(path: Path) -> Original:
    """Read and check an ONNX file.

    Raises:
        ExportError: damaged, or not an image classifier with one input and one output.
    """
    try:
        model = onnx.load(path)
    except (OSError, DecodeError, ValueError, onnx.checker.ValidationError) as error:
        raise ExportError(f"{path}: cannot be read as an ONNX model ({first_line(error)}). {EXPORT_HINT}.") from error
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    outputs = list(model.graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        given = ", ".join(item.name for item in outputs)
        raise ExportError(
            f"{path}: {len(inputs)} inputs and {len(outputs)} outputs ({given}), expected one of each. {EXPORT_HINT} "
            "with the scores as its only output."
        )
    floats = _check_dtypes(inputs[0], outputs[0], path)
    height, width, channels_first = _check_shape(inputs[0], path)
    _check_domains(model, path)
    _set_batch(model, inputs[0], outputs[0])
    graph = compose.add_prefix(_pinned_opset(model, path), _PREFIX)
    output = graph.graph.output[0].name
    scores = _before_softmax(graph, output, path)
    return Original(path, graph, f"{_PREFIX}{inputs[0].name}", output, scores, height, width, channels_first, floats)


def _check_dtypes(taken: Any, given: Any, path: Path) -> bool:
    """Return whether the input is float."""
    kinds = taken.type.tensor_type.elem_type, given.type.tensor_type.elem_type
    names = [TensorProto.DataType.Name(kind).lower() for kind in kinds]
    if kinds[0] not in (TensorProto.FLOAT, TensorProto.UINT8) or kinds[1] != TensorProto.FLOAT:
        raise ExportError(
            f"{path}: takes {names[0]} and gives {names[1]}, expected float or uint8 in and float out. {EXPORT_HINT} "
            "in float32 (in PyTorch: model.float()); the export makes float16 and int8 of it."
        )
    return bool(kinds[0] == TensorProto.FLOAT)


def _check_shape(taken: Any, path: Path) -> tuple[int, int, bool]:
    """Return height, width, and whether the channels come first."""
    shape = [_size(dimension) for dimension in taken.type.tensor_type.shape.dim]
    shown = f"({', '.join(map(str, shape))})"
    fixed = [size for size in shape[1:] if isinstance(size, int)]
    if len(shape) != 4 or CHANNELS not in (shape[1], shape[3]):
        raise ExportError(
            f"{path}: takes {shown}, expected colour pictures, (N, 3, height, width) or (N, height, width, 3)."
        )
    if len(fixed) != 3:
        raise ExportError(f"{path}: takes {shown}, expected a fixed height and width. {EXPORT_HINT} with fixed sizes.")
    if isinstance(shape[0], int) and shape[0] > 1:
        raise ExportError(
            f"{path}: takes batches of {shape[0]}, expected one picture, or any number. {EXPORT_HINT} with a batch of "
            "one."
        )
    channels_first = shape[1] == CHANNELS
    height, width = fixed[1:] if channels_first else fixed[:2]
    if not all(MIN_INPUT_PX <= side <= MAX_INPUT_PX for side in (height, width)):
        raise ExportError(f"{path}: takes {width}x{height} px, expected {MIN_INPUT_PX} to {MAX_INPUT_PX} a side.")
    return height, width, channels_first


def _size(dimension: Any) -> int | str:
    return int(dimension.dim_value) if dimension.HasField("dim_value") else str(dimension.dim_param or "?")


def _check_domains(model: onnx.ModelProto, path: Path) -> None:
    foreign = sorted(
        {f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in ("", "ai.onnx")}
    )
    if foreign:
        raise ExportError(
            f"{path}: uses {', '.join(foreign[:5])}, which plain ONNX does not have. {EXPORT_HINT} with standard "
            "operators only."
        )


def _set_batch(model: onnx.ModelProto, taken: Any, given: Any) -> None:
    """Set the batch of input and output to one; sizes between are inferred anew."""
    for item in (taken, given):
        if item.type.tensor_type.shape.dim:
            item.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]


def _pinned_opset(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    version = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if version == OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter is native code, whose errors are plain RuntimeErrors and others
        raise ExportError(
            f"{path}: its operator set {version} cannot be converted to {OPSET} ({first_line(error)}). {EXPORT_HINT} "
            f"with opset_version={OPSET}."
        ) from error


def _before_softmax(model: onnx.ModelProto, tensor: str, path: Path) -> str:
    """Return the tensor that a softmax at the end takes, or the output itself; refuse a sigmoid at the end."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    output = tensor
    while tensor in made_by and made_by[tensor].op_type in _PASSING:
        tensor = made_by[tensor].input[0]
    node = made_by.get(tensor)
    if node is not None and node.op_type in _SIGMOIDS:
        raise ExportError(
            f"{path}: ends with a sigmoid, an independent yes or no for each label. A bundle answers with one label: "
            "train with softmax or logits."
        )
    return node.input[0] if node is not None and node.op_type in _SOFTMAXES else output
