"""``trailcam inspect``: tells, checks and replays."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from trailcam.main import main
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.spec import FieldFigures, FieldRow, OutputSpec
from trailcam_core.statistics.clustered import Rate


def test_the_built_in_bundle_is_intact_and_reproduces_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["golden"]["passed"] is True
    assert record["golden"]["count"] >= 4


def test_the_built_in_bundle_is_what_was_promised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]
    assert manifest["model"]["scheme"] == "int8"
    assert sum(path.stat().st_size for path in BUILTIN_BUNDLE.iterdir()) <= 6_000_000
    assert manifest["output"]["labels"][10:] == ["nothing", "other animal"]
    assert manifest["output"]["blank_labels"] == ["nothing"]
    assert manifest["output"]["unknown_labels"] == ["other animal"]
    assert manifest["metrics"]["top1"] >= 0.92
    assert min(manifest["metrics"]["recall"][:10]) >= 0.88
    assert manifest["metrics"]["n"] >= 1_000
    assert manifest["drift"]["top1_agreement"] >= 0.98
    assert manifest["output"]["reject"] is not None
    assert not any("/" in value and value.startswith("/") for value in manifest["provenance"].values())


def test_a_flipped_bit_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.bundle"
    shutil.copytree(BUILTIN_BUNDLE, copy)
    model = bytearray((copy / "model.tflite").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "model.tflite").write_bytes(model)
    assert main(["inspect", str(copy)]) == 1
    assert "SHA-256" in capsys.readouterr().err


def test_the_text_says_what_a_person_asks_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect"]) == 0
    printed = capsys.readouterr().out
    for word in ("top-1", "labels", "runs on", "unknown", "drift", "gate", "golden"):
        assert word in printed


def test_a_bundle_without_nothing_states_what_it_lacks_and_one_with_it_what_it_never_answers(
    pristine_bundle: Path, tmp_path: Path, write_tiny_bundle: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", str(pristine_bundle)])
    assert 'a class for "nothing there": empty scenes may be named' in capsys.readouterr().out
    output = OutputSpec(("red", "green", "blue", "grey"), 1.0, None, blank_labels=("grey",))
    row = FieldRow("0.25, wind", "clips", 16, 8, Rate(0.8125, 0.6, 0.9, 16.0), Rate(0.0, None, None, 16.0))
    write_tiny_bundle(tmp_path / "b.bundle", output=output, field_figures=FieldFigures((row,)), schema_version=2)
    main(["inspect", str(tmp_path / "b.bundle")])
    shown = capsys.readouterr().out
    assert "lacks" not in shown
    assert "grey (nothing)" in shown
    assert "0.25, wind: right 81%, wrong 0.0% (n=16 clips of 8 groups)" in shown
