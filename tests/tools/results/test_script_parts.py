"""Parts that are programs of their own: what they print, and what they may still write when they are interrupted."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DataError
from trailcam_project.results.result_parts import PartOptions
from trailcam_project.results.script_parts import ComparisonPart


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Let a shell script stand for every program of the package; its last argument is where it is to write."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\nfor out; do :; done\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def wanted(out: Path) -> PartOptions:
    return PartOptions((BUILTIN_BUNDLE,), False, None, None, (), out, 8, 0.0, 2, 0.0, 0.0)


PART = ComparisonPart(lambda _: BUILTIN_BUNDLE, count=60, rounds=6)


def test_a_program_that_is_interrupted_may_write_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started, partial = tmp_path / "started", tmp_path / "versus.partial.json"
    waits = f"trap 'echo half > $out; exit 130' INT; touch {started}; while :; do sleep 0.02; done"
    pretend(monkeypatch, tmp_path, waits)

    def interrupt() -> None:
        deadline_s = time.monotonic() + 30
        while not started.exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        PART.make(wanted(tmp_path), partial)
    other.join()
    assert partial.read_text() == "half\n"


def test_what_a_program_wrote_is_the_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, "echo whole > $out")
    assert PART.make(wanted(tmp_path), tmp_path / "versus.partial.json") == b"whole\n"
    pretend(monkeypatch, tmp_path, "exit 1")
    with pytest.raises(DataError, match="program_comparison ended with exit code 1"):
        PART.make(wanted(tmp_path), tmp_path / "versus.partial.json")
