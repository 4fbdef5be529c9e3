"""The manifest: written bytes, read back, and every field that can be wrong."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailcam_core.bundle.manifest import manifest_to_bytes, parse_manifest
from trailcam_core.errors import BundleError
from trailcam_core.records import canonical_json, encode
from trailcam_core.spec import (
    FITS,
    REJECT_SCORES,
    SCHEMES,
    Drift,
    FieldFigures,
    FieldRow,
    Gate,
    GoldenEntry,
    InputSpec,
    Manifest,
    Metrics,
    ModelEntry,
    OutputSpec,
    Rate,
    RejectRule,
)

MANIFEST = Manifest(
    name="two-animals",
    version="1.0.0",
    model=ModelEntry("model.tflite", "a" * 64, 12_345, "tflite", "int8"),
    golden=GoldenEntry("golden.npz", "b" * 64, 6_789, 0.25),
    input=InputSpec(128, 96, "crop"),
    output=OutputSpec(("cat", "roe deer"), 1.5, RejectRule("energy", 3.25, 0.95, 200, None, 0)),
    metrics=Metrics(400, 0.96, 0.94, 0.98, (0.95, 0.97)),
    drift=Drift(400, -0.005, 0.99),
    provenance={"run": "runs/one"},
)

GOLDEN_BYTES = (
    b'{"drift":{"n":400,"top1_agreement":0.99,"top1_delta":-0.005},'
    b'"golden":{"file":"golden.npz","sha256":"' + b"b" * 64 + b'","size_bytes":6789,"tolerance":0.25},'
    b'"input":{"colour":"RGB","dtype":"uint8","fit":"crop","height":128,"layout":"NHWC",'
    b'"resize":"halve_then_bilinear","width":96},'
    b'"metrics":{"n":400,"recall":[0.95,0.97],"top1":0.96,"top1_high":0.98,"top1_low":0.94},'
    b'"model":{"file":"model.tflite","format":"tflite","scheme":"int8","sha256":"' + b"a" * 64 + b'",'
    b'"size_bytes":12345},"name":"two-animals",'
    b'"output":{"kind":"logits","labels":["cat","roe deer"],"reject":{"animals_kept":0.95,"n_animals":200,'
    b'"n_others":0,"others_rejected":null,"score":"energy","threshold":3.25},"temperature":1.5},'
    b'"provenance":{"run":"runs/one"},"schema_version":1,"version":"1.0.0"}\n'
)


def _changed(path: str, value: Any) -> bytes:
    """Return a manifest with one field, named with dots, set to ``value``; ``...`` removes it."""
    fields = json.loads(GOLDEN_BYTES)
    *parents, last = path.split(".")
    place = fields
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return canonical_json(fields)


def test_the_bytes_of_a_manifest_are_these() -> None:
    assert manifest_to_bytes(MANIFEST) == GOLDEN_BYTES


def test_a_manifest_reads_back_equal() -> None:
    assert parse_manifest(GOLDEN_BYTES) == MANIFEST


def test_whole_numbers_are_written_as_the_reader_wants_them() -> None:
    whole = replace(MANIFEST, output=replace(MANIFEST.output, temperature=1), drift=Drift(5, 0, 1))
    assert parse_manifest(manifest_to_bytes(whole)).output.temperature == 1.0
    assert b'"temperature":1.0' in manifest_to_bytes(whole)


def test_optional_parts_are_null() -> None:
    bare = replace(MANIFEST, metrics=None, drift=None, provenance={}, output=replace(MANIFEST.output, reject=None))
    assert parse_manifest(manifest_to_bytes(bare)) == bare


_SHARES = st.floats(0, 1)
_MANIFESTS = st.builds(
    Manifest,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
    version=st.from_regex(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-rc1)?", fullmatch=True),
    model=st.builds(
        ModelEntry,
        st.just("model.tflite"),
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
        st.integers(1, 10**9),
        st.just("tflite"),
        st.sampled_from(SCHEMES),
    ),
    golden=st.just(MANIFEST.golden),
    input=st.builds(InputSpec, st.integers(32, 1024), st.integers(32, 1024), st.sampled_from(FITS)),
    output=st.builds(
        OutputSpec,
        st.just(("cat", "Reh", "鹿")),
        st.floats(0.01, 100),
        st.none()
        | st.builds(
            RejectRule,
            st.sampled_from(REJECT_SCORES),
            st.floats(-1e9, 1e9),
            _SHARES,
            st.integers(0, 10**9),
            st.none() | _SHARES,
            st.integers(0, 10**9),
        ),
    ),
    metrics=st.none() | st.just(Metrics(1, 0.5, 0.25, 0.75, (0.0, 0.5, 1.0))),
    drift=st.none() | st.builds(Drift, st.integers(1, 10**9), st.floats(-1, 1), _SHARES),
    provenance=st.dictionaries(st.text("abc_", max_size=5), st.text("aä鹿 ", max_size=20), max_size=3),
)


@settings(max_examples=15)
@given(_MANIFESTS)
def test_every_valid_manifest_reads_back_equal_and_has_one_form(manifest: Manifest) -> None:
    content = manifest_to_bytes(manifest)
    assert parse_manifest(content) == manifest
    assert manifest_to_bytes(parse_manifest(content)) == content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema_version", 3, "schema_version is 3, this Trailcam reads 1 to 2. Update Trailcam"),
        ("schema_version", 2, "schema_version is 2, expected 1, without output.blank_labels"),
        ("schema_version", 0, "schema_version is 0, this Trailcam reads 1 to 2. Export the bundle again"),
        ("schema_version", True, "schema_version is true"),
        ("schema_version", "1", "schema_version is '1'"),
        ("name", "Two Animals", "name is 'Two Animals', expected 1 to 64 of a-z"),
        ("name", "../evil", "name is '../evil'"),
        ("version", "1.0", "version is '1.0', expected a version such as 1.0.0"),
        ("version", "1.0.0\n", r"version is '1.0.0\n'"),
        ("model.file", "other.tflite", "model.file is 'other.tflite', expected model.tflite"),
        ("model.sha256", "A" * 64, "model.sha256 is 'AAAA"),
        ("model.size_bytes", 0, "model.size_bytes is 0, expected 1 to 2,000,000,000"),
        ("model.size_bytes", 12_345.0, "model.size_bytes is 12345.0, expected a whole number"),
        ("model.format", "pb", "model.format is 'pb', expected one of tflite, onnx"),
        ("model.scheme", "int4", "model.scheme is 'int4', expected one of float32, float16"),
        ("golden.file", "model.tflite", "golden.file is 'model.tflite', expected golden.npz"),
        ("golden.size_bytes", 64_000_001, "golden.size_bytes is 64000001, expected 1 to 64,000,000"),
        ("golden.tolerance", -0.1, "golden.tolerance is -0.1, expected 0 to 1000"),
        ("golden.tolerance", True, "golden.tolerance is true, expected a number"),
        ("input.height", 31, "input.height is 31, expected 32 to 1,024"),
        ("input.width", 1025, "input.width is 1025, expected 32 to 1,024"),
        ("input.fit", "squash", "input.fit is 'squash', expected one of crop, letterbox, stretch"),
        ("input.colour", "BGR", "input.colour is 'BGR', expected one of RGB"),
        ("input.layout", "NCHW", "input.layout is 'NCHW'"),
        ("input.dtype", "float32", "input.dtype is 'float32'"),
        ("input.resize", "bilinear", "input.resize is 'bilinear', expected one of halve_then_bilinear"),
        ("output.labels", [], "output.labels is a list of 0"),
        ("output.labels", ["cat", "cat"], "output.labels[1] is 'cat', expected a name that is not in the list before"),
        ("output.labels", "cat", "output.labels is 'cat', expected a list"),
        ("output.temperature", 0, "output.temperature is 0.0, expected 0.01 to 100"),
        ("output.kind", "probabilities", "output.kind is 'probabilities', expected one of logits"),
        ("output.reject.score", "magic", "output.reject.score is 'magic', expected one of max_logit, energy"),
        ("output.reject.threshold", 1e10, "output.reject.threshold is 10000000000.0"),
        ("output.reject.animals_kept", 1.01, "output.reject.animals_kept is 1.01, expected 0 to 1"),
        ("output.reject.n_others", -1, "output.reject.n_others is -1"),
        ("metrics.n", 0, "metrics.n is 0, expected 1 to"),
        ("metrics.recall", [0.5], "metrics.recall is a list of 1, expected a list of 2 numbers"),
        ("metrics.top1", 0.5, "metrics.top1 is 0.5, expected 0.94 to 0.98, its own interval"),
        ("metrics.top1", 0.939, "metrics.top1 is 0.939, expected 0.94 to 0.98, its own interval"),
        ("metrics.top1", 0.981, "metrics.top1 is 0.981, expected 0.94 to 0.98, its own interval"),
        ("drift.top1_delta", -1.5, "drift.top1_delta is -1.5, expected -1 to 1"),
        ("provenance", [], "provenance is a list of 0, expected a table"),
        ("provenance.run", 5, "provenance.run is 5, expected text in quotes"),
        ("provenance.run", "a\nb", r"provenance.run is 'a\nb', expected printable text"),
        ("output", ..., "output is missing, expected a table"),
        ("metrics", ..., "metrics is missing, expected a table"),
        ("output.reject.others_rejected", ..., "output.reject.others_rejected is missing"),
        (
            "input.mean",
            127,
            "resize. It may come from a newer Trailcam",
        ),
        ("trust_me", True, "unknown key 'trust_me'"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(path: str, value: Any, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(_changed(path, value))
    assert str(caught.value).startswith("manifest.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("path", ["model.file", "golden.file"])
@pytest.mark.parametrize(
    "name", ["../model.tflite", "/etc/passwd", "a/b", "a\\b", "model.tflite\0", ".", "..", ".hidden", "", "x" * 65, "ü"]
)
def test_a_path_instead_of_a_plain_name_is_refused(path: str, name: str) -> None:
    with pytest.raises(BundleError, match="expected a plain file name without a folder"):
        parse_manifest(_changed(path, name))


@pytest.mark.parametrize(
    "content",
    [
        GOLDEN_BYTES.rstrip(),
        GOLDEN_BYTES + b"\n",
        GOLDEN_BYTES.replace(b'":{', b'": {', 1),
        GOLDEN_BYTES.replace(b'"temperature":1.5', b'"temperature":1.50'),
        GOLDEN_BYTES.replace(b"0.99", b"99e-2"),
        GOLDEN_BYTES.replace(b"cat", b"c\\u0061t"),
        GOLDEN_BYTES.replace(b'"animals_kept":0.95,', b"").replace(b'"energy",', b'"energy","animals_kept":0.95,'),
        GOLDEN_BYTES.replace(b"3.25", b"3"),
    ],
)
def test_the_same_content_in_another_form_is_refused(content: bytes) -> None:
    assert content != GOLDEN_BYTES
    with pytest.raises(BundleError, match="not in canonical form"):
        parse_manifest(content)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (replace(MANIFEST, name="Not A Name"), "name is 'Not A Name'"),
        (replace(MANIFEST, drift=Drift(5, float("nan"), 1.0)), "number or text that JSON cannot"),
        (replace(MANIFEST, provenance={"a": "\ud800"}), "number or text that JSON cannot"),
        (replace(MANIFEST, output=OutputSpec(("cat", "cat"), 1.0, None)), r"output.labels\[1\] is 'cat'"),
        (replace(MANIFEST, schema_version=2), "schema_version is 2"),
    ],
)
def test_what_could_not_be_read_is_not_written(broken: Manifest, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        manifest_to_bytes(broken)


def test_the_dataclasses_and_the_bytes_name_the_same_fields() -> None:
    fields = json.loads(json.dumps(encode(MANIFEST)))
    assert (fields["model"].pop("runtime_min"), fields["drift"].pop("gate")) == (None, None)
    assert (fields["output"].pop("blank_labels"), fields["output"].pop("unknown_labels")) == ([], [])
    assert (fields["output"].pop("feature_map"), fields.pop("field")) == (None, None)
    assert json.loads(GOLDEN_BYTES) == fields


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
        parse_manifest(_changed(path, value))
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
