"""A device whose power is cut during its updates: ``power_cut_run.py`` cuts at every write, this test at random."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = Path(__file__).parents[1] / "power_cut"


@pytest.mark.parametrize("rehearsal", ["power_cut_run.py", "power_cut_fetch_run.py"])
def test_after_a_power_cut_the_device_starts_with_a_bundle_that_passes_its_golden_vectors(
    tmp_path: Path, rehearsal: str
) -> None:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path / "power_cut.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM / "power_cut.c", "-ldl"], check=True)
    command = [sys.executable, str(Path(__file__).parent / rehearsal), str(tmp_path / "rehearsal"), "40"]
    python_path = os.pathsep.join(filter(None, [str(SHIM), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": python_path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["cuts"] == 40
    assert result["cuts_in_recovery"] > 10
    assert len(result["started_with"]) > 3
