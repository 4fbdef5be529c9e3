"""Run a program on a disk of which any call can fail: ``update/disk_fault.c``, loaded before its libraries."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHIM = Path(__file__).parent / "update" / "disk_fault.c"


def run_with_disk_faults(program: Path, folder: Path, points: int) -> dict[str, Any]:
    """Return the JSON object that ``program FOLDER/rehearsal POINTS`` prints; skips without Linux or a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = folder / "disk_fault.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    command = [sys.executable, str(program), str(folder / "rehearsal"), str(points)]
    done = subprocess.run(command, env=os.environ | {"LD_PRELOAD": str(library)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
