"""The store after a power cut at every kind of write; ``power_cut_run.py`` does it, here at random points."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SHIM = FOLDER.parent / "power_cut"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that cuts the power."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    path = tmp_path_factory.mktemp("shim") / "power_cut.so"
    source = SHIM / "power_cut.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


def test_after_a_power_cut_everything_acknowledged_is_there_and_nothing_is_broken(shim: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "power_cut_run.py"), str(tmp_path), "30"]
    python_path = os.pathsep.join(filter(None, [str(SHIM), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"LD_PRELOAD": str(shim), "PYTHONPATH": python_path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] == 30
    assert result["kills_in_recovery"] > 15
    assert sum(result["acknowledged"].values()) > 30


def test_killed_at_random_moments_the_camera_loses_nothing_acknowledged(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "kill_run.py"), str(tmp_path), "5"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kills"] == 5
