"""``trailcam export`` as a person meets it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trailcam_export.export
from trailcam.main import main
from trailcam_export.convert import convert_int8
from trailcam_export.export import ExportReport
from trailcam_export.summary import describe_export


def test_the_command_writes_bundles_and_prints_a_report(
    tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "a.png").write_bytes((tiny.data / "red" / "train-0.png").read_bytes())
    arguments = [str(tiny.path), "--data", str(tiny.data), "--out", str(tmp_path / "out"), "--name", "mine"]
    code = main(["export", *arguments, "--golden", str(golden), "--others", str(tiny.data), "--json"])
    shown = capfd.readouterr()
    assert code == 0, shown.err
    record = json.loads(shown.out)
    assert [variant["scheme"] for variant in record["variants"]] == ["float32", "int8"]
    assert [variant["verdict"] for variant in record["variants"]] == ["pass", "inconclusive"]
    assert record["variants"][1]["output"]["reject"]["n_others"] == 39
    assert (tmp_path / "out" / "mine" / "int8.bundle" / "manifest.json").is_file()
    assert "cuda" not in shown.err.lower()
    assert main(["inspect", str(tmp_path / "out" / "mine" / "int8.bundle")]) == 0


def test_a_drift_that_is_too_large_gives_exit_code_3(
    tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mistake of a popular exporter: it calibrates on black pictures and reports success."""
    black = [np.zeros((32, 32, 3), np.uint8)] * 8
    monkeypatch.setattr(trailcam_export.export, "convert_int8", lambda model, _: convert_int8(model, black))
    assert main(["export", str(tiny.path), "--out", str(tmp_path / "out"), "--gate", "mlperf-98"]) == 3
    out = capfd.readouterr().out
    assert "int8: fail: top-1 -" in out
    assert "black frames" in out
    assert "too large to ship" in out
    assert "--fix" in out
    junit = (tmp_path / "out" / "colours" / "drift.junit.xml").read_text()
    assert "<failure" in junit


def test_what_cannot_be_decided_gives_exit_code_3_only_where_that_is_asked_for(
    tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "ours.toml"
    gate.write_text("min_agreement = 0.99\n")
    arguments = ["export", str(tiny.path), "--out", str(tmp_path), "--gate", str(gate)]
    assert main([*arguments, "--name", "pass"]) == 0
    assert main([*arguments, "--name", "fail", "--gate-inconclusive", "fail"]) == 3
    assert "more test pictures" in capfd.readouterr().out
    assert "<failure" in (tmp_path / "fail" / "drift.junit.xml").read_text()
    assert "<failure" not in (tmp_path / "pass" / "drift.junit.xml").read_text()


def test_an_unknown_gate_is_refused_before_anything_is_done(tiny: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tiny.path), "--gate", "loose"]) == 1
    assert "expected mlperf-99, mlperf-98, strict, or a .toml file" in capfd.readouterr().err


def test_an_error_is_one_line_without_native_chatter(
    tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tmp_path / "nowhere")]) == 1
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("trailcam: ")
    assert len(shown.err.splitlines()) == 1


def test_the_report_for_people_lines_up(exported: ExportReport) -> None:
    lines = describe_export(replace(exported, notes=("a note",)))
    assert lines[0].split() == [
        "size",
        "top-1",
        "on",
        "test",
        "(95",
        "%",
        "interval)",
        "delta",
        "agreement",
        "worst",
        "label",
    ]
    assert [line.split()[0] for line in lines[1:4]] == ["trained", "float32", "int8"]
    assert "n = 30 test pictures" in lines[4]
    assert "note: a note" in lines
    assert lines[-1].startswith("wrote ")
    assert "report.html" in lines[-1]
