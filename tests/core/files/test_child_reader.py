"""The end of a child process that reads a file."""

import signal
from pathlib import Path

import pytest

from trailcam_core.files.child_reader import describe_death, read_in_child


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, None),
        (1, None),
        (-signal.SIGABRT, "abort (SIGABRT)"),
        (-signal.SIGSEGV, "crash (SIGSEGV)"),
        (-signal.SIGKILL, "crash (SIGKILL)"),
        (-99, "crash (signal 99)"),
    ],
)
def test_a_death_is_described_by_its_signal(status: int, text: str | None) -> None:
    assert describe_death(status) == text


def test_a_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read_in_child("sleeper", tmp_path, timeout_s=0.5) == "hang for 0.5 s"
