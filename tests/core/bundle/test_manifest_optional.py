"""Optional parts of a manifest: labels that are never an answer, ONNX, field figures."""

from dataclasses import replace

import pytest
from tests.core.bundle.manifests import GOLDEN_BYTES, MANIFEST, changed

from trailcam_core.bundle.manifest import manifest_to_bytes, parse_manifest
from trailcam_core.errors import BundleError
from trailcam_core.spec import (
    FieldFigures,
    FieldRow,
    Gate,
    OutputSpec,
    Rate,
)


def test_optional_keys_stand_in_the_file_only_when_they_say_something() -> None:
    assert b"runtime_min" not in GOLDEN_BYTES
    assert b"gate" not in GOLDEN_BYTES
    stated = replace(
        MANIFEST,
        model=replace(MANIFEST.model, runtime_min={"litert": "1.0", "tflite_runtime": None}),
        drift=replace(MANIFEST.drift, gate=Gate("mlperf-99", "inconclusive")),
    )
    content = manifest_to_bytes(stated)
    assert b'"gate":{"preset":"mlperf-99","verdict":"inconclusive"}' in content
    assert b'"runtime_min":{"litert":"1.0","tflite_runtime":null}' in content
    assert parse_manifest(content) == stated


def test_labels_that_are_never_an_answer_need_the_second_schema_version() -> None:
    output = OutputSpec(("cat", "nothing", "other animal"), 1.5, None, "logits", ("nothing",), ("other animal",))
    stated = replace(MANIFEST, output=output, metrics=None, schema_version=2)
    content = manifest_to_bytes(stated)
    assert b'"blank_labels":["nothing"]' in content
    assert b'"unknown_labels":["other animal"]' in content
    assert parse_manifest(content) == stated
    assert stated.output.known_ids == (0,)
    with pytest.raises(BundleError, match=r"schema_version is 1, expected 2, with output\.blank_labels"):
        manifest_to_bytes(replace(stated, schema_version=1))


@pytest.mark.parametrize(
    ("blank", "unknown", "message"),
    [
        (("empty",), (), r"output.blank_labels\[0\] is 'empty', expected one of output.labels"),
        (("cat",), ("cat",), r"output.unknown_labels\[0\] is 'cat', expected a name that is in blank_labels or"),
        (("cat",), ("roe deer",), "at least one label that can be an answer"),
    ],
)
def test_labels_that_are_never_an_answer_are_labels_and_leave_one(
    blank: tuple[str, ...], unknown: tuple[str, ...], message: str
) -> None:
    output = OutputSpec(("cat", "roe deer"), 1.5, None, "logits", blank, unknown)
    with pytest.raises(BundleError, match=message):
        manifest_to_bytes(replace(MANIFEST, output=output, schema_version=2))


def test_an_onnx_model_is_read() -> None:
    entry = replace(MANIFEST.model, file="model.onnx", format="onnx", runtime_min={"onnxruntime": "1.17"})
    assert parse_manifest(manifest_to_bytes(replace(MANIFEST, model=entry))).model == entry


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.runtime_min", None, "not in canonical form"),
        ("model.runtime_min", {}, "model.runtime_min is '', expected litert and tflite_runtime"),
        ("model.runtime_min", {"litert": "1.0"}, "model.runtime_min is 'litert', expected litert and tflite_runtime"),
        ("model.runtime_min", {"litert": "new", "tflite_runtime": None}, "litert is 'new', expected a version"),
        ("model.runtime_min", {"litert": 1.0, "tflite_runtime": None}, "litert is 1.0, expected a version"),
        (
            "model.runtime_min",
            {"litert": "1.0", "tflite_runtime": None, "onnxruntime": "1.17"},
            "model.runtime_min is 'litert, onnxruntime, tflite_runtime', expected litert and tflite_runtime, each",
        ),
        ("drift.gate", None, "not in canonical form"),
        ("drift.gate", {"preset": "strict", "verdict": "maybe"}, "verdict is 'maybe', expected one of pass, fail"),
        ("drift.gate", {"preset": "Mine!", "verdict": "pass"}, "preset is 'Mine!', expected 1 to 64 of"),
        ("drift.gate", {"verdict": "pass"}, "drift.gate.preset is missing"),
        ("model.format", "onnx", "model.file is 'model.tflite', expected model.onnx"),
        ("model.scheme", "int4", "expected one of float32, float16, dynamic_int8, int8, mixed_int8, int16x8"),
    ],
)
def test_an_optional_key_is_read_as_strictly_as_the_others(path: str, value: object, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(changed(path, value))
    assert message in str(caught.value)


def test_a_scheme_that_the_format_does_not_have_is_refused() -> None:
    entry = replace(MANIFEST.model, file="model.onnx", format="onnx", scheme="int16x8")
    with pytest.raises(BundleError, match="scheme is 'int16x8', expected one of float32, float16, int8"):
        manifest_to_bytes(replace(MANIFEST, model=entry))


def test_field_figures_are_read_back_and_need_schema_version_2() -> None:
    row = FieldRow("0.25, wind", "clips", 16, 16, Rate(0.8, 0.6, 0.9, 16.0), Rate(0.0, None, None, 16.0))
    stated = replace(MANIFEST, field_figures=FieldFigures((row,), Rate(0.5, 0.0, 2.0, 1.5)), schema_version=2)
    content = manifest_to_bytes(stated)
    assert parse_manifest(content).field_figures == stated.field_figures
    with pytest.raises(BundleError, match="schema_version is 1"):
        manifest_to_bytes(replace(stated, schema_version=1))
    with pytest.raises(BundleError, match=r"field\.rows"):
        manifest_to_bytes(replace(stated, field_figures=FieldFigures(())))
    with pytest.raises(BundleError, match=r"field\.rows\[0\]\.unit"):
        parse_manifest(content.replace(b'"clips"', b'"frogs"'))
