"""Golden vectors: written, read, replayed, and what a mismatch is called."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.bundle import golden_replay as golden_module
from trailcam_core.bundle.golden_file import GoldenVectors, golden_to_bytes, parse_golden
from trailcam_core.bundle.golden_replay import replay
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import GoldenEntry, InputSpec

_SPEC = InputSpec(32, 32, "crop")
_ENTRY = GoldenEntry("golden.npz", "0" * 64, 1, tolerance=0.2)


def test_arrays_come_back_as_they_were(golden: GoldenVectors) -> None:
    back = parse_golden(golden_to_bytes(golden), _SPEC, 4)
    for name in ("images", "logits", "source", "fitted"):
        before, after = getattr(golden, name), getattr(back, name)
        assert np.array_equal(before, after)
        assert before.dtype == after.dtype


def test_equal_arrays_give_equal_bytes_whatever_their_memory_order(golden: GoldenVectors) -> None:
    other = GoldenVectors(
        *(np.asfortranarray(getattr(golden, name)) for name in ("images", "logits", "source", "fitted"))
    )
    assert golden_to_bytes(other) == golden_to_bytes(golden)


def test_the_file_is_what_numpy_reads_without_pickle(golden: GoldenVectors) -> None:
    with np.load(io.BytesIO(golden_to_bytes(golden)), allow_pickle=False) as arrays:
        assert sorted(arrays) == ["fitted", "images", "logits", "source"]
        assert np.array_equal(arrays["logits"], golden.logits)


def test_every_member_is_stored_as_the_specification_says(golden: GoldenVectors) -> None:
    with zipfile.ZipFile(io.BytesIO(golden_to_bytes(golden))) as archive:
        assert sorted(archive.namelist()) == ["fitted.npy", "images.npy", "logits.npy", "source.npy"]
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())
        assert archive.read("logits.npy").startswith(b"\x93NUMPY\x01\x00")


def test_an_honest_model_passes(models: Path, golden: GoldenVectors) -> None:
    report = replay(TFLiteModel(models / "uint8_logits.tflite"), golden, _SPEC, _ENTRY)
    assert report.passed
    assert report.culprit is None
    assert report.worst == 0
    assert report.count == len(golden.images)


def test_another_number_scheme_of_the_same_model_passes_within_the_tolerance(
    models: Path, golden: GoldenVectors
) -> None:
    model = TFLiteModel(models / "float_bundle.tflite")
    report = replay(model, golden, _SPEC, _ENTRY)
    assert report.passed
    assert 0 < report.worst < 0.2
    assert not replay(model, golden, _SPEC, replace(_ENTRY, tolerance=0.001)).passed


@pytest.mark.parametrize(
    ("model", "culprit"),
    [
        ("bgr", "colour order"),
        ("softmax", "double softmax"),
        ("other_order", "label order"),
        ("scaled_twice", "value range: all pictures look alike"),
        ("not_scaled", "value range: the scores are far too large"),
        ("gives_nan", "broken numbers"),
    ],
)
def test_a_sabotaged_model_fails_and_the_culprit_is_named(
    models: Path, golden: GoldenVectors, model: str, culprit: str
) -> None:
    report = replay(TFLiteModel(models / f"{model}.tflite"), golden, _SPEC, _ENTRY)
    assert not report.passed
    assert report.culprit is not None
    assert report.culprit.startswith(culprit)


class _Wrapped:
    """A real model between a device's own mistakes: before it with pixels, after it with scores."""

    def __init__(self, path: Path, mistake: str) -> None:
        self._model = TFLiteModel(path)
        self._mistake = mistake
        self.input_size = self._model.input_size
        self.class_count = self._model.class_count

    def invoke(self, input_tensor: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self._mistake == "BGR":
            input_tensor = np.ascontiguousarray(input_tensor[..., ::-1])
        if self._mistake == "0..1":
            input_tensor = (input_tensor / 255).astype(np.uint8)
        scores = self._model.invoke(input_tensor)
        if self._mistake == "alphabetical":
            scores = scores[[2, 1, 3, 0]]  # blue, green, grey, red
        if self._mistake == "noise":
            scores = scores + np.random.default_rng(int(input_tensor.sum())).normal(0, 2, 4).astype(np.float32)
        return scores


@pytest.mark.parametrize(
    ("mistake", "culprit"),
    [
        ("none", None),
        ("BGR", "colour order"),
        ("0..1", "value range: all pictures look alike"),
        ("alphabetical", "label order"),
        ("noise", "another model or interpreter"),
    ],
)
def test_a_mistake_around_an_honest_model_is_named(
    models: Path, golden: GoldenVectors, mistake: str, culprit: str | None
) -> None:
    report = replay(_Wrapped(models / "uint8_logits.tflite", mistake), golden, _SPEC, _ENTRY)
    assert (report.culprit or "None").startswith(str(culprit))


def _plain_bilinear(image: Image, spec: InputSpec) -> Image:
    return np.asarray(cv2.resize(image, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _area(image: Image, spec: InputSpec) -> Image:
    return np.asarray(cv2.resize(image, (spec.width, spec.height), interpolation=cv2.INTER_AREA), np.uint8)


def _swapped(image: Image, spec: InputSpec) -> Image:
    return fit_image(np.ascontiguousarray(image[:, :, ::-1]), spec)


@pytest.mark.parametrize("rule", [_plain_bilinear, _area, _swapped])
def test_another_preprocessing_fails_as_the_resize_rule(
    models: Path, golden: GoldenVectors, monkeypatch: pytest.MonkeyPatch, rule: object
) -> None:
    monkeypatch.setattr(golden_module, "fit_image", rule)
    report = replay(TFLiteModel(models / "uint8_logits.tflite"), golden, _SPEC, _ENTRY)
    assert not report.passed
    assert str(report.culprit).startswith("resize rule")


def test_one_level_of_rounding_is_not_another_resize_rule(models: Path, golden: GoldenVectors) -> None:
    rounded = replace(golden, fitted=np.clip(golden.fitted, 1, 254) + np.uint8(1))
    assert replay(TFLiteModel(models / "uint8_logits.tflite"), rounded, _SPEC, _ENTRY).passed
    off = replace(golden, fitted=np.clip(golden.fitted, 0, 252) + np.uint8(3))
    assert not replay(TFLiteModel(models / "uint8_logits.tflite"), off, _SPEC, _ENTRY).passed


def test_one_vector_is_enough(models: Path, golden: GoldenVectors) -> None:
    one = replace(golden, images=golden.images[:1], logits=golden.logits[:1])
    assert replay(TFLiteModel(models / "uint8_logits.tflite"), one, _SPEC, _ENTRY).passed
    report = replay(TFLiteModel(models / "bgr.tflite"), one, _SPEC, _ENTRY)
    assert str(report.culprit).startswith("colour order")
