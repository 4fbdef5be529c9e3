"""The measurement of event lists."""

import sys

import pytest

from trailcam_project.experiments import event_lists

_CHILD = """
import time
text, end_s = b"x" * 60_000_000, time.process_time() + 0.4
while time.process_time() < end_s:
    pass
"""
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_CHILD!r}], check=True)"


def test_the_time_and_memory_of_a_command_include_those_of_its_processes() -> None:
    _, used_s, peak_mb = event_lists.measure([sys.executable, "-c", _PARENT])
    assert used_s > 0.4
    assert peak_mb > 60


def test_every_form_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["event_lists", "--visits", "200"])
    assert event_lists.main() == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "floor of the list",
        "list",
        "--csv",
        "--camtrap-dp",
    ]
