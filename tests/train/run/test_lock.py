import os
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam_core.errors import TrainError
from trailcam_train.run.lock import LOCK_FILE, locked

HOLD = """
import sys
from pathlib import Path
from trailcam_train.run.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            with pytest.raises(TrainError, match=rf"process {holder.pid} is training in it"), locked(tmp_path):
                raise AssertionError("it should have been refused")
        finally:
            holder.kill()  # as after a crash: the lock ends with the process
            holder.wait()
        with locked(tmp_path):
            assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_folder_can_be_renamed_while_it_is_held(tmp_path: Path) -> None:
    (tmp_path / "run.partial").mkdir()
    with locked(tmp_path / "run.partial"):
        (tmp_path / "run.partial" / LOCK_FILE).unlink()
        (tmp_path / "run.partial").rename(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="is gone"), locked(tmp_path / "run.partial"):
        raise AssertionError("it should have been refused")
