"""The self-test in its child process, on real models."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam_edge.update.install import self_test
from trailcam_edge.update.settings import UpdateSettings

ROOMY = UpdateSettings(max_latency_ms=60_000, max_memory_mb=10_000)


def test_a_good_bundle_passes(pristine_bundle: Path) -> None:
    assert self_test.run_self_test(pristine_bundle, ROOMY) is None


def test_a_model_that_answers_otherwise_fails_with_the_culprit(
    tmp_path: Path, write_tiny_bundle: Callable[..., Any]
) -> None:
    bundle = write_tiny_bundle(tmp_path / "bgr.bundle", "bgr")
    reason = self_test.run_self_test(bundle.path, ROOMY)
    assert reason is not None
    assert "colour order" in reason


def test_limits_are_held(pristine_bundle: Path) -> None:
    reason = self_test.run_self_test(pristine_bundle, UpdateSettings(max_latency_ms=60_000, max_memory_mb=1))
    assert reason is not None
    assert "MB of memory, expected 1 at most" in reason


def test_a_damaged_bundle_fails_with_what_is_wrong(tiny_bundle: Path) -> None:
    (tiny_bundle / "model.tflite").write_bytes(b"\x00" * 100)
    reason = self_test.run_self_test(tiny_bundle, ROOMY)
    assert reason is not None
    assert "ended with 1" in reason
    assert "model.tflite" in reason


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'F terminating' >&2; kill -ABRT $$", "killed by signal 6: F terminating"),
        ("exec sleep 30", "did not end within 1 s"),
        ("echo '{}'", "answer cannot be read"),
        ("exit 0", "answer cannot be read"),
    ],
)
def test_a_child_that_dies_hangs_or_babbles_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    reason = self_test.run_self_test(tmp_path, UpdateSettings(), timeout_s=1)
    assert reason is not None
    assert said in reason
