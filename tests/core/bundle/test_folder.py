"""Bundles on disk; ``attacks/`` has the hostile ones."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.bundle.folder import Bundle, describe_file, open_bundle, write_bundle
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes
from trailcam_core.bundle.golden_replay import check_model
from trailcam_core.errors import BundleError
from trailcam_core.files.digest import file_sha256
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import InputSpec, OutputSpec

WriteBundle = Callable[..., Bundle]


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_bundle_opens_with_what_was_written(tiny_bundle: Path, models: Path, golden: GoldenVectors) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.path == tiny_bundle
    assert bundle.manifest.name == "tiny"
    assert bundle.model_path.read_bytes() == (models / "uint8_logits.tflite").read_bytes()
    assert np.array_equal(bundle.read_golden().logits, golden.logits)
    assert _entries(tiny_bundle) == ["golden.npz", "manifest.json", "model.tflite"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, write_tiny_bundle: WriteBundle) -> None:
    one, two = write_tiny_bundle(tmp_path / "one.bundle").path, write_tiny_bundle(tmp_path / "two.bundle").path
    for name in _entries(one):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_bundle_may_be_reached_over_a_link_to_its_folder(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tiny_bundle.name)
    assert open_bundle(tmp_path / "current").manifest.name == "tiny"


def test_a_bundle_is_never_written_over_another(tiny_bundle: Path, write_tiny_bundle: WriteBundle) -> None:
    before = (tiny_bundle / "manifest.json").read_bytes()
    with pytest.raises(FileExistsError):
        write_tiny_bundle(tiny_bundle, name="other")
    assert (tiny_bundle / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "No Name"}, "name is 'No Name'"),
        ({"output": OutputSpec(("red", "green", "blue"), 1.0, None)}, r"logits is \(6, 4\) float32, expected \(6, 3\)"),
        ({"input": InputSpec(64, 32, "crop")}, r"images is \(6, 32, 32, 3\) uint8, expected \(6, 64, 32, 3\)"),
    ],
)
def test_a_bundle_that_could_not_be_read_never_appears(
    tmp_path: Path, write_tiny_bundle: WriteBundle, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        write_tiny_bundle(tmp_path / "bad.bundle", **changes)
    assert _entries(tmp_path) == []


def test_a_manifest_of_another_model_is_not_written(tiny_bundle: Path, tmp_path: Path, models: Path) -> None:
    manifest = open_bundle(tiny_bundle).manifest
    golden = (tiny_bundle / "golden.npz").read_bytes()
    with pytest.raises(BundleError, match="the manifest has"):
        write_bundle(tmp_path / "bad.bundle", manifest, models / "bgr.tflite", golden)
    assert _entries(tmp_path) == ["tiny.bundle"]


def test_a_full_disk_leaves_no_bundle(
    tmp_path: Path, write_tiny_bundle: WriteBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_tiny_bundle(tmp_path / "tiny.bundle")
    assert _entries(tmp_path) == []


def test_a_model_whose_tensors_disagree_with_the_manifest_is_refused(tiny_bundle: Path, models: Path) -> None:
    manifest = open_bundle(tiny_bundle).manifest
    model = TFLiteModel(models / "uint8_logits.tflite")
    check_model(model, manifest, "m")
    larger = replace(manifest, input=replace(manifest.input, height=64))
    with pytest.raises(BundleError, match=r"m: the model's input is \(32, 32\) px, the manifest has \(64, 32\)"):
        check_model(model, larger, "m")
    fewer = replace(manifest, output=OutputSpec(("red", "green"), 1.0, None))
    with pytest.raises(BundleError, match="m: the model gives 4 scores, the manifest lists 2 labels"):
        check_model(model, fewer, "m")


def test_golden_vectors_that_vanish_after_opening_are_our_error(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    (tiny_bundle / "golden.npz").unlink()
    with pytest.raises(BundleError, match=r"golden\.npz: cannot be read"):
        bundle.read_golden()


def test_files_are_described_by_size_and_digest(tmp_path: Path, golden: GoldenVectors) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert file_sha256(path) == digest
    entry = describe_file(path, "golden.npz")
    assert (entry.file, entry.sha256, entry.size_bytes) == ("golden.npz", digest, 3)
    large = golden_to_bytes(golden) * 100  # several chunks
    path.write_bytes(large)
    assert describe_file(path, "a").size_bytes == len(large) > 1 << 20
