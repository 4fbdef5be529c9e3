"""The message for an error that ended a command: what happened, and what to do next."""

import errno
import os
import re

_DISK_ERRORS = {
    errno.ENOSPC: "the disk is full. Free some space and run the command again",
    errno.EDQUOT: "your disk quota is used up. Free some space and run the command again",
    errno.EROFS: "the disk is read-only. Choose another place",
    errno.ENOMEM: "not enough memory. Close other programs and run the command again",
    errno.EMFILE: "too many open files. Raise the limit (ulimit -n) and run the command again",
}
_NO_MEMORY = (
    "not enough memory. Close other programs, or raise the limit of this one (ulimit -v, MemoryMax), and run it again."
)
_LIBRARY = re.compile(r"([\w.+-]+\.so[\w.+-]*): ([^\n]+)")  # in the words of the dynamic linker
_NOT_MAPPED = ("failed to map segment", "cannot allocate memory")
_EXTRAS = {
    "tensorflow": "train,export",
    "keras": "train,export",
    "tensorboard": "train",
    "kagglehub": "data",
    "safetensors": "train",
    "paho": "mqtt",
    "cryptography": "deploy",
    "argcomplete": "completion",
    "pyarrow": "parquet",
}


def explain(name: str, error: Exception) -> str | None:
    """Return the message for an error of the command ``name``, None for one that is a fault of Trailcam."""
    from trailcam_core.errors import TrailcamError
    from trailcam_core.records.rules import FieldError

    if isinstance(error, TrailcamError):
        return str(error)
    if isinstance(error, FieldError):  # of a settings class that was made of options
        return f"{error}."
    if isinstance(error, ImportError):
        return _missing_package(name, error) or _missing_library(error)
    if isinstance(error, MemoryError):
        return _NO_MEMORY
    return _of_the_system(error) if isinstance(error, OSError) else None


def _missing_package(name: str, error: ImportError) -> str | None:
    if not isinstance(error, ModuleNotFoundError):
        return None
    if error.name == "cv2":
        from trailcam_core.images.opencv_packages import explain_missing, owners_of_cv2

        return explain_missing(owners_of_cv2())
    extra = _EXTRAS.get((error.name or "").split(".")[0])
    if extra is None:
        return None
    from trailcam_core.errors.install_command import install_command

    return f'"trailcam {name}" needs {error.name}, which is not installed: {install_command(*extra.split(","))}'


def _missing_library(error: ImportError) -> str | None:
    found = _LIBRARY.search(str(error))
    if found is None:
        return None
    if found[2].startswith(_NOT_MAPPED):
        return _NO_MEMORY
    return (
        f"a package cannot load {found[1]} ({found[2]}). Install what has this library with apt, or the package anew; "
        '"trailcam doctor" lists the packages.'
    )


def _of_the_system(error: OSError) -> str:
    if error.errno == errno.ENOENT and not error.filename and not _has_working_folder():
        return "the folder in which this command runs was deleted. Change to another one, and run it again."
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{_DISK_ERRORS.get(error.errno or 0, error.strerror or str(error))}."


def _has_working_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - asks the system and makes no path
    except OSError:
        return False
    return True
