"""``--fix`` on a network made bad on purpose: two channels are three thousand times louder than the others.

Its answers in float are those of the healthy network. In int8 one scale serves all channels of a tensor, so the quiet
ones vanish: the classical failure of depthwise networks.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.errors import ExportError
from trailcam_export.convert.to_tflite import convert_float32
from trailcam_export.convert.variants import parse_variants
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.presets import PRESETS
from trailcam_export.inference.batches import Images
from trailcam_export.inference.predict import FilePredictor
from trailcam_export.mixed_int8.selective_quantiser import SelectiveQuantiser
from trailcam_export.run import run_fix
from trailcam_export.run.export import ExportReport, export_run
from trailcam_export.run.plan import ExportRequest
from trailcam_export.run.summary import describe_export, export_record

_LOUD = np.array([3000, 3000, 1, 1, 1, 1, 1, 1], np.float32)


@pytest.fixture(scope="module")
def bad_run(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run, whose depthwise layer is loud in two channels and whose last layer makes up for it."""
    folder: Path = tmp_path_factory.mktemp("bad") / "loud"
    shutil.copytree(tiny.path, folder)
    model = tiny.build()
    model.set_weights(tiny.model.get_weights())
    depthwise, last = model.layers[5], model.layers[-1]
    kernel, bias = depthwise.get_weights()  # (3, 3, 8, 1), (8,)
    depthwise.set_weights([kernel * _LOUD[:, None], bias * _LOUD])
    kernel, bias = last.get_weights()  # (8, 3), (3,)
    last.set_weights([kernel / _LOUD[:, None], bias])
    tiny.save(model, folder / "model.keras")
    return folder


@pytest.fixture(scope="module")
def fixed(bad_run: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_run(ExportRequest(run=bad_run, out=tmp_path_factory.mktemp("fixed"), fix=True))


def test_int8_fails_and_the_mixed_file_takes_its_place(fixed: ExportReport) -> None:
    verdicts = {variant.scheme: variant.verdict for variant in fixed.variants}
    assert verdicts["int8"] is Verdict.FAIL
    assert verdicts["mixed_int8"] is not Verdict.FAIL
    assert (fixed.passed, fixed.findings.fixed) == (True, "mixed_int8")
    scores = {variant.scheme: variant.score.top1 for variant in fixed.variants}
    assert scores["int8"] < 0.7
    assert abs(scores["mixed_int8"] - fixed.trained.top1) <= 0.04  # one of thirty


def test_the_loud_layer_and_its_readers_are_the_ones_left_in_float(fixed: ExportReport) -> None:
    found = fixed.findings.fix
    assert found is not None
    assert found.fix.chosen is not None
    kept = {operator.kind for operator in found.fix.chosen.in_float}
    assert "DEPTHWISE_CONV_2D" in kept
    assert "CONV_2D" not in kept
    worst, best = found.fix.ranking[0].kl, found.fix.ranking[-1].kl
    assert worst > 100 * best
    assert set(found.latency_ms) == {"float32", "int8", "mixed_int8"}


def test_the_mixed_bundle_is_a_bundle_like_any_other(fixed: ExportReport) -> None:
    path = fixed.folder / "mixed_int8.bundle"
    manifest = open_bundle(path).manifest
    assert (manifest.model.format, manifest.model.scheme) == ("tflite", "mixed_int8")
    assert manifest.model.runtime_min == {"litert": "2.1", "tflite_runtime": "2.14"}
    assert manifest.provenance["quantizer"].startswith("litert-quantizer ")
    assert manifest.provenance["calibration_count"] == "24"
    assert manifest.output.reject is not None
    assert manifest.drift is not None
    assert manifest.drift.n == 30
    assert manifest.drift.gate is not None
    assert manifest.drift.gate.verdict != "fail"
    with zipfile.ZipFile(path / "model.tflite") as archive:
        assert tuple(archive.read("labels.txt").decode().split()) == manifest.output.labels
    assert Classifier.open(path).replay_golden().passed
    int8 = open_bundle(fixed.folder / "int8.bundle").manifest
    assert int8.drift is not None
    assert int8.drift.gate is not None
    assert int8.drift.gate.verdict == "fail"
    assert manifest.output.temperature != int8.output.temperature


def test_the_trade_is_written_down(fixed: ExportReport) -> None:
    record = json.loads((fixed.folder / "drift.json").read_text())["fix"]
    assert (record["of"], record["fixed"]) == ("int8", "mixed_int8")
    assert [step["chosen"] for step in record["steps"]].count(True) == 1
    assert all(step["size_bytes"] > 0 and "top1" in step["validation"] for step in record["steps"])
    assert all(0 < step["over_float32"] < 100 for step in record["steps"])
    page = (fixed.folder / "report.html").read_text()
    assert "Fixing int8" in page
    assert "mixed_int8 replaces it" in page
    assert "time, x float32" in page
    text = "\n".join(describe_export(fixed))
    assert "operators stay in float" in text
    assert "too large to ship" not in text
    assert json.dumps(export_record(fixed))
    assert "replaced by mixed_int8" in (fixed.folder / "drift.junit.xml").read_text()


def test_a_search_that_was_stopped_asks_only_what_is_new(
    bad_run: Path, fixed: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Counted(FilePredictor):
        def __init__(self, path: Path) -> None:
            asked.append(path.name)
            super().__init__(path)

    def stop_at_the_first_trial(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "trying mixed int8":
            raise KeyboardInterrupt

    monkeypatch.setattr(run_fix, "FilePredictor", Counted)
    request = ExportRequest(run=bad_run, out=tmp_path, fix=True)
    with pytest.raises(KeyboardInterrupt):
        export_run(request, stop_at_the_first_trial)
    before, found = fixed.findings.fix, len(asked)
    assert before is not None
    assert asked.count("mixed_int8.trial.tflite") == len(before.fix.ranking) + 1

    after = export_run(request).findings.fix

    assert after is not None
    assert asked[found:].count("mixed_int8.trial.tflite") == len(after.fix.steps)
    assert [item.kl for item in after.fix.ranking] == [item.kl for item in before.fix.ranking]


@pytest.mark.parametrize(("names", "missing"), [(["int8"], "float32"), (["onnx-int8"], "float32 and int8")])
def test_a_fix_without_what_it_works_on_is_refused_at_once(
    tiny: Any, tmp_path: Path, names: list[str], missing: str
) -> None:
    with pytest.raises(ExportError, match=f"--fix needs {missing} among --variants"):
        export_run(ExportRequest(run=tiny.path, out=tmp_path / "out", fix=True, variants=parse_variants(names)))
    assert list(tmp_path.iterdir()) == []


def test_an_int8_that_is_good_is_left_alone(tiny: Any, tmp_path: Path) -> None:
    report = export_run(ExportRequest(run=tiny.path, out=tmp_path, fix=True, gate=PRESETS["mlperf-98"]))
    assert report.findings.fix is None
    assert [variant.scheme for variant in report.variants] == ["float32", "int8"]
    assert any("left it as it is" in note for note in report.notes)


def test_the_quantiser_keeps_what_it_is_told_in_float(tiny: Any, images: Images) -> None:
    quantiser = SelectiveQuantiser(convert_float32(tiny.model), images)
    assert "CONV_2D" in [operator.kind for operator in quantiser.operators]
    last = quantiser.operators[-1].name
    sizes = [
        len(content) for content in (quantiser.quantise(), quantiser.quantise([last]), quantiser.quantise_only(last))
    ]
    assert len(set(sizes)) == 3
    with pytest.raises(ValueError, match="no operator is called 'nothing'"):
        quantiser.quantise(["nothing"])
