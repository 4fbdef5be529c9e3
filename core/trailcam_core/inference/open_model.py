"""Open a model file on the interpreter that its format needs: one of ours, or one that another package adds.

A package adds a runtime with an entry point of ``trailcam.runtimes``. Its name is the suffix of the files without the
dot, for example ``hef``, and its object a function of path and number of threads that returns a ``FileModel``.
"""

from collections.abc import Callable
from pathlib import Path

from trailcam_core.errors import BundleError
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.jobs.plugins import RUNTIMES, find_plugins, load_plugin

_OWN: dict[str, Callable[[Path, int], FileModel]] = {"tflite": TFLiteModel, "onnx": OnnxModel}


def open_model(path: Path, num_threads: int = 1) -> FileModel:
    """Open a ``.tflite`` or ``.onnx`` file, or one of an added runtime, that takes raw uint8 pixels.

    Raises:
        BundleError: another suffix, or the file is no such classifier.
        DeviceError: the interpreter it needs is not installed.
    """
    own = _OWN.get(path.suffix.removeprefix("."))
    added = find_runtime_plugin(path) if own is None else None
    chosen = own or added
    if chosen is None:
        raise BundleError(f"{path}: not a model file of a known format, expected .tflite or .onnx.")
    return chosen(path, num_threads)


def find_runtime_plugin(path: Path) -> Callable[[Path, int], FileModel] | None:
    """Return the function of another package that opens such a file; None if there is none, or the suffix is ours.

    Raises:
        BundleError: two packages have one suffix, or the function cannot be imported.
    """
    suffix = path.suffix.removeprefix(".")
    if suffix in _OWN:
        return None
    entry = find_plugins(RUNTIMES, tuple(_OWN), BundleError).get(suffix)
    if entry is None:
        return None
    opened: Callable[[Path, int], FileModel] = load_plugin(entry, BundleError)
    return opened
