"""Run an ONNX model with the interface of ``tflite.TFLiteModel``: raw uint8 RGB in, float32 scores out.

ONNX Runtime is imported when the first such file is opened, so that a camera with a TFLite bundle does not need it.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.errors import BundleError
from trailcam_core.inference.file_model import FileModel, TensorInfo, first_line
from trailcam_core.inference.runtimes import load_onnxruntime

_ERRORS_ONLY = 3  # of ONNX Runtime's log levels
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
_SUM_TOLERANCE = 1e-3  # of probabilities in float32 or half precision


class OnnxModel(FileModel):
    """An ONNX file, opened and checked.

    Args:
        path: the file.
        num_threads: threads of one ``invoke``.

    Raises:
        BundleError: the file is not an ONNX classifier of raw uint8 pixels, or ONNX Runtime cannot run it.
        DeviceError: ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        self._session = _open_session(path, num_threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        super().__init__(
            path,
            _tensor_info(inputs, path, "input", "uint8"),
            _tensor_info(outputs[:1], path, "output", "float32"),
            _tensor_info(outputs[1:], path, "second output", "float32") if len(outputs) > 1 else None,
        )
        self._input_name = inputs[0].name
        self._last_features: npt.NDArray[np.float32] | None = None

    @cached_property
    def gives_probabilities(self) -> bool:
        """True if the scores of two very different pictures are all in 0..1 and sum to 1.

        ONNX Runtime does not list a graph's operators, so the model is run on two pictures.
        """
        noise = np.random.default_rng(0).integers(0, 256, self.input.shape, dtype=np.uint8)
        answers = [self.invoke(noise), self.invoke(np.full(self.input.shape, 128, np.uint8))]
        return all(
            float(scores.min()) >= 0 and abs(float(scores.sum()) - 1) <= _SUM_TOLERANCE for scores in answers
        ) and (self.class_count > 1)

    def _invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        try:
            answers = self._session.run(None, {self._input_name: np.ascontiguousarray(input_tensor)})
        except _session_errors() as error:
            raise BundleError(f"{self.path}: the model fails while it runs: {first_line(error)}") from error
        self._last_features = answers[1] if self.features is not None else None
        return np.asarray(answers[0], np.float32).reshape(-1)

    def _read_features(self) -> npt.NDArray[np.float32]:
        if self._last_features is None:
            raise ValueError("the model has no second output")
        return np.asarray(self._last_features, np.float32)


def _open_session(path: Path, num_threads: int) -> Any:
    runtime = load_onnxruntime()
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _session_errors() as error:
        raise BundleError(f"{path}: ONNX Runtime cannot load this model: {first_line(error)}") from error


def _session_errors() -> tuple[type[Exception], ...]:
    """Return the exception types of ONNX Runtime, whose only common base is Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [getattr(state, name) for name in dir(state) if isinstance(getattr(state, name), type)]
    return (RuntimeError, ValueError, *(kind for kind in own if issubclass(kind, Exception)))


def _tensor_info(found: list[Any], path: Path, role: str, dtype: str) -> TensorInfo:
    if len(found) != 1:
        raise BundleError(f"{path}: the model has {len(found)} {role}s, expected 1.")
    given = _DTYPES.get(found[0].type, found[0].type)
    if given != dtype:
        raise BundleError(f"{path}: the model's {role} is {given}, expected {dtype}.")
    shape = tuple(found[0].shape)
    if not shape or not all(isinstance(size, int) and size >= 1 for size in shape):
        raise BundleError(f"{path}: the model's {role} is {shape}, expected fixed sizes.")
    return TensorInfo(shape, given, 0.0, 0)
