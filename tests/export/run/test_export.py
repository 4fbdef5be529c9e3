"""From a tiny run to bundles, and what their files and reports say."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.datasets.run_directory import read_split
from trailcam_core.errors import ExportError
from trailcam_core.images.decode import read_image
from trailcam_export.convert.variants import parse_variants
from trailcam_export.foreign.foreign_run import ForeignModel
from trailcam_export.gate.criteria import Verdict
from trailcam_export.run.export import ExportReport, export_run
from trailcam_export.run.plan import ExportRequest
from trailcam_export.run.summary import describe_export
from trailcam_export.tflite.flatbuffer import read_tflite

LABELS = ("blue", "green", "red")


def _copy(tiny: Any, folder: Path) -> Path:
    shutil.copytree(tiny.path, folder / "colours")
    return folder / "colours"


def test_both_bundles_open_replay_and_recognise(exported: ExportReport, tiny: Any) -> None:
    for scheme in ("float32", "int8"):
        classifier = Classifier.open(exported.folder / f"{scheme}.bundle")
        assert classifier.replay_golden().passed
        answer = classifier.classify(read_image(tiny.data / "red" / "test-1.png"))
        assert answer.top[0].label == "red"


def test_the_manifest_says_what_was_measured_and_where_it_comes_from(exported: ExportReport, tiny: Any) -> None:
    manifest = open_bundle(exported.folder / "int8.bundle").manifest
    assert (manifest.name, manifest.version, manifest.model.scheme) == ("colours", "1.0.0", "int8")
    assert manifest.output.labels == LABELS
    assert manifest.output.reject is not None
    assert manifest.output.reject.score == "energy"
    assert (manifest.output.reject.n_known, manifest.output.reject.ood_reject_rate) == (30, None)
    assert manifest.metrics is not None
    assert manifest.metrics.n == 30
    assert manifest.drift is not None
    assert manifest.drift.top1_agreement > 0.9
    assert manifest.provenance["seed"] == "3"
    assert manifest.provenance["recipe"] == "cnn"
    assert manifest.provenance["dataset"] == "photos"
    assert set(manifest.provenance) >= {"trailcam", "tensorflow", "keras", "litert", "created", "weights", "run"}
    everything = (exported.folder / "int8.bundle" / "manifest.json").read_text()
    assert str(tiny.data.parent) not in everything


def test_the_float_bundle_scores_exactly_what_the_trained_model_scores(exported: ExportReport) -> None:
    float32 = exported.variants[0]
    assert float32.score == exported.trained
    assert float32.drift.top1_agreement == 1.0
    assert float32.parity is not None
    assert float32.parity < 1e-4
    assert exported.trained.top1 > 0.8


def test_few_test_pictures_are_inconclusive(exported: ExportReport) -> None:
    int8 = exported.variants[1]
    assert int8.verdict is Verdict.INCONCLUSIVE
    assert "test pictures would decide" in int8.reason
    assert exported.passed


def test_only_bundles_reports_and_the_list_of_calibration_pictures_are_left(exported: ExportReport, tiny: Any) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == [
        "calibration.csv",
        "drift.json",
        "drift.junit.xml",
        "float32.bundle",
        "int8.bundle",
        "report.html",
    ]
    assert [path for path in exported.folder.parent.iterdir() if path.name.startswith(".")] == []
    content = (exported.folder / "calibration.csv").read_bytes()
    rows = content.decode().splitlines()
    assert rows[0] == "file,sha256,source"
    assert len(rows) == 25  # all training pictures of the tiny run
    provenance = open_bundle(exported.folder / "int8.bundle").manifest.provenance
    assert provenance["calibration_sha256"] == hashlib.sha256(content).hexdigest()
    assert provenance["calibration_count"] == "24"
    assert "calibration_sha256" not in open_bundle(exported.folder / "float32.bundle").manifest.provenance


def test_every_variant_opens_replays_and_agrees(all_exported: ExportReport, tiny: Any) -> None:
    image = read_image(tiny.data / "red" / "test-1.png")
    found = {}
    for variant in all_exported.variants:
        classifier = Classifier.open(variant.bundle)
        manifest = classifier.bundle.manifest
        assert classifier.replay_golden().passed
        assert classifier.classify(image).top[0].label == "red"
        assert variant.drift.top1_agreement > 0.9
        assert variant.bundle.name == f"{variant.variant}.bundle"
        assert manifest.drift is not None
        assert manifest.drift.gate is not None
        assert manifest.drift.gate.verdict == variant.verdict.value
        assert manifest.drift.gate.preset == all_exported.findings.preset.name
        # thirty pictures prove nothing, and only float32 has other proof
        assert (variant.verdict is Verdict.PASS) == (variant.scheme == "float32")
        found[variant.variant] = (manifest.model.format, manifest.model.scheme, manifest.model.runtime_min)
    tflite = {"litert": "2.1", "tflite_runtime": "2.14"}
    assert found == {
        **{scheme: ("tflite", scheme, tflite) for scheme in ("float32", "float16", "dynamic_int8", "int8", "int16x8")},
        **{f"onnx-{scheme}": ("onnx", scheme, {"onnxruntime": "1.17"}) for scheme in ("float32", "float16", "int8")},
    }
    assert all_exported.peak_memory_mb > 100


def test_only_float_files_list_what_was_fused_into_each_tensor(all_exported: ExportReport) -> None:
    lists = {}
    for variant in all_exported.variants[:5]:
        content = open_bundle(variant.bundle).model_path.read_bytes()
        lists[variant.variant] = any(b";" in bytes(tensor.name) for tensor in read_tflite(content).subgraphs[0].tensors)
    assert lists == {"float32": True, "float16": True, "dynamic_int8": False, "int8": False, "int16x8": False}


def test_a_tflite_file_alone_gives_the_manifests_answers_in_a_plain_interpreter(all_exported: ExportReport) -> None:
    for variant in all_exported.variants[:5]:
        bundle = open_bundle(variant.bundle)
        golden = bundle.read_golden()
        interpreter = Interpreter(model_path=str(bundle.model_path))
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        with zipfile.ZipFile(bundle.model_path) as archive:
            labels = tuple(archive.read("labels.txt").decode().split())
            card = json.loads(archive.read("trailcam.json"))
        assert labels == bundle.manifest.output.labels
        assert card["input"] == vars(bundle.manifest.input)
        assert card["source_sha256"] == bundle.manifest.provenance["source_sha256"]
        for image, expected in zip(golden.images, golden.logits, strict=True):
            interpreter.set_tensor(taken["index"], image[None])
            interpreter.invoke()
            stored = interpreter.get_tensor(given["index"])[0].astype(np.float32)
            scale, zero_point = given["quantization"]
            scores = (stored - zero_point) * np.float32(scale) if scale else stored
            assert np.abs(scores - expected).max() <= bundle.manifest.golden.tolerance


def test_an_onnx_file_alone_gives_the_manifests_answers_in_plain_onnx_runtime(all_exported: ExportReport) -> None:
    for variant in all_exported.variants[5:]:
        bundle = open_bundle(variant.bundle)
        golden = bundle.read_golden()
        session = onnxruntime.InferenceSession(str(bundle.model_path), providers=["CPUExecutionProvider"])
        card = session.get_modelmeta().custom_metadata_map
        assert tuple(json.loads(card["trailcam.labels"])) == bundle.manifest.output.labels
        name = session.get_inputs()[0].name
        for image, expected in zip(golden.images, golden.logits, strict=True):
            scores = session.run(None, {name: image[None]})[0][0]
            assert np.abs(scores - expected).max() <= bundle.manifest.golden.tolerance


def test_five_test_pictures_decide_nothing(tiny: Any, tmp_path: Path) -> None:
    run = _copy(tiny, tmp_path)
    lines = (run / "split.csv").read_text().splitlines()
    kept = [line for line in lines if ",test," not in line] + [line for line in lines if ",test," in line][::6]
    (run / "split.csv").write_text("\n".join(kept) + "\n")
    report = export_run(ExportRequest(run=run, out=tmp_path / "out"))
    assert report.trained.n == 5
    assert report.variants[1].verdict is Verdict.INCONCLUSIVE


def test_a_plain_keras_model_is_exported_with_a_split_of_its_own(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    foreign = ForeignModel(tiny.path / "model.keras", tmp_path / "labels.txt", "crop")
    report = export_run(ExportRequest(foreign=foreign, data=tiny.data, out=tmp_path / "out", name="theirs"))
    manifest = open_bundle(report.folder / "int8.bundle").manifest
    assert Classifier.open(report.folder / "int8.bundle").replay_golden().passed
    assert manifest.provenance["split"].startswith("calibration, validation and test pictures were split from")
    assert any("may be too good" in note for note in report.notes)
    rows = read_split(report.folder / "split.csv")
    assert {row.split for row in rows} == {"train", "validation", "test"}
    used = {line.split(",")[0] for line in (report.folder / "calibration.csv").read_text().splitlines()[1:]}
    assert used <= {row.file for row in rows if row.split == "train"}


def test_labels_of_a_plain_model_in_another_order_stop_the_export(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("green\nred\nblue\n")
    foreign = ForeignModel(tiny.path / "model.keras", tmp_path / "labels.txt", "crop")
    with pytest.raises(ExportError, match="The order that fits the folders is: blue, green, red"):
        export_run(ExportRequest(foreign=foreign, data=tiny.data, out=tmp_path / "out", name="theirs"))


def test_a_plain_model_that_was_trained_on_bgr_pictures_is_doubted_aloud(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    model = tiny.build()
    model.set_weights(tiny.model.get_weights())
    (kernel,) = model.layers[2].get_weights()
    model.layers[2].set_weights([kernel[:, :, ::-1]])
    tiny.save(model, tmp_path / "bgr.keras")
    foreign = ForeignModel(tmp_path / "bgr.keras", tmp_path / "labels.txt", "crop")
    report = export_run(
        ExportRequest(foreign=foreign, data=tiny.data, out=tmp_path / "out", variants=parse_variants(["float32"]))
    )
    assert any(line.startswith("WARNING: ") and "BGR" in line for line in describe_export(report))
    assert "BGR" in json.loads((report.folder / "drift.json").read_text())["trained"]["doubt"]


def test_the_files_beside_the_bundles_say_what_the_report_says(exported: ExportReport) -> None:
    record = json.loads((exported.folder / "drift.json").read_text())
    assert (record["schema_version"], record["n"], record["trained"]["top1"]) == (1, 30, exported.trained.top1)
    assert [variant["verdict"] for variant in record["variants"]] == ["pass", "inconclusive"]
    suites = ElementTree.parse(exported.folder / "drift.junit.xml").getroot()
    assert [suite.get("name") for suite in suites] == ["colours float32", "colours int8"]
    assert "inconclusive" in (exported.folder / "report.html").read_text()


def test_zoom_gives_every_bundle_its_feature_map(tiny: Any, tmp_path: Path) -> None:
    request = ExportRequest(
        run=tiny.path, out=tmp_path, version="1.0.0", variants=parse_variants(["int8", "onnx-float32"]), zoom=True
    )
    report = export_run(request)
    for name in ("int8", "onnx-float32"):
        bundle = open_bundle(report.folder / f"{name}.bundle")
        assert bundle.manifest.schema_version == 2
        assert bundle.manifest.output.feature_map is not None
        classifier = Classifier.open(bundle)
        classifier.check_zoom()
        assert classifier.replay_golden().passed
        assert classifier.look_twice(read_image(tiny.data / "red" / "test-1.png")).top[0].label == "red"
