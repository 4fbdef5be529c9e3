"""Hostile manifests in an otherwise valid bundle: each refused with its own message before a model is touched."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError
from trailcam_core.records import canonical_json

Attack = Callable[[bytes], bytes]


def _edit(change: Callable[[dict[str, Any]], Any]) -> Attack:
    """Return an attack that changes fields and keeps the canonical form."""

    def attack(content: bytes) -> bytes:
        fields = json.loads(content)
        change(fields)
        return canonical_json(fields)

    return attack


def _swap(old: bytes, new: bytes) -> Attack:
    """Return an attack on the bytes."""

    def attack(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return attack


def _path(part: str, name: str) -> Attack:
    return _edit(lambda fields: fields[part].update(file=name))


_PLAIN_NAME = "expected a plain file name without a folder"

ATTACKS: dict[str, tuple[Attack, str]] = {
    "empty file": (lambda content: b"", "not JSON at line 1 column 1"),
    "cut off": (lambda content: content[:-20], "not JSON at line 1"),
    "not UTF-8": (_swap(b"tiny", b"t\xff\xfe"), "is not UTF-8"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), "is not UTF-8"),
    "byte order mark": (lambda content: b"\xef\xbb\xbf" + content, "BOM"),
    "binary": (lambda content: bytes(1_000), "not JSON"),
    "a list": (lambda content: b"[" + content.strip() + b"]\n", "holds a list of 1, expected an object in braces"),
    "two objects": (lambda content: content + content, "not JSON at line 2 column 1: Extra data"),
    "huge": (lambda content: content + b" " * 9_000_000, "expected at most 8,000,000. It was not read"),
    "deep lists": (lambda content: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
    "deep objects": (lambda content: b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n", "nested too deeply"),
    "nested at the stack's edge": (
        _swap(b'"name":"tiny"', b'"name":' + b"[" * 900 + b"]" * 900),
        "expected 1 to 64 of a-z",
    ),
    "a number of 100,000 digits": (
        _swap(b'"schema_version":1', b'"schema_version":' + b"1" * 100_000),
        "has a whole number of more than 4,300 digits",
    ),
    "a key twice": (_swap(b'"name":"tiny"', b'"name":"tiny","name":"evil"'), "the key 'name' occurs twice"),
    "a nested key twice": (_swap(b'"fit":"crop"', b'"fit":"crop","fit":"stretch"'), "the key 'fit' occurs twice"),
    "an unknown key": (_edit(lambda fields: fields.update(run_as_root=True)), "unknown key 'run_as_root'"),
    "an unknown nested key": (_edit(lambda fields: fields["model"].update(url="x")), "unknown key 'model.url'"),
    "a missing key": (_edit(lambda fields: fields.pop("golden")), "golden is missing"),
    "a newer schema": (_edit(lambda fields: fields.update(schema_version=3)), "Update Trailcam on this machine"),
    "a newer schema with new keys": (
        _edit(lambda fields: fields.update(schema_version=3, shards=[])),
        "schema_version is 3, this Trailcam reads 1 to 2",
    ),
    "an older schema": (_edit(lambda fields: fields.update(schema_version=0)), "Export the bundle again"),
    "NaN": (_swap(b'"tolerance":0.2', b'"tolerance":NaN'), "NaN is not a JSON number"),
    "Infinity": (_swap(b'"temperature":1.0', b'"temperature":Infinity'), "Infinity is not a JSON number"),
    "1e999": (_swap(b'"tolerance":0.2', b'"tolerance":1e999'), "golden.tolerance is inf, expected 0 to 1000"),
    "-1e999": (_swap(b'"temperature":1.0', b'"temperature":-1e999'), "output.temperature is -inf"),
    "a boolean for an integer": (
        _edit(lambda fields: fields["input"].update(height=True)),
        "input.height is true, expected a whole number",
    ),
    "a boolean for a number": (
        _edit(lambda fields: fields["golden"].update(tolerance=False)),
        "golden.tolerance is false, expected a number",
    ),
    "a boolean for the schema": (
        _edit(lambda fields: fields.update(schema_version=True)),
        "schema_version is true, this Trailcam reads 1 to 2",
    ),
    "a number as text": (_edit(lambda fields: fields["input"].update(height="32")), "input.height is '32'"),
    "a fraction for an integer": (_edit(lambda fields: fields["input"].update(height=32.0)), "input.height is 32.0"),
    "no pixel": (_edit(lambda fields: fields["input"].update(height=0)), "input.height is 0, expected 32 to 1,024"),
    "too many pixels": (_edit(lambda fields: fields["input"].update(width=10**6)), "input.width is 1000000"),
    "a negative size": (_edit(lambda fields: fields["model"].update(size_bytes=-1)), "model.size_bytes is -1"),
    "null for an object": (_edit(lambda fields: fields.update(model=None)), "model is null, expected a table"),
    "no labels": (_edit(lambda fields: fields["output"].update(labels=[])), "output.labels is a list of 0"),
    "labels twice": (
        _edit(lambda fields: fields["output"].update(labels=["red", "green", "red", "grey"])),
        "output.labels[2] is 'red', expected a name that is not in the list before",
    ),
    "a label that steers the terminal": (
        _edit(lambda fields: fields["output"].update(labels=["\x1b[2J", "green", "blue", "grey"])),
        r"output.labels[0] is '\x1b[2J', expected a printable name",
    ),
    "half a surrogate pair": (_swap(b'"made_by":"tests"', b'"made_by":"\\ud800"'), r"provenance.made_by is '\ud800'"),
    "too many labels": (
        _edit(lambda fields: fields["output"].update(labels=[str(number) for number in range(100_001)])),
        "output.labels is a list of 100,001",
    ),
    "provenance without end": (
        _edit(lambda fields: fields["provenance"].update({str(number): "" for number in range(200)})),
        "provenance is a table of 201, expected at most 100 keys",
    ),
    "indented": (lambda content: json.dumps(json.loads(content), indent=1).encode(), "not in canonical form"),
    "unsorted": (_swap(b'"name":"tiny",', b""), "name is missing"),
    "no newline at the end": (lambda content: content.rstrip(), "not in canonical form"),
    "escaped letters": (_swap(b'"tiny"', b'"t\\u0069ny"'), "not in canonical form"),
    "a folder above": (_path("model", "../model.tflite"), _PLAIN_NAME),
    "an absolute path": (_path("model", "/etc/passwd"), _PLAIN_NAME),
    "a folder below": (_path("golden", "sub/golden.npz"), _PLAIN_NAME),
    "a backslash": (_path("model", "..\\model.tflite"), _PLAIN_NAME),
    "a drive": (_path("model", "C:model.tflite"), _PLAIN_NAME),
    "a NUL": (_path("model", "model.tflite\0.txt"), "expected text without a null character"),
    "a line break": (_path("model", "model.tflite\n"), _PLAIN_NAME),
    "a dot": (_path("golden", "."), _PLAIN_NAME),
    "two dots": (_path("golden", ".."), _PLAIN_NAME),
    "a hidden file": (_path("model", ".model.tflite"), _PLAIN_NAME),
    "the manifest as the model": (
        _path("model", "manifest.json"),
        "model.file is 'manifest.json', expected model.tflite",
    ),
    "the model as the golden vectors": (_path("golden", "model.tflite"), "expected golden.npz"),
    "another digest": (
        _edit(lambda fields: fields["model"].update(sha256="0" * 64)),
        "its SHA-256 is",
    ),
    "another digest of the golden vectors": (
        _edit(lambda fields: fields["golden"].update(sha256="f" * 64)),
        "golden.npz: its SHA-256 is",
    ),
    "a digest in capitals": (
        _edit(lambda fields: fields["model"].update(sha256=fields["model"]["sha256"].upper())),
        "expected 64 hexadecimal digits",
    ),
    "another size": (_edit(lambda fields: fields["model"].update(size_bytes=5)), "bytes, the manifest has 5"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_manifest_is_refused_with_its_own_message(tiny_bundle: Path, name: str) -> None:
    attack, message = ATTACKS[name]
    manifest = tiny_bundle / "manifest.json"
    before = manifest.read_bytes()
    manifest.write_bytes(attack(before))
    assert manifest.read_bytes() != before
    with pytest.raises(BundleError) as caught:
        open_bundle(tiny_bundle)
    said = str(caught.value)
    assert message in said
    assert str(tiny_bundle) in said
    assert said.isprintable()
    assert len(said) < 600


LATER: dict[str, tuple[Attack, str]] = {
    "a label less than the model has": (
        _edit(lambda fields: fields["output"].update(labels=["red", "green", "blue"])),
        "the model gives 4 scores, the manifest lists 3 labels",
    ),
    "a label more than the model has": (
        _edit(lambda fields: fields["output"].update(labels=["red", "green", "blue", "grey", "black"])),
        "the model gives 4 scores, the manifest lists 5 labels",
    ),
    "another input size than the model has": (
        _edit(lambda fields: fields["input"].update(height=64)),
        "the model's input is (32, 32) px, the manifest has (64, 32)",
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_a_manifest_that_disagrees_with_its_model_is_refused_when_it_is_loaded(tiny_bundle: Path, name: str) -> None:
    attack, message = LATER[name]
    manifest = tiny_bundle / "manifest.json"
    manifest.write_bytes(attack(manifest.read_bytes()))
    with pytest.raises(BundleError) as caught:
        Classifier.open(tiny_bundle)
    assert message in str(caught.value)


def test_the_bundle_is_valid_without_an_attack(tiny_bundle: Path) -> None:
    assert Classifier.open(tiny_bundle).replay_golden().passed
