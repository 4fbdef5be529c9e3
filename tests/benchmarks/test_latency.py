"""The benchmark measures what it says; no time is asserted."""

import json

import pytest

from trailcam_benchmarks.latency import main


def test_every_step_is_timed_on_every_frame(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "8", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 8
    for step in ("floor", "classify", "decode"):
        times = report[step]
        assert 0 < times["p50_ms"] <= times["p90_ms"] <= times["p99_ms"] <= times["worst_ms"]


def test_the_table_names_the_overhead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "4"]) == 0
    assert "over the bare interpreter call" in capsys.readouterr().out
