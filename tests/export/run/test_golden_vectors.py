"""Golden vectors: what another machine must reproduce, and how closely."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.bundle.golden_replay import replay
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import InputSpec
from trailcam_export.run.export import ExportReport
from trailcam_export.run.golden_vectors import choose_golden_files, make_golden, read_golden_pictures

SPEC = InputSpec(32, 32, "crop")


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_golden_vectors_of_a_bundle_replay(exported: ExportReport, scheme: str) -> None:
    bundle = open_bundle(exported.folder / f"{scheme}.bundle")
    golden = bundle.read_golden()
    assert len(golden.images) == 8
    for threads in (1, 2):
        report = replay(TFLiteModel(bundle.model_path, threads), golden, SPEC, bundle.manifest.golden)
        assert report.passed
        assert report.worst <= bundle.manifest.golden.tolerance / 2


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_exchanged_colours_are_caught_and_named(exported: ExportReport, scheme: str) -> None:
    bundle = open_bundle(exported.folder / f"{scheme}.bundle")
    golden = bundle.read_golden()
    swapped = replace(golden, images=np.ascontiguousarray(golden.images[..., ::-1]))
    report = replay(TFLiteModel(bundle.model_path), swapped, SPEC, bundle.manifest.golden)
    assert report.culprit is not None
    assert report.culprit.startswith("colour order")


def test_the_tolerance_is_two_quanta_of_int8_or_what_parity_allows(exported: ExportReport) -> None:
    float32 = open_bundle(exported.folder / "float32.bundle").manifest.golden
    bundle = open_bundle(exported.folder / "int8.bundle")
    scale = TFLiteModel(bundle.model_path).output.scale
    assert 1e-3 <= float32.tolerance < 2e-3
    assert 2 * scale <= bundle.manifest.golden.tolerance < 10 * scale


def test_test_pictures_are_taken_in_turn_from_every_label(tiny: Any) -> None:
    files = choose_golden_files(read_run(tiny.path), tiny.data)
    assert [file.parent.name for file in files] == ["blue", "green", "red"] * 2 + ["blue", "green"]
    assert len(set(files)) == 8
    assert all(file.name.startswith("test-") for file in files)


def test_a_folder_of_ones_own_is_taken_in_name_order(tiny: Any, tmp_path: Path) -> None:
    picture = (tiny.data / "red" / "test-0.png").read_bytes()
    for number in range(10, 0, -1):
        (tmp_path / f"{number:02}.png").write_bytes(picture)
    (tmp_path / "readme.txt").write_text("where they come from")
    files = choose_golden_files(read_run(tiny.path), tiny.data, tmp_path)
    assert [file.name for file in files] == [f"{number:02}.png" for number in range(1, 9)]


def test_a_missing_or_empty_folder_is_refused(tiny: Any, tmp_path: Path) -> None:
    run = read_run(tiny.path)
    with pytest.raises(ExportError, match="--golden"):
        choose_golden_files(run, tiny.data, tmp_path / "nowhere")
    with pytest.raises(ExportError, match="no picture in it"):
        choose_golden_files(run, tiny.data, tmp_path)


def test_the_source_picture_is_reduced_to_320_px_and_fits_to_what_is_stored(
    exported: ExportReport, tmp_path: Path
) -> None:
    import cv2

    large = np.random.default_rng(0).integers(0, 256, (500, 1000, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), large)
    pictures = read_golden_pictures([tmp_path / "large.png"], SPEC)
    assert pictures.source.shape == (160, 320, 3)
    vectors, _ = make_golden(exported.folder / "float32.bundle" / "model.tflite", pictures, SPEC)
    assert vectors.fitted.shape == (32, 32, 3)
    assert vectors.logits.dtype == np.float32
