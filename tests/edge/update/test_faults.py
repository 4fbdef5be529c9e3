"""A device whose disk fails during its updates; ``disk_fault_run.py`` does it at every call, here at random ones."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = Path(__file__).parent / "disk_fault.c"


def test_a_disk_that_fails_gives_a_clear_error_and_costs_no_bundle(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path / "disk_fault.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    command = [sys.executable, str(Path(__file__).parent / "disk_fault_run.py"), str(tmp_path / "rehearsal"), "30"]
    done = subprocess.run(command, env=os.environ | {"LD_PRELOAD": str(library)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert sum(result["faults"].values()) == 30
    assert sum(result["clear_errors"].values()) > 20
    assert result["calls"]["install, EIO"] > 100
