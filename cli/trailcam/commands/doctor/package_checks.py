"""Checks of the installed packages: Trailcam, Python, interpreters, OpenCV and the optional parts."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from trailcam import __version__
from trailcam.commands.doctor.checks import Check
from trailcam_core.errors import DeviceError
from trailcam_core.errors.install_command import install_command
from trailcam_core.images.opencv_packages import explain_conflict, owners_of_cv2
from trailcam_core.inference.runtimes import load_runtime

_OLDEST, _NEWEST = (3, 11), (3, 13)
_INTERPRETERS = ("ai-edge-litert", "tflite-runtime", "onnxruntime")
_PARTS = {  # extra: the packages whose presence shows it
    "train": ("tensorflow", "keras"),
    "export": ("tensorflow", "tf2onnx", "onnx"),
    "deploy": ("cryptography",),
    "mqtt": ("paho-mqtt",),
    "clips": ("av",),
    "report": ("matplotlib",),
    "parquet": ("pyarrow",),
    "heif": ("pi-heif", "pillow"),
    "completion": ("argcomplete",),
    "cluster": ("ray", "fsspec"),
}
_GPU_S = 5.0


def check_packages() -> Iterator[Check]:
    """Yield the checks of Python and its packages; none of them imports a training framework."""
    yield _check_python()
    yield Check("trailcam", "info", f"{__version__}, installed by {install_command()}")
    yield _check_runtime()
    yield check_opencv(owners_of_cv2())
    installed = [extra for extra, names in _PARTS.items() if all(_version(name) for name in names)]
    missing = [extra for extra in _PARTS if extra not in installed]
    cure = f"To add one: {install_command(missing[0])}" if missing else None
    yield Check("extras", "info", f"installed: {_list(installed)}; not installed: {_list(missing)}", cure)
    yield _check_gpu()


def _check_python() -> Check:
    text = f"{platform.python_version()} on {platform.platform()}, {platform.machine()}"
    if sys.maxsize < 2**32:
        return Check("python", "fault", f"{text}, 32-bit", "Install the 64-bit Raspberry Pi OS.")
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return Check("python", "warning", f"{text}; tested are 3.11 to 3.13", "Use one of these.")
    return Check("python", "ok", text)


def _check_runtime() -> Check:
    found = ", ".join(f"{name} {version(name)}" for name in _INTERPRETERS if _version(name))
    try:
        load_runtime()
    except (DeviceError, ImportError) as error:
        return Check("interpreter", "fault", f"{found or 'none'}: {error}", "Install ai-edge-litert again.")
    return Check("interpreter", "ok", found)


def check_opencv(owners: Mapping[str, list[str]]) -> Check:
    """Judge the packages that write ``cv2``, by their folder: pip lets two overwrite the files of each other."""
    conflict = explain_conflict(owners)
    if conflict is not None:
        found, cure = conflict.split(". ", 1)
        return Check("opencv", "fault", found, cure)
    try:
        import cv2
    except ImportError as error:
        return Check("opencv", "fault", f"cannot be imported: {error}", install_command("opencv"))
    names = ", ".join(name for found in owners.values() for name in found)
    return Check("opencv", "ok", f"{names or 'not installed by pip,'} {cv2.__version__}")


def _check_gpu() -> Check:
    if shutil.which("nvidia-smi") is None:
        return Check("gpu", "info", "no NVIDIA driver; a camera needs none, training is slower without")
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GPU_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("gpu", "warning", f"nvidia-smi failed: {error}", "Install the driver again, or ignore it.")
    return Check("gpu", "ok", "; ".join(answer.stdout.strip().splitlines()))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"
