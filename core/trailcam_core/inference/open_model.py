"""Open a model file on the interpreter that its format needs."""

from pathlib import Path

from trailcam_core.errors import BundleError
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.tflite import TFLiteModel


def open_model(path: Path, num_threads: int = 1) -> FileModel:
    """Open a ``.tflite`` or ``.onnx`` file that takes raw uint8 pixels.

    Raises:
        BundleError: another suffix, or the file is no such classifier.
        DeviceError: the interpreter it needs is not installed.
    """
    if path.suffix == ".tflite":
        return TFLiteModel(path, num_threads)
    if path.suffix == ".onnx":
        return OnnxModel(path, num_threads)
    raise BundleError(f"{path}: not a model file of a known format, expected .tflite or .onnx.")
