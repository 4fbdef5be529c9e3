"""Run a TFLite model: raw uint8 RGB in, float32 scores out, for float and quantised files.

``runtimes`` chooses the interpreter. Quantised inputs and outputs are converted here with the scale and zero point of
the file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import BundleError
from trailcam_core.inference.file_model import FileModel, TensorInfo, first_line
from trailcam_core.inference.runtimes import load_runtime

_PROBABILITY_OPS = frozenset({"SOFTMAX", "LOGISTIC"})
_SHAPE_ONLY_OPS = frozenset({"RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"})

ValueRange = tuple[float, float]  # input values of pixel levels 0 and 255


class TFLiteModel(FileModel):
    """A TFLite file, opened and checked.

    Args:
        path: the file; it is mapped, not copied.
        num_threads: threads of one ``invoke``.
        value_range: for a float32 input: the input values of pixel levels 0 and 255, for example (-1, 1).
            A bundle's model takes raw uint8 and needs none.

    Raises:
        BundleError: the file is not a TFLite classifier, or needs operators that this runtime lacks.
        DeviceError: no interpreter is installed.
    """

    def __init__(self, path: Path, num_threads: int = 1, value_range: ValueRange | None = None) -> None:
        self._interpreter = _open_interpreter(path, num_threads)
        inputs, outputs, self._operators = _read_details(self._interpreter, path)
        super().__init__(
            path,
            _tensor_info(inputs, path, "input"),
            _tensor_info(outputs[:1], path, "output"),
            _map_info(outputs, path),
        )
        self._input_index = inputs[0]["index"]
        self._output_index = outputs[0]["index"]
        self._features_index = outputs[-1]["index"]
        self._table = _input_table(self.input, value_range, path)

    @property
    def gives_probabilities(self) -> bool:
        """True if the graph ends with a softmax or sigmoid, read from its operators."""
        tensor = self._output_index
        for operator in reversed([item for item in self._operators if item["op_name"] != "DELEGATE"]):
            if tensor in operator["outputs"]:
                if operator["op_name"] in _PROBABILITY_OPS:
                    return True
                if operator["op_name"] not in _SHAPE_ONLY_OPS:
                    return False
                tensor = operator["inputs"][0]
        return False

    def _invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        stored = input_tensor if self._table is None else self._table[input_tensor]
        try:
            self._interpreter.set_tensor(self._input_index, stored)
            self._interpreter.invoke()
            scores = self._interpreter.get_tensor(self._output_index).reshape(-1)
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{self.path}: the model fails while it runs: {first_line(error)}") from error
        return _to_real(scores, self.output)

    def _read_features(self) -> npt.NDArray[np.float32]:
        if self.features is None:
            raise ValueError("the model has no second output")
        return _to_real(self._interpreter.get_tensor(self._features_index), self.features)


def _to_real(stored: npt.NDArray[Any], tensor: TensorInfo) -> npt.NDArray[np.float32]:
    if tensor.scale:
        stored = (stored.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
    return np.asarray(stored, np.float32)


def _open_interpreter(path: Path, num_threads: int) -> Any:
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
    if head[4:8] != b"TFL3":
        raise BundleError(f"{path}: not a TFLite model (its first bytes are {head[:8]!r}, expected TFL3 at byte 4).")
    try:
        interpreter = load_runtime().Interpreter(model_path=str(path), num_threads=num_threads)
        _check_fixed_size(interpreter, path)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: the interpreter cannot load this model: {first_line(error)}") from error
    return interpreter


def _check_fixed_size(interpreter: Any, path: Path) -> None:
    """Refuse a model of pictures of any size: its tensors would get the size 1x1."""
    for found in interpreter.get_input_details():
        signature = tuple(int(size) for size in found["shape_signature"])
        if -1 in signature[1:]:
            raise BundleError(
                f"{path}: takes pictures of any size (shape signature {signature}), expected one fixed size. Convert "
                'it from a model with a fixed input, such as "keras.Input((224, 224, 3))".'
            )


def _read_details(interpreter: Any, path: Path) -> tuple[list[dict[str, Any]], ...]:
    """Return the inputs, outputs and operators of the model."""
    try:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        return inputs, outputs, interpreter._get_ops_details()  # the runtime has no public way to list operators
    except ValueError as error:  # a name in the file that is not UTF-8
        raise BundleError(f"{path}: the model is damaged: {first_line(error)}") from error


def _tensor_info(
    details: list[dict[str, Any]], path: Path, role: str, dtypes: tuple[str, ...] = ("uint8", "int8", "float32")
) -> TensorInfo:
    if len(details) != 1:
        raise BundleError(f"{path}: the model has {len(details)} {role}s, expected 1.")
    found = details[0]
    dtype = np.dtype(found["dtype"]).name
    if dtype not in dtypes:
        raise BundleError(f"{path}: the model's {role} is {dtype}, expected {', '.join(dtypes[:-1])} or {dtypes[-1]}.")
    scale, zero_point = found["quantization"]
    if dtype != "float32" and role != "input" and not scale:
        raise BundleError(f"{path}: the model's {role} is {dtype} without a scale, so its numbers cannot be read.")
    return TensorInfo(tuple(int(size) for size in found["shape"]), dtype, float(scale), int(zero_point))


def _map_info(outputs: list[dict[str, Any]], path: Path) -> TensorInfo | None:
    """Return the second output; only the feature map of an int16 file may be of whole numbers of 16 bits."""
    if len(outputs) < 2:
        return None
    if len(outputs) > 2 or len(outputs[1]["shape"]) != 4:
        raise BundleError(
            f"{path}: the model has {len(outputs)} outputs, expected 1, or a feature map (1, height, width, features) "
            "as the second."
        )
    return _tensor_info(outputs[1:], path, "second output", ("uint8", "int8", "int16", "float32"))


def _input_table(tensor: TensorInfo, value_range: ValueRange | None, path: Path) -> npt.NDArray[Any] | None:
    """Return the stored input value of each of the 256 pixel levels, or None if it is the level itself.

    A quantised input spans its own range from black to white, so the level itself (uint8) or the level minus 128 (int8)
    is the stored value. A float input does not declare its range, so the caller has to.
    """
    levels = np.arange(256)
    if tensor.dtype == "uint8" and value_range is None:
        return None
    if tensor.dtype == "int8" and value_range is None:
        return (levels - 128).astype(np.int8)
    if value_range is None:
        raise BundleError(
            f"{path}: the model takes float32 and does not declare its range. Add the values of black and white, for "
            'example "--value-range -1 1", "--value-range 0 1" or "--value-range 0 255".'
        )
    low, high = value_range
    real = low + levels * ((high - low) / 255)
    if tensor.dtype == "float32":
        return np.asarray(real, np.float32)
    limits = np.iinfo(tensor.dtype)
    stored = np.rint(real / (tensor.scale or 1.0)) + tensor.zero_point
    return np.asarray(np.clip(stored, limits.min, limits.max), tensor.dtype)
