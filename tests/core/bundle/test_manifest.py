"""The manifest: written bytes, read back, and every field that can be wrong."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.bundle.manifests import GOLDEN_BYTES, MANIFEST, changed

from trailcam_core.bundle.manifest import manifest_to_bytes, parse_manifest
from trailcam_core.errors import BundleError
from trailcam_core.records import encode
from trailcam_core.spec import (
    FITS,
    REJECT_SCORES,
    SCHEMES,
    Drift,
    InputSpec,
    Manifest,
    Metrics,
    ModelEntry,
    OutputSpec,
    RejectRule,
)


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
        parse_manifest(changed(path, value))
    assert str(caught.value).startswith("manifest.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("path", ["model.file", "golden.file"])
@pytest.mark.parametrize(
    "name", ["../model.tflite", "/etc/passwd", "a/b", "a\\b", "model.tflite\0", ".", "..", ".hidden", "", "x" * 65, "ü"]
)
def test_a_path_instead_of_a_plain_name_is_refused(path: str, name: str) -> None:
    with pytest.raises(BundleError, match=r"expected a plain file name without a folder|expected text without a null"):
        parse_manifest(changed(path, name))


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
