"""``trailcam update`` killed in its states, and again in the recovery; ``kill_run.py`` does it in each step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_killed_update_leaves_a_device_that_starts_and_can_be_updated(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")  # signs the repository
    if sys.platform != "linux":
        pytest.skip("needs fork")
    command = [sys.executable, str(Path(__file__).parent / "kill_run.py"), str(tmp_path / "rehearsal"), "12"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert sum(result["kills"].values()) == 12
    assert sum(result["started_with"].values()) == 12
    assert result["plans"] > 100
