"""Check a converted TFLite file as an interpreter reads it, and refuse conversions that are wrong without an error.

Checked: it loads without any custom operator, holds no variable and no random operator, has one fixed-size uint8 input
and one output of the right size, no tensor of unknown size, and no softmax at its end. An int8 file must hold no float
tensor at all, and its input must be raw pixel levels; each other scheme must have tensors of its number format.
"""

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.spec import FeatureMap

_FORBIDDEN = {
    "READ_VARIABLE": "its weights are variables that a TFLite file cannot carry",
    "VAR_HANDLE": "its weights are variables that a TFLite file cannot carry",
    "RANDOM_UNIFORM": "it draws random numbers, so augmentation or dropout is still in it",
    "RANDOM_STANDARD_NORMAL": "it draws random numbers, so augmentation or dropout is still in it",
    "MULTINOMIAL": "it draws random numbers, so augmentation or dropout is still in it",
}
_CUSTOM_HINT = "A custom (Flex) operator would need all of TensorFlow on the device; replace the layer that needs it."
_ENDING_OPS = ("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC")
_PASSING_OPS = ("RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE")
# float32 for the other schemes; in a mixed file the last operator may be of either kind
_OUTPUTS = {"int8": ("uint8",), "mixed_int8": ("float32", "int8", "uint8")}
# dynamic_int8 has none: kernels of fewer than 1,024 numbers stay in float, so a small model may keep all of them
_REQUIRED_DTYPES = {"float16": np.float16, "int16x8": np.int16}


def check_graph(
    content: bytes,
    scheme: str,
    input_shape: tuple[int, ...],
    class_count: int,
    feature_map: FeatureMap | None = None,
) -> None:
    """Refuse a TFLite file that does not satisfy ``scheme``.

    Args:
        content: the file.
        scheme: one of ``trailcam_core.spec.SCHEMES``.
        input_shape: (H, W, 3).
        class_count: K.
        feature_map: size of the second output; None for a file without one.

    Raises:
        ExportError: naming the operator or tensor.
    """
    try:
        # without delegates, which would hide the operators that they take over
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = first_line(error)
        hint = "Try the other --quantizer." if "custom op" not in reason else _CUSTOM_HINT
        raise ExportError(f"The converted {scheme} file does not load: {reason}. {hint}") from error
    operators = interpreter._get_ops_details()  # the runtime has no public way to list them
    tensors = {item["index"]: item for item in interpreter.get_tensor_details()}
    _check_operators(operators, scheme)
    _check_end(interpreter, operators, scheme)
    _check_sizes(interpreter, tensors, scheme, input_shape, class_count)
    maps = [tuple(int(size) for size in item["shape"]) for item in interpreter.get_output_details()[1:]]
    if maps != ([] if feature_map is None else [feature_map.shape]):
        raise ExportError(
            f"The converted {scheme} file has the further outputs {maps}, expected the feature map alone."
        )
    if scheme == "int8":
        _check_integer(interpreter, operators, tensors)
    required = _REQUIRED_DTYPES.get(scheme)
    if required is not None and not any(item["dtype"] is required for item in tensors.values()):
        raise ExportError(f"The converted {scheme} file holds no {required.__name__} tensor: it was not converted.")


def _check_operators(operators: list[dict[str, Any]], scheme: str) -> None:
    for operator in operators:
        name = operator["op_name"]
        if name in _FORBIDDEN:
            raise ExportError(f"The converted {scheme} file holds {name}: {_FORBIDDEN[name]}.")
        if name.startswith("Flex") or name == "CUSTOM":
            raise ExportError(f"The converted {scheme} file holds the custom operator {name}, expected builtin ones.")


def _check_end(interpreter: Any, operators: list[dict[str, Any]], scheme: str) -> None:
    tensor = interpreter.get_output_details()[0]["index"]
    for operator in reversed(operators):
        if tensor not in operator["outputs"]:
            continue
        if operator["op_name"] in _ENDING_OPS:
            raise ExportError(
                f"The converted {scheme} file ends with {operator['op_name']}, but a bundle gives logits: temperature "
                "and reject rule work on them. Train with logits (no activation in the last layer)."
            )
        if operator["op_name"] not in _PASSING_OPS:
            return
        tensor = operator["inputs"][0]


def _check_sizes(
    interpreter: Any, tensors: dict[int, dict[str, Any]], scheme: str, input_shape: tuple[int, ...], class_count: int
) -> None:
    taken, given = interpreter.get_input_details(), interpreter.get_output_details()[:1]
    expected = ((1, *input_shape), ("uint8",)), ((1, class_count), _OUTPUTS.get(scheme, ("float32",)))
    for role, found, (shape, dtypes) in (("input", taken, expected[0]), ("output", given, expected[1])):
        seen = [(tuple(int(size) for size in item["shape_signature"]), item["dtype"].__name__) for item in found]
        if len(seen) != 1 or seen[0][0] != shape or seen[0][1] not in dtypes:
            wanted = f"{shape} {' or '.join(dtypes)}"
            raise ExportError(f"The converted {scheme} file has the {role} {seen}, expected one of {wanted}.")
    for item in tensors.values():
        if -1 in item["shape_signature"]:
            raise ExportError(
                f"The converted {scheme} file holds {item['name']!r} of unknown size, expected a fixed one."
            )


def _check_integer(interpreter: Any, operators: list[dict[str, Any]], tensors: dict[int, dict[str, Any]]) -> None:
    for operator in operators:
        for index in (*operator["inputs"], *operator["outputs"]):
            if index in tensors and tensors[index]["dtype"].__name__.startswith("float"):
                raise ExportError(
                    f"The converted int8 file computes {operator['op_name']} in float, expected integers throughout. "
                    "The quantiser has no int8 form of a layer of this model; try the other --quantizer."
                )
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    if scale != 1.0 or zero_point != 0:
        raise ExportError(
            f"The converted int8 file reads a pixel level p as (p - {zero_point}) * {scale}, expected p itself. "
            "Calibration did not see the whole range 0..255."
        )
