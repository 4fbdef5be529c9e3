"""Run a TFLite model: raw uint8 RGB in, float32 scores out, whatever numbers the file uses inside.

``runtimes`` says which interpreter that is. Quantised inputs and outputs are converted here, at the number, from the
scale and zero point that the file carries.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import BundleError
from trailcam_core.inference.runtimes import load_runtime

__all__ = ["Model", "TFLiteModel", "TensorInfo", "ValueRange"]

_PROBABILITY_OPS = frozenset({"SOFTMAX", "LOGISTIC"})
_SHAPE_ONLY_OPS = frozenset({"RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"})

ValueRange = tuple[float, float]  # what pixel levels 0 and 255 become


class Model(Protocol):
    """A classifier that takes (1, height, width, 3) uint8 RGB and gives K float32 scores."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    def class_count(self) -> int:
        """K, the number of scores."""

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the (K,) float32 scores of one (1, height, width, 3) uint8 RGB input."""


@dataclass(frozen=True)
class TensorInfo:
    """Shape and numbers of a model's input or output: real value = (stored - zero_point) * scale; scale 0 is float."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class TFLiteModel:
    """A TFLite file, opened and checked.

    Args:
        path: the file; it is mapped, not copied.
        num_threads: threads of one ``invoke``.
        value_range: for a float32 input that wants scaled pixels: what levels 0 and 255 become, for example (-1, 1).
            A bundle's model takes raw uint8 and needs none.

    Raises:
        BundleError: the file is not a TFLite classifier, or needs operators that this runtime lacks.
        DeviceError: no interpreter is installed.
    """

    def __init__(self, path: Path, num_threads: int = 1, value_range: ValueRange | None = None) -> None:
        self._path = path
        self._interpreter = _open_interpreter(path, num_threads)
        inputs, outputs, self._operators = _read_details(self._interpreter, path)
        self.input = _tensor_info(inputs, path, "input")
        self.output = _tensor_info(outputs, path, "output")
        self._check_shapes()
        self._input_index = inputs[0]["index"]
        self._output_index = outputs[0]["index"]
        self._table = _input_table(self.input, value_range, path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return self.input.shape[1], self.input.shape[2]

    @property
    def class_count(self) -> int:
        """Number of scores."""
        return self.output.shape[-1]

    @property
    def gives_probabilities(self) -> bool:
        """True when the graph ends with a softmax or sigmoid, read from its operators."""
        tensor = self._output_index
        for operator in reversed([item for item in self._operators if item["op_name"] != "DELEGATE"]):
            if tensor in operator["outputs"]:
                if operator["op_name"] in _PROBABILITY_OPS:
                    return True
                if operator["op_name"] not in _SHAPE_ONLY_OPS:
                    return False
                tensor = operator["inputs"][0]
        return False

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the model on one (1, height, width, 3) uint8 RGB input and return its (K,) float32 scores.

        Raises:
            BundleError: the model fails while it runs.
            ValueError: the input has another shape or dtype.
        """
        if input_tensor.shape != self.input.shape or input_tensor.dtype != np.uint8:
            raise ValueError(
                f"input_tensor must be {self.input.shape} uint8, got {input_tensor.shape} {input_tensor.dtype}"
            )
        stored = input_tensor if self._table is None else self._table[input_tensor]
        self._interpreter.set_tensor(self._input_index, stored)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{self._path}: the model fails while it runs: {_first_line(error)}") from error
        scores = self._interpreter.get_tensor(self._output_index).reshape(-1)
        if self.output.scale:
            scores = (scores.astype(np.float32) - self.output.zero_point) * np.float32(self.output.scale)
        return np.asarray(scores, np.float32)

    def _check_shapes(self) -> None:
        shape = self.input.shape
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape) < 1:
            raise BundleError(f"{self._path}: the model's input is {shape}, expected (1, height, width, 3).")
        if min(self.output.shape, default=0) < 1 or int(np.prod(self.output.shape)) != self.output.shape[-1]:
            raise BundleError(f"{self._path}: the model's output is {self.output.shape}, expected (1, classes).")


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
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: the interpreter cannot load this model: {_first_line(error)}") from error
    return interpreter


def _read_details(interpreter: Any, path: Path) -> tuple[list[dict[str, Any]], ...]:
    """Return what the interpreter says of inputs, outputs and operators."""
    try:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        return inputs, outputs, interpreter._get_ops_details()  # the runtime has no public way to list operators
    except ValueError as error:  # a name in the file that is not UTF-8
        raise BundleError(f"{path}: the model is damaged: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _tensor_info(details: list[dict[str, Any]], path: Path, role: str) -> TensorInfo:
    if len(details) != 1:
        raise BundleError(f"{path}: the model has {len(details)} {role}s, expected 1.")
    found = details[0]
    dtype = np.dtype(found["dtype"]).name
    if dtype not in ("uint8", "int8", "float32"):
        raise BundleError(f"{path}: the model's {role} is {dtype}, expected uint8, int8 or float32.")
    scale, zero_point = found["quantization"]
    if dtype != "float32" and role == "output" and not scale:
        raise BundleError(f"{path}: the model's {role} is {dtype} without a scale, so its scores cannot be read.")
    return TensorInfo(tuple(int(size) for size in found["shape"]), dtype, float(scale), int(zero_point))


def _input_table(tensor: TensorInfo, value_range: ValueRange | None, path: Path) -> npt.NDArray[Any] | None:
    """Return what the input stores for each of the 256 pixel levels, or None where it stores the level itself.

    A quantised input spans its own range from black to white, so the level itself (uint8) or the level minus 128 (int8)
    is the stored value; a float input says nothing of its range, so a person must.
    """
    levels = np.arange(256)
    if tensor.dtype == "uint8" and value_range is None:
        return None
    if tensor.dtype == "int8" and value_range is None:
        return (levels - 128).astype(np.int8)
    if value_range is None:
        raise BundleError(
            f"{path}: the model takes float32 and does not say in which range. Say what black and white become, for "
            'example "--value-range -1 1", "--value-range 0 1" or "--value-range 0 255".'
        )
    low, high = value_range
    real = low + levels * ((high - low) / 255)
    if tensor.dtype == "float32":
        return np.asarray(real, np.float32)
    limits = np.iinfo(tensor.dtype)
    stored = np.rint(real / (tensor.scale or 1.0)) + tensor.zero_point
    return np.asarray(np.clip(stored, limits.min, limits.max), tensor.dtype)
