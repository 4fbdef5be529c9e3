"""Folders that are no bundles, and bundles whose files are not what they seem."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.bundle import folder as bundle_module
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import BundleError


def _link(name: str, target: str) -> Callable[[Path], Any]:
    """Put a link in the place of a file; ``target`` may stand outside the bundle."""

    def attack(bundle: Path) -> None:
        outside = bundle.parent / "outside"
        shutil.copy(bundle / name, outside)
        (bundle / name).unlink()
        (bundle / name).symlink_to(target.format(outside=outside))

    return attack


def _pipe(name: str) -> Callable[[Path], Any]:
    def attack(bundle: Path) -> None:
        (bundle / name).unlink()
        os.mkfifo(bundle / name)

    return attack


def _folder(name: str) -> Callable[[Path], Any]:
    def attack(bundle: Path) -> None:
        (bundle / name).unlink()
        (bundle / name).mkdir()

    return attack


def _append(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda bundle: (bundle / name).write_bytes((bundle / name).read_bytes() + content)


def _flip(name: str) -> Callable[[Path], Any]:
    def attack(bundle: Path) -> None:
        content = bytearray((bundle / name).read_bytes())
        content[len(content) // 2] ^= 1
        (bundle / name).write_bytes(content)

    return attack


ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no manifest": (lambda it: (it / "manifest.json").unlink(), "has no manifest.json, so it is not a bundle"),
    "no model": (lambda it: (it / "model.tflite").unlink(), "model.tflite: missing, though the manifest names it"),
    "no golden vectors": (lambda it: (it / "golden.npz").unlink(), "golden.npz: missing"),
    "the model cut off": (
        lambda it: os.truncate(it / "model.tflite", 1_000),
        "model.tflite: 1,000 bytes, the manifest has 2,680. It was cut off or changed",
    ),
    "the model emptied": (lambda it: os.truncate(it / "model.tflite", 0), "model.tflite: 0 bytes"),
    "bytes after the model": (_append("model.tflite", b"evil"), "model.tflite: 2,684 bytes, the manifest has 2,680"),
    "one bit of the model": (_flip("model.tflite"), "model.tflite: its SHA-256 is"),
    "one bit of the golden vectors": (_flip("golden.npz"), "golden.npz: its SHA-256 is"),
    "a foreign file": (
        lambda it: (it / "run.sh").write_text("rm -rf /"),
        "holds 'run.sh', which the manifest does not",
    ),
    "a hidden file": (lambda it: (it / ".hidden").write_text(""), "holds '.hidden'"),
    "a folder": (lambda it: (it / "sub").mkdir(), "holds 'sub'"),
    "a second model": (lambda it: (it / "model.onnx").write_text(""), "holds 'model.onnx'"),
    "the model a link": (_link("model.tflite", "{outside}"), "model.tflite: a link or special file"),
    "the manifest a link": (_link("manifest.json", "{outside}"), "manifest.json: a link or special file"),
    "the golden vectors a link inside": (_link("golden.npz", "model.tflite"), "golden.npz: a link or special file"),
    "a link to nothing": (_link("golden.npz", "/nowhere"), "golden.npz: a link or special file"),
    "the manifest a link to nothing": (_link("manifest.json", "/nowhere"), "manifest.json: a link or special file"),
    "a link to itself": (_link("model.tflite", "model.tflite"), "model.tflite: a link or special file"),
    "a pipe for the model": (_pipe("model.tflite"), "model.tflite: a link or special file"),
    "a pipe for the manifest": (_pipe("manifest.json"), "manifest.json: a link or special file"),
    "a folder for the manifest": (_folder("manifest.json"), "manifest.json: a link or special file"),
    "a folder for the model": (_folder("model.tflite"), "model.tflite: a link or special file"),
    "a manifest of a gigabyte": (
        lambda it: os.truncate(it / "manifest.json", 10**9),
        "1,000,000,000 bytes, expected at most 8,000,000. It was not read",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_tampered_folder_is_refused_with_its_own_message(tiny_bundle: Path, name: str) -> None:
    attack, message = ATTACKS[name]
    attack(tiny_bundle)
    with pytest.raises(BundleError) as caught:
        open_bundle(tiny_bundle)
    assert message in str(caught.value)
    assert str(tiny_bundle) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.keras", 'a Keras model, expected a bundle folder. Convert its run with "trailcam export RUN"'),
        ("model.h5", "a Keras model"),
        ("model.tflite", "a bare model file, expected a bundle folder. Use"),
        ("model.onnx", "a bare model file"),
        ("animals.bundle", "a file, expected a bundle folder with manifest.json in it"),
        ("bundle.zip", "a file, expected a bundle folder"),
    ],
)
def test_a_file_is_no_bundle(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(BundleError) as caught:
        open_bundle(tmp_path / name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.bundle", 'no such bundle. Make one with "trailcam export RUN"'),
        ("a\0b", "no such bundle"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_is_not_there_is_no_bundle(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        open_bundle(tmp_path / name)


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no manifest\.json, so it is not a bundle"):
        open_bundle(tmp_path)


def test_a_disk_that_fails_while_it_is_read_is_our_error(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> str:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(bundle_module, "file_sha256", fail)
    with pytest.raises(BundleError, match=r"model\.tflite: cannot be read \(Input/output error\)"):
        open_bundle(tiny_bundle)
