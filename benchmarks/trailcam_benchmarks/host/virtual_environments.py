"""Python environments for programs that must not share one with Trailcam, each created once and kept.

An environment is below a cache folder, named by its name and the digest of its requirements. It is created in place,
since a virtual environment cannot be moved; a file that is written last marks it as complete.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import trailcam_benchmarks
import trailcam_core
import trailcam_edge
from trailcam_core.errors import DeviceError
from trailcam_core.files.atomic import write_file

_COMPLETE = "trailcam-environment"
_LIMIT_S = 3600.0


@dataclass(frozen=True)
class Environment:
    """A name and the requirements that pip installs."""

    name: str
    requirements: tuple[str, ...]

    @property
    def key(self) -> str:
        """Digest of the requirements and the version of Python."""
        return hashlib.sha256(repr((self.requirements, sys.version_info[:3])).encode()).hexdigest()[:12]


# It was built for numpy below 2, and OpenCV 4.11 is the last version that accepts this numpy.
TFLITE_RUNTIME = Environment(
    "tflite-runtime", ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless==4.11.0.86")
)


def environments_folder() -> Path:
    """Return the cache folder of the environments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trailcam" / "environments"


def python_of(environment: Environment, cache: Path) -> Path:
    """Return the Python of an environment, which is created if it is missing.

    Raises:
        DeviceError: pip cannot install it here; its folder is removed.
    """
    folder = cache / f"{environment.name}-{environment.key}"
    python = folder / "bin" / "python"
    if (folder / _COMPLETE).is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *environment.requirements]
    try:
        for command in ([sys.executable, "-m", "venv", str(folder)], pip):
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S)
            if done.returncode:
                last = [
                    line for line in done.stderr.splitlines() if line.startswith("ERROR")
                ] or done.stderr.splitlines()
                raise DeviceError(
                    f"no environment for {environment.name} on this Python and machine: {(last or ['no reason'])[-1]}"
                )
        write_file(folder / _COMPLETE, "\n".join(environment.requirements).encode())
    except subprocess.TimeoutExpired as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DeviceError(f"making the environment for {environment.name} took more than an hour.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return python


def packages_folder(cache: Path) -> Path:
    """Return a folder with links to the three packages that a worker needs, and to no other.

    On the path of another environment it adds Trailcam without the other packages of this environment.
    """
    folder = cache / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    for package in (trailcam_core, trailcam_edge, trailcam_benchmarks):
        link, target = folder / package.__name__, Path(str(package.__file__)).parent
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder
