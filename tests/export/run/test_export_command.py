"""``trailcam export`` as a person meets it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trailcam_export.run.convert_variant
import trailcam_export.run.export
from trailcam.main import main
from trailcam_export.convert.quantise import quantise
from trailcam_export.gate.criteria import Verdict
from trailcam_export.run.export import ExportReport
from trailcam_export.run.summary import describe_export


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
    monkeypatch.setattr(
        trailcam_export.run.convert_variant,
        "quantise",
        lambda model, scheme, *_: quantise(model, scheme, black),
    )
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


def test_fix_is_advised_only_to_who_did_not_ask_for_it(exported: ExportReport) -> None:
    failed = tuple(replace(variant, verdict=Verdict.FAIL) for variant in exported.variants)
    report = replace(exported, variants=failed, passed=False)
    assert 'try "--fix"' in describe_export(report)[-1]
    assert describe_export(replace(report, fix_asked=True))[-1].endswith("or train longer or with another recipe.")


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
    assert lines[-2].startswith("wrote ")
    assert lines[-1].startswith("next: trailcam benchmark ")
    assert "report.html" in lines[-2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name either RUN or --model FILE"),
        (["run", "--model", "m.keras"], "name either RUN or --model FILE"),
        (["run", "--labels", "l.txt"], "--labels belongs to --model"),
        (["run", "--input-range", "0", "1"], "--input-range belongs to --model"),
        (["--model", "m.keras"], "--model needs --labels FILE and --data DIR"),
        (["run", "--calibration-count", "0"], "expected 1 to 100000"),
        (["run", "--quantizer", "mine"], "invalid choice: 'mine'"),
    ],
)
def test_options_that_make_no_sense_together_are_a_usage_error(
    words: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", *words])
    assert caught.value.code == 2
    assert message in capfd.readouterr().err


def test_an_unknown_variant_lists_the_valid_ones(tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tiny.path), "--out", str(tmp_path / "out"), "--variants", "int4"]) == 1
    assert "no variant 'int4'; there are: float32, float16" in capfd.readouterr().err


def test_an_interrupted_export_says_what_it_keeps(
    tiny: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trailcam_export.run.export.BundleWriter, "write", interrupt)
    assert main(["export", str(tiny.path), "--out", str(tmp_path / "out"), "--variants", "float32"]) == 130
    err = capfd.readouterr().err
    assert f"finished parts are kept in {tmp_path / 'out' / '.trailcam-export-colours'}" in err
    assert "the same command goes on from there" in err
