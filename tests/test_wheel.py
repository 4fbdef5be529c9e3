"""What is installed on a stranger's machine: the wheel, file by file."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Names and sizes of the files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {item.filename: item.file_size for item in archive.infolist()}


def test_the_wheel_has_every_package_and_the_built_in_data(names: dict[str, int]) -> None:
    for package in ("_core", "_edge", "_train", "_export", "_benchmarks", "_deploy", "_archive", ""):
        assert f"trailcam{package}/__init__.py" in names
        assert f"trailcam{package}/py.typed" in names
    for file in ("manifest.json", "model.tflite", "golden.npz"):
        assert f"trailcam_core/data/animals10.bundle/{file}" in names
    for file in ("frames.json", "walk.json", "walk.mp4", "share_alike/LICENCE.md"):
        assert f"trailcam_edge/data/demo/{file}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_has_nothing_else(names: dict[str, int]) -> None:
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    stages = ("_core", "_edge", "_train", "_export", "_benchmarks", "_deploy", "_archive", "")
    assert tops == {f"trailcam{stage}" for stage in stages}
    suffixes = {Path(name).suffix for name in names if ".dist-info" not in name}
    suffixes -= {".service", ".timer", ".conf", ".js"}  # of the device: systemd and the live page
    suffixes -= {".css"}  # of the reports and the live page
    texts = {name for name in names if name.endswith(".txt") and ".dist-info" not in name}
    pins = {f"trailcam_deploy/data/pins/{name}.txt" for name in ("3.11", "3.11-numpy1", "3.12", "3.12-numpy1", "3.13")}
    assert texts == pins  # of deploy: versions and digests of dependencies
    suffixes -= {".txt"}
    suffixes -= {".webp", ".mp4", ".md"}  # of the demo: photographs, the field sequence, their licence
    assert suffixes <= {".py", ".typed", ".json", ".tflite", ".npz", ".toml", ".sh"}


def test_no_tool_test_or_example_of_the_project_is_in_the_wheel(names: dict[str, int]) -> None:
    folders = {part for name in names for part in Path(name).parts[:-1]}
    assert (REPOSITORY / "tools" / "trailcam_project").is_dir()
    assert folders.isdisjoint({"tools", "trailcam_project", "tests", "examples"})


def test_the_wheel_is_small_enough_for_a_camera_behind_lte(names: dict[str, int]) -> None:
    assert sum(names.values()) < 10_500_000
