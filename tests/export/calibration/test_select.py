"""Which pictures calibrate: checked against the test split, told from noise, spread out."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import Run, SplitRow, read_run
from trailcam_core.errors import ExportError
from trailcam_core.spec import InputSpec
from trailcam_export.calibration.calibration_set import choose_pool
from trailcam_export.calibration.features import feature_function
from trailcam_export.calibration.select import (
    CalibrationCandidates,
    CalibrationSelection,
    find_frames,
    select_calibration,
)

SPEC = InputSpec(32, 32, "crop")


def _choose(
    tiny: Any, pool: tuple[SplitRow, ...] | None = None, frames: Path | None = None, count: int = 6
) -> CalibrationSelection:
    run: Run = read_run(tiny.path)
    held_out = (*run.pictures("validation"), *run.pictures("test"))
    chosen = choose_pool(run, 24) if pool is None else pool
    found = find_frames(frames) if frames else ()
    candidates = CalibrationCandidates(chosen, found, held_out, tiny.data, SPEC, count)
    return select_calibration(feature_function(tiny.model), candidates)


def _frame(folder: Path, name: str, image: Any) -> Path:
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), image)
    return folder


def _scene(seed: int) -> Any:
    random = np.random.default_rng(seed)
    return cv2.resize(random.integers(0, 256, (6, 6, 3), dtype=np.uint8), (80, 60), interpolation=cv2.INTER_CUBIC)


def test_the_model_is_looked_into_before_its_last_dense_layer(tiny: Any, images: Any) -> None:
    features = feature_function(tiny.model)(images)
    assert features.shape == (12, 8)
    kernel, bias = (np.asarray(weight) for weight in tiny.model.layers[-1].weights)
    assert np.allclose(features @ kernel + bias, np.asarray(tiny.model(images, training=False)), atol=1e-4)


@pytest.mark.parametrize("ending", [[], ["linear"]])
def test_the_last_dense_layer_is_found_inside_a_nested_model(tiny: Any, images: Any, ending: list[str]) -> None:
    core = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(7)])
    inputs = keras.Input((32, 32, 3))
    last = [keras.layers.Dense(3), *(keras.layers.Activation(name) for name in ending)]
    middle = keras.Model(inputs, keras.Sequential([core, *last])(inputs))
    image = keras.Input((32, 32, 3), dtype="uint8")
    outer = keras.Model(image, middle(keras.layers.Rescaling(1 / 255)(image)))
    expected = np.asarray(core(images.astype(np.float32) / np.float32(255)))
    assert np.allclose(feature_function(outer)(images), expected, atol=1e-5)


def test_labels_are_balanced_and_the_same_are_chosen_again(tiny: Any) -> None:
    first, second = _choose(tiny), _choose(tiny)
    assert first == second
    assert sorted(row.label for row in first.pictures.rows) == ["blue", "blue", "green", "green", "red", "red"]
    assert first.notes == ()


def test_a_candidate_that_is_also_a_test_picture_is_left_out(tiny: Any, tmp_path: Path) -> None:
    run = read_run(tiny.path)
    pool = choose_pool(run, 24)
    test = run.pictures("test")[0]
    same = replace(pool[0], sha256=test.sha256)
    choice = _choose(tiny, (same, *pool[1:]), count=24)
    assert len(choice.pictures) == 23
    assert f"{same.file}: the same file as the test picture {test.file}" in choice.notes[0]


def test_black_and_noisy_candidates_are_left_out_with_a_reason(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    cv2.imwrite(str(data / "red" / "train-0.png"), np.zeros((40, 48, 3), np.uint8))
    run = read_run(tiny.path)
    held_out = (*run.pictures("validation"), *run.pictures("test"))
    candidates = CalibrationCandidates(choose_pool(run, 24), (), held_out, data, SPEC, 24)
    choice = select_calibration(feature_function(tiny.model), candidates)
    assert "red/train-0.png" not in [row.file for row in choice.pictures.rows]
    assert "1 of 24 calibration candidates were left out, among them red/train-0.png: black" in choice.notes[0]


def test_a_folder_of_nothing_but_black_pictures_stops_the_export(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "photos"))
    for path in data.rglob("train-*.png"):
        cv2.imwrite(str(path), np.zeros((40, 48, 3), np.uint8))
    run = read_run(tiny.path)
    held_out = (*run.pictures("validation"), *run.pictures("test"))
    with pytest.raises(ExportError, match=r"wrong range|black"):
        select_calibration(
            feature_function(tiny.model), CalibrationCandidates(choose_pool(run, 24), (), held_out, data, SPEC, 24)
        )


def test_field_frames_are_added_with_their_digests(tiny: Any, tmp_path: Path) -> None:
    folder = _frame(tmp_path / "field", "b.png", _scene(1))
    _frame(folder, "a.png", _scene(2))
    frames = _choose(tiny, frames=folder).pictures.frames
    assert [frame.path.name for frame in frames] == ["a.png", "b.png"]
    assert frames[0].sha256 == hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()


def test_many_field_frames_are_thinned_out_to_as_many_as_training_pictures(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "field"
    for number in range(8):  # eight of the same scene in other light, and three others
        _frame(folder, f"same-{number}.png", np.clip(_scene(1).astype(int) + number, 0, 255).astype(np.uint8))
    for number in (2, 3, 4):
        _frame(folder, f"other-{number}.png", _scene(number))
    told: list[str] = []
    run = read_run(tiny.path)
    choice = select_calibration(
        lambda images: images.reshape(len(images), -1).astype(np.float32),  # in pixels the others are far
        CalibrationCandidates(
            choose_pool(run, 24),
            find_frames(folder),
            (*run.pictures("validation"), *run.pictures("test")),
            tiny.data,
            SPEC,
            4,
        ),
        lambda stage, done, total: told.append(f"{stage} {done}/{total}"),
    )
    names = [frame.path.name for frame in choice.pictures.frames]
    assert len(choice.pictures.rows) == len(names) == 4
    assert {name for name in names if name.startswith("other")} == {f"other-{number}.png" for number in (2, 3, 4)}
    assert "4 of 11 --calibration frames calibrate" in choice.notes[0]
    assert {"checking field frames 11/11", "choosing field frames 11/11"} <= set(told)


def test_a_field_frame_that_is_a_test_picture_is_refused(tiny: Any, tmp_path: Path) -> None:
    folder = _frame(tmp_path / "field", "ok.png", _scene(1))
    shutil.copy(tiny.data / "green" / "test-3.png", folder / "frame.png")
    with pytest.raises(ExportError, match=r"frame\.png: the same file as the test picture green/test-3\.png"):
        _choose(tiny, frames=folder)


def test_a_field_frame_that_is_nearly_a_validation_picture_is_refused(tiny: Any, tmp_path: Path) -> None:
    image = cv2.imread(str(tiny.data / "blue" / "validation-2.png"))
    folder = _frame(tmp_path / "field", "frame.jpg", np.clip(image.astype(int) + 3, 0, 255).astype(np.uint8))
    with pytest.raises(ExportError, match=r"a near-duplicate of the validation picture blue/validation-2\.png"):
        _choose(tiny, frames=folder)


def test_a_few_unfit_frames_are_left_out_and_many_are_refused(tiny: Any, tmp_path: Path) -> None:
    folder = _frame(tmp_path / "field", "1.png", _scene(1))
    _frame(folder, "2.png", _scene(2))
    _frame(folder, "night.png", np.zeros((60, 80, 3), np.uint8))
    choice = _choose(tiny, frames=folder)
    assert len(choice.pictures.frames) == 2
    assert choice.notes == ("1 of 3 --calibration frames were left out: night.png: black: no level above 0 of 255",)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for number in range(3):
        _frame(folder, f"noise-{number}.png", noise)
    with pytest.raises(ExportError, match=r"4 of 6 frames cannot calibrate.*(black|noise)"):
        _choose(tiny, frames=folder)


def test_frames_scaled_before_they_were_saved_are_refused(tiny: Any, tmp_path: Path) -> None:
    folder = _frame(tmp_path / "field", "1.png", _scene(1) // 3)
    with pytest.raises(ExportError, match="--calibration cannot calibrate: wrong range"):
        _choose(tiny, frames=folder)


def test_a_missing_or_empty_folder_of_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no such folder"):
        find_frames(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="no picture in it"):
        find_frames(tmp_path)
