"""The Trailcam that a device gets: the one that runs here, as a wheel of this checkout or by version from the index."""

import hashlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder
from trailcam_core.files.digest import file_sha256
from trailcam_deploy.device.facts import Facts
from trailcam_deploy.device.pins import PINS

_SOURCES = ("core", "edge", "train", "export", "benchmarks", "deploy", "cli")


@dataclass(frozen=True)
class Software:
    """``wheel`` of this checkout, or None if ``requirement`` is installed from the index."""

    requirement: str
    wheel: Path | None = None
    digest: str = ""

    def identity(self, numpy: tuple[int, ...]) -> str:
        """Return the name of this software as installed beside a numpy of apt."""
        return " ".join([self.requirement, self.digest[:16], *self.constraints(numpy)]).strip()

    def constraints(self, numpy: tuple[int, ...]) -> tuple[str, ...]:
        """Return constraints for pip, so that it keeps the numpy of apt's Picamera2 (Raspberry Pi OS 12)."""
        return ("numpy<2",) if numpy and numpy < (2,) else ()


def this_software(version: str, cache: Path) -> Software:
    """Return the Trailcam that runs here; a checkout is built into a wheel that ``cache`` keeps until a file changes.

    Raises:
        DeployError: the wheel cannot be built.
    """
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / "pyproject.toml").exists() or not (checkout / "edge" / "trailcam_edge").is_dir():
        return Software(f"trailcam=={version}")
    folder = cache / _key(checkout)
    built = sorted(folder.glob("trailcam-*.whl"))
    if not built:
        make_folder(folder)
        isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", str(folder)]
        done = subprocess.run(
            [*pip, str(checkout)], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
        built = sorted(folder.glob("trailcam-*.whl"))
        if done.returncode != 0 or not built:
            raise DeployError(f"{checkout}: cannot be built into a wheel ({done.stderr.strip()[-300:]}).")
        for older in cache.iterdir():
            if older != folder:
                for file in older.glob("*.whl"):
                    file.unlink()
                older.rmdir()
    return Software(f"trailcam=={built[0].name.split('-')[1]}", built[0], file_sha256(built[0]))


def list_wheels(folder: Path) -> tuple[Path, ...]:
    """Return the wheels of a folder, without Trailcam's own.

    Raises:
        DeployError: the folder has none.
    """
    wheels = tuple(path for path in sorted(folder.glob("*.whl")) if not path.name.startswith("trailcam-"))
    if not wheels:
        raise DeployError(
            f'{folder}: holds no wheels. For a Raspberry Pi OS 13: "{download_command(folder, "aarch64", (3, 13))}".'
        )
    return wheels


def download_command(folder: Path, machine: str, python: tuple[int, ...]) -> str:
    """Return the pip command that fetches the pinned dependencies of a device into a folder, on any machine.

    pip takes the tag of a platform literally, so each one that the wheels of the dependencies have is named.
    """
    platforms = " ".join(f"--platform {tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_27", "manylinux2014"))
    version = ".".join(map(str, python))
    return (
        f"pip download --only-binary=:all: --no-deps {platforms} --python-version {version} --dest {folder} "
        f"--requirement {PINS / f'{version}.txt'}"
    )


def fitting_wheels(wheels: tuple[Path, ...], facts: Facts) -> list[Path]:
    """Return the wheels that a device can use, by the tags in their names.

    Source: the binary distribution format, "File name convention", packaging.python.org.
    """
    tag = "cp" + "".join(map(str, facts.python))
    fitting = []
    for path in wheels:
        *_, python, abi, platform = path.stem.split("-")
        right_python = "py3" in python or tag in python.split(".") or abi == "abi3"
        if right_python and (platform == "any" or facts.machine in platform):
            fitting.append(path)
    return fitting


def missing_projects(wheels: tuple[Path, ...], facts: Facts) -> list[str]:
    """Return the projects whose wheels all are for other devices; apt's numpy needs no wheel."""
    found = {_project(path) for path in fitting_wheels(wheels, facts)} | ({"numpy"} if facts.numpy else set())
    return sorted({_project(path) for path in wheels} - found)


def _project(wheel: Path) -> str:
    return wheel.name.split("-")[0]


def _key(checkout: Path) -> str:
    digest = hashlib.sha256()
    files = [checkout / "pyproject.toml"]
    for source in _SOURCES:
        files += sorted(path for path in (checkout / source).rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in files:
        state = path.stat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
