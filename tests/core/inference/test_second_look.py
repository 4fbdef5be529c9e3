"""Where to look a second time: the energy of a feature map, its peak, and the box; with the tiny models."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import Classifier
from trailcam_core.errors import BundleError
from trailcam_core.images.boxes import Box
from trailcam_core.images.resize import fit_image
from trailcam_core.inference.file_model import FileModel
from trailcam_core.inference.onnx import OnnxModel
from trailcam_core.inference.second_look import feature_energy, find_box, find_peak, place_box
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import FITS, FeatureMap, InputSpec, OutputSpec, schema_version_of

Image = npt.NDArray[np.uint8]
LABELS = ("red", "green", "blue", "grey")
sides = st.integers(1, 12)


@given(sides, sides, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_energy_is_the_distance_from_the_mean_and_shifts_do_not_change_it(
    height: int, width: int, channels: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    features = random.normal(0, 3, (height, width, channels)).astype(np.float32)
    energy = feature_energy(features)
    assert energy.shape == (height, width)
    assert (energy >= 0).all()
    shifted = feature_energy(features + random.normal(0, 5, channels).astype(np.float32))
    assert np.allclose(energy, shifted, atol=1e-4)
    assert np.allclose(np.square(energy).mean(), features.var(axis=(0, 1)).sum(), rtol=1e-3, atol=1e-4)


@given(sides, sides)
def test_a_map_of_equal_places_has_no_energy_and_its_peak_is_a_place(height: int, width: int) -> None:
    energy = feature_energy(np.full((height, width, 3), 2.5, np.float32))
    assert not energy.any()
    assert find_peak(energy) == ((height - 1) // 2, (width - 1) // 2)


@given(sides, sides, st.data())
def test_a_peak_of_three_by_three_places_is_found(height: int, width: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    energy = np.zeros((height, width), np.float32)
    energy[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 1.0
    found = find_peak(energy)
    assert max(abs(found[0] - row), abs(found[1] - column)) <= 1


def test_one_bright_place_loses_to_three_that_touch() -> None:
    energy = np.zeros((9, 9), np.float32)
    energy[1, 1] = 2.0
    energy[6, 5:8] = 1.0
    assert find_peak(energy) in [(5, 6), (6, 6), (7, 6)]


@pytest.mark.parametrize("energy", [np.zeros((0, 3)), np.zeros((2, 2, 2)), np.full((3, 3), np.nan)])
def test_a_map_that_is_none_is_a_wrong_call(energy: npt.NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="expected a finite map"):
        find_peak(energy.astype(np.float32))


@given(st.integers(1, 4000), st.integers(1, 4000), sides, sides, st.sampled_from(FITS), st.data())
def test_the_box_is_a_square_inside_of_the_picture(
    height: int, width: int, rows: int, columns: int, fit: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    box = place_box(place, (rows, columns), (height, width), InputSpec(96, 64, fit))
    side_px = 0.45 * min(height, width)
    assert box.width * width == pytest.approx(side_px)
    assert box.height * height == pytest.approx(side_px)
    assert -1e-9 <= box.x <= box.x + box.width <= 1 + 1e-9
    assert -1e-9 <= box.y <= box.y + box.height <= 1 + 1e-9


@pytest.mark.parametrize("fit", FITS)
def test_the_box_is_where_the_place_of_the_map_comes_from(fit: str) -> None:
    """A dot in a wide picture, followed through the resize rule into the map and back."""
    picture = np.zeros((400, 640, 3), np.uint8)
    picture[180:220, 380:420] = 255
    spec = InputSpec(96, 96, fit)
    fitted = fit_image(picture, spec).astype(np.float32)
    features = fitted.reshape(12, 8, 12, 8, 3).mean(axis=(1, 3))
    if fit == "letterbox":
        features -= 128 * (features == 128)
    x, y = find_box(features, (400, 640), spec).centre
    assert x == pytest.approx(400 / 640, abs=0.07)
    assert y == pytest.approx(200 / 400, abs=0.09)


def _models(folder: Path) -> list[FileModel]:
    return [TFLiteModel(folder / "feature_map.tflite"), OnnxModel(folder / "feature_map.onnx")]


def test_both_interpreters_read_the_second_output_and_give_the_same_scores(models: Path) -> None:
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, 4:8, 20:24] = 255
    for model in _models(models):
        assert model.feature_map_shape == (1, 32, 32, 3)
        scores, features = model.invoke_with_features(image)
        assert np.array_equal(scores, model.invoke(image))
        assert features.dtype == np.float32
        assert features.shape == (32, 32, 3)
        assert features[5, 21].min() > 0.9 > -0.9 > features[20, 3].max()  # real numbers, not stored ones


def test_a_model_without_the_output_has_no_features(models: Path) -> None:
    model = TFLiteModel(models / "uint8_logits.tflite")
    assert model.feature_map_shape is None
    with pytest.raises(ValueError, match="no second output"):
        model.invoke_with_features(np.zeros((1, 32, 32, 3), np.uint8))


def test_a_second_output_that_is_no_map_is_refused(models: Path) -> None:
    for open_file, name in ((TFLiteModel, "two_outputs.tflite"), (OnnxModel, "two_outputs.onnx")):
        with pytest.raises(BundleError, match="output"):
            open_file(models / name)


OUTPUT = OutputSpec(LABELS, 1.0, None, unknown_labels=("grey",), feature_map=FeatureMap(32, 32, 3))


@pytest.fixture
def zoom_bundle(tmp_path: Path, write_tiny_bundle: Any) -> Path:
    """A bundle with a feature map whose "grey" means unknown."""
    path = tmp_path / "zoom.bundle"
    write_tiny_bundle(path, "feature_map", output=OUTPUT, schema_version=2)
    return path


def test_the_manifest_declares_the_map_in_schema_version_2_alone(
    zoom_bundle: Path, change_manifest: Callable[[Path, Callable[[dict[str, Any]], Any]], None]
) -> None:
    manifest = open_bundle(zoom_bundle).manifest
    assert manifest.schema_version == 2
    assert manifest.output.feature_map == FeatureMap(32, 32, 3)
    assert schema_version_of(replace(manifest.output, unknown_labels=())) == 2
    change_manifest(zoom_bundle, lambda fields: fields["output"]["feature_map"].update(channels=4))
    with pytest.raises(BundleError, match=r"feature map is \(1, 32, 32, 3\), the manifest has \(1, 32, 32, 4\)"):
        Classifier.open(zoom_bundle)


def test_a_manifest_without_the_map_of_its_model_is_refused(tmp_path: Path, write_tiny_bundle: Any) -> None:
    bundle = write_tiny_bundle(tmp_path / "a.bundle", "feature_map")
    with pytest.raises(BundleError, match=r"feature map is \(1, 32, 32, 3\), the manifest has none"):
        Classifier.open(bundle)


def test_a_small_animal_is_named_by_the_second_look_with_its_box(zoom_bundle: Path) -> None:
    classifier = Classifier.open(zoom_bundle)
    picture = np.full((320, 320, 3), 128, np.uint8)
    picture[60:120, 200:260] = (230, 20, 20)
    assert classifier.classify(picture).label is None
    answer = classifier.look_twice(picture)
    assert answer.label == "red"
    assert answer.box is not None
    assert answer.box.overlap(Box(200 / 320, 60 / 320, 60 / 320, 60 / 320)) > 0.99


def test_what_the_whole_picture_names_needs_no_second_look(zoom_bundle: Path, colours: dict[str, Image]) -> None:
    answer = Classifier.open(zoom_bundle).look_twice(colours["green"])
    assert (answer.label, answer.box) == ("green", None)


def test_a_bundle_without_the_output_is_refused_with_the_way_to_it(pristine_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r'tiny 1.0.0: .*feature map.*trailcam export RUN --zoom"'):
        Classifier.open(pristine_bundle).look_twice(np.zeros((40, 40, 3), np.uint8))
