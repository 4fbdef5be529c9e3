"""Python environments for programs that must not share one with Trailcam, each made once and kept.

An environment lies below a cache folder under its name and the digest of what is in it. It is made in place, since a
virtual environment cannot be moved; a mark that is written last says that it is whole.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import trailcam_benchmarks
import trailcam_edge
from trailcam_core.errors import DeviceError
from trailcam_core.files.atomic import write_file

__all__ = ["TFLITE_RUNTIME", "Environment", "environments_folder", "packages_folder", "python_of"]

_WHOLE = "trailcam-environment"
_LIMIT_S = 3600.0


@dataclass(frozen=True)
class Environment:
    """A name and what pip installs."""

    name: str
    requirements: tuple[str, ...]

    @property
    def key(self) -> str:
        """Changes with the requirements and with the Python that it is made of."""
        return hashlib.sha256(repr((self.requirements, sys.version_info[:3])).encode()).hexdigest()[:12]


# numpy below 2 is what it was built for, and OpenCV 4.11 the last that takes it.
TFLITE_RUNTIME = Environment(
    "tflite-runtime", ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless==4.11.0.86")
)


def environments_folder() -> Path:
    """Return where environments of other runtimes and programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trailcam" / "environments"


def python_of(environment: Environment, cache: Path) -> Path:
    """Return the Python of an environment, making it first where it is not there.

    Raises:
        DeviceError: pip cannot install it here; nothing is left of it.
    """
    folder = cache / f"{environment.name}-{environment.key}"
    python = folder / "bin" / "python"
    if (folder / _WHOLE).is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *environment.requirements]
    try:
        for command in ([sys.executable, "-m", "venv", str(folder)], pip):
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
            if done.returncode:
                last = [
                    line for line in done.stderr.splitlines() if line.startswith("ERROR")
                ] or done.stderr.splitlines()
                raise DeviceError(
                    f"no environment for {environment.name} on this Python and machine: {(last or ['no reason'])[-1]}"
                )
        write_file(folder / _WHOLE, "\n".join(environment.requirements).encode())
    except subprocess.TimeoutExpired as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeviceError(f"making the environment for {environment.name} took more than an hour.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return python


def packages_folder(cache: Path) -> Path:
    """Return a folder with links to the two packages that a process of a measurement needs, and to no other.

    On the path of another environment it brings Trailcam there, without what Trailcam is installed beside.
    """
    folder = cache / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    for package in (trailcam_edge, trailcam_benchmarks):
        link, target = folder / package.__name__, Path(str(package.__file__)).parent
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder
