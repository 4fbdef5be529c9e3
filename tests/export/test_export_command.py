"""``trailcam export`` as a person meets it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trailcam_export.export
from trailcam.main import main
from trailcam_edge.manifest import Drift
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
    monkeypatch.setattr(trailcam_export.export, "compare", lambda *_: Drift(400, -0.05, 0.93))
    assert main(["export", str(tiny.path), "--out", str(tmp_path / "out")]) == 3
    out = capfd.readouterr().out
    assert "int8: fail: agreement 93.0% is below 98%" in out
    assert "too large to ship int8" in out


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

    monkeypatch.setattr(trailcam_export.export, "_write_variant", interrupt)
    assert main(["export", str(tiny.path), "--out", str(tmp_path / "out"), "--variants", "float32"]) == 130
    err = capfd.readouterr().err
    assert f"finished parts are kept in {tmp_path / 'out' / '.trailcam-export-colours'}" in err
    assert "the same command goes on from there" in err
