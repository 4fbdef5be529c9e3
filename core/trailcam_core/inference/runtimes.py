"""The interpreter that runs a model file on this machine, and a check that it is new enough.

A ``.tflite`` file runs on LiteRT (``ai-edge-litert``), or on ``tflite-runtime`` where that is the only one installed:
the same code under two names and of two ages. An ``.onnx`` file runs on ONNX Runtime, which is imported only when such
a file is opened.
"""

import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from trailcam_core.errors import DeviceError
from trailcam_core.errors.install_command import install_command
from trailcam_core.spec import FORMAT_RUNTIMES, ModelEntry

_TFLITE_RUNTIMES = {
    "ai_edge_litert.interpreter": ("litert", "ai-edge-litert"),
    "tflite_runtime.interpreter": ("tflite_runtime", "tflite-runtime"),
}
_PACKAGES = {"litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class Runtime:
    """An interpreter as the manifest names it (``litert``, ``tflite_runtime``, ``onnxruntime``) and its version."""

    name: str
    version: str

    @property
    def package(self) -> str:
        """What pip calls it."""
        return _PACKAGES[self.name]


def load_runtime() -> Any:
    """Return the TFLite interpreter module: LiteRT's, or the one of ``tflite-runtime``.

    Raises:
        DeviceError: neither is installed, or one is installed without what it needs.
    """
    for name in _TFLITE_RUNTIMES:
        module = _try_import(name)
        if module is not None:
            return module
    if sys.maxsize < 2**32:  # a 64-bit kernel may run a 32-bit Python, so the kernel is not consulted
        raise DeviceError(
            "this Python is a 32-bit one, for which there is no LiteRT. Write the 64-bit Raspberry Pi OS on the card: "
            "every Raspberry Pi from the Zero 2 W and the 3 on runs it."
        )
    raise DeviceError(
        'no TFLite interpreter is installed: "pip install ai-edge-litert" (64-bit Raspberry Pi OS, Linux or macOS).'
    )


def load_onnxruntime() -> Any:
    """Return the module ``onnxruntime``.

    Raises:
        DeviceError: it is not installed, or lacks what it needs.
    """
    module = _try_import("onnxruntime")
    if module is None:
        raise DeviceError(
            "no interpreter for ONNX files is installed. Use a bundle with a .tflite file, or run "
            f"{install_command('onnx')}"
        )
    return module


def find_runtime(model_format: str) -> Runtime:
    """Return the interpreter that ``tflite`` or ``onnx`` files run on here; its version is 9999 if pip lists none.

    Raises:
        DeviceError: none is installed.
    """
    if model_format == "onnx":
        return Runtime("onnxruntime", str(load_onnxruntime().__version__))
    module = load_runtime()
    name, package = _TFLITE_RUNTIMES[module.__name__]
    try:
        return Runtime(name, version(package))
    except PackageNotFoundError:  # built from source, or a nightly build under another name: a newer one than any
        return Runtime(name, "9999")


def check_installed(entry: ModelEntry, source: str) -> None:
    """Refuse a model that no installed interpreter can run; decided from the list of pip, without loading one.

    Raises:
        DeviceError: no interpreter is installed, or see ``check_runtime``.
    """
    names = FORMAT_RUNTIMES[entry.format]
    for name in names:
        try:
            runtime = Runtime(name, version(_PACKAGES[name]))
        except PackageNotFoundError:
            continue
        check_runtime(entry, runtime, source)
        return
    check_runtime(entry, find_runtime(entry.format), source)


def check_runtime(entry: ModelEntry, runtime: Runtime, source: str) -> None:
    """Refuse a model that this machine's interpreter cannot run, as stated in the manifest.

    A manifest without this statement is accepted; the interpreter then decides.

    Raises:
        DeviceError: the interpreter is too old, or none of its versions can run the file.
    """
    if entry.runtime_min is None or runtime.name not in entry.runtime_min:
        return
    oldest = entry.runtime_min[runtime.name]
    others = [f"{_PACKAGES[name]} {least} or newer" for name, least in entry.runtime_min.items() if least is not None]
    way_out = f"Install {' or '.join(others)}, or use a bundle of another scheme." if others else "Export it again."
    here = f"{runtime.package} {runtime.version}"
    if oldest is None:
        raise DeviceError(f"{source}: a {entry.scheme} model that {here} cannot run. {way_out}")
    if _numbers(runtime.version) < _numbers(oldest):
        raise DeviceError(f"{source}: needs {runtime.package} {oldest}, here is {runtime.version}. {way_out}")


def _try_import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.split(".")[0]):
            raise DeviceError(f"{name} is installed but lacks {error.name}: install it with pip.") from error
    return None


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading whole numbers of a version, without zeros at the end: 2.14.0rc1 is (2, 14)."""
    found: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
        if digits != part:
            break
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)
