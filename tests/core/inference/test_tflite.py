"""Real TFLite files: the tiny ones of ``fixtures/`` and, where they are at hand, two that others made."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.errors import BundleError, DeviceError
from trailcam_core.inference import runtimes
from trailcam_core.inference.file_model import first_line
from trailcam_core.inference.tflite import TFLiteModel, ValueRange, _check_fixed_size

# Logits of a plain red, green, blue and grey picture, from the weights in make_models.py.
_LEVELS = ((230, 0, 0), (0, 230, 0), (0, 0, 230), (128, 128, 128))
_LOGITS = np.array([[14.43, -7.22, -7.22, 1], [-7.22, 14.43, -7.22, 1], [-7.22, -7.22, 14.43, 1], [0, 0, 0, 1]])
_STEP = 0.126  # of the quantised output


def _scores(model: TFLiteModel) -> npt.NDArray[np.float32]:
    return np.stack([model.invoke(np.full((1, 32, 32, 3), levels, np.uint8)) for levels in _LEVELS])


@pytest.mark.parametrize(
    ("name", "value_range", "dtype", "tolerance"),
    [
        ("uint8_logits", None, "uint8", _STEP),
        ("uint8_logits", (0, 255), "uint8", _STEP),
        ("float_bundle", None, "uint8", 0.01),
        ("uint8_output", None, "uint8", _STEP),
        ("int8_in", None, "int8", _STEP),
        ("int8_in", (0, 255), "int8", _STEP),
        ("float_in", (-1, 1), "float32", 0.01),
    ],
)
def test_raw_pixels_give_float_logits_whatever_numbers_the_file_uses(
    models: Path, name: str, value_range: ValueRange | None, dtype: str, tolerance: float
) -> None:
    model = TFLiteModel(models / f"{name}.tflite", value_range=value_range)
    assert model.input_size == (32, 32)
    assert model.class_count == 4
    assert model.input.dtype == dtype
    assert not model.gives_probabilities
    scores = _scores(model)
    assert scores.dtype == np.float32
    assert np.abs(scores - _LOGITS).max() <= tolerance


def test_int8_pixels_are_the_same_levels_as_uint8_pixels(models: Path) -> None:
    signed, unsigned = TFLiteModel(models / "int8_in.tflite"), TFLiteModel(models / "uint8_output.tflite")
    for level in range(256):
        image = np.full((1, 32, 32, 3), (level, 0, 255 - level), np.uint8)
        assert np.array_equal(signed.invoke(image), unsigned.invoke(image))


def test_another_value_range_gives_another_answer(models: Path) -> None:
    half = TFLiteModel(models / "float_in.tflite", value_range=(0, 1))
    assert np.abs(_scores(half) - _LOGITS).max() > 1


def test_a_quantised_input_with_a_stated_range_stores_it_by_scale_and_zero_point(models: Path) -> None:
    model = TFLiteModel(models / "int8_in.tflite", value_range=(0, 127.5))  # scale 1, zero point -128
    levels = np.full((1, 32, 32, 3), 200, np.uint8)
    halved = TFLiteModel(models / "int8_in.tflite").invoke(levels // 2)
    assert np.array_equal(model.invoke(levels), halved)


def test_a_softmax_at_the_end_is_seen(models: Path) -> None:
    model = TFLiteModel(models / "softmax.tflite")
    assert model.gives_probabilities
    assert np.allclose(_scores(model).sum(axis=1), 1, atol=0.02)


def test_one_result_is_not_overwritten_by_the_next(models: Path) -> None:
    model = TFLiteModel(models / "float_bundle.tflite")
    first = model.invoke(np.zeros((1, 32, 32, 3), np.uint8))
    kept = first.copy()
    model.invoke(np.full((1, 32, 32, 3), 255, np.uint8))
    assert np.array_equal(first, kept)


def test_an_input_that_is_not_contiguous_gives_the_same(models: Path) -> None:
    model = TFLiteModel(models / "uint8_logits.tflite")
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 6), dtype=np.uint8)[:, :, ::2, 5:2:-1]
    assert np.array_equal(model.invoke(image), model.invoke(np.ascontiguousarray(image)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two_outputs", "the model has 2 outputs, expected 1"),
        ("wrong_rank", r"the model's input is \(1, 32\), expected \(1, height, width, 3\)"),
        ("one_channel", r"the model's input is \(1, 32, 32, 1\), expected \(1, height, width, 3\)"),
        ("int32_out", "the model's output is int32, expected uint8, int8 or float32"),
        ("unknown_op", "the interpreter cannot load this model: .*Erfinv"),
        ("float_in", "takes float32 and does not declare its range.*--value-range -1 1"),
    ],
)
def test_a_model_that_is_no_image_classifier_is_refused_by_name(models: Path, name: str, message: str) -> None:
    path = models / f"{name}.tflite"
    with pytest.raises(BundleError, match=message) as caught:
        TFLiteModel(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a TFLite model"),
        (b"PK\x03\x04" + bytes(100), "not a TFLite model"),
        (b"\x1c\0\0\0TFL3" + bytes(100), "cannot load this model"),
    ],
)
def test_what_is_no_tflite_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=message):
        TFLiteModel(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        TFLiteModel(tmp_path / "model.tflite")
    with pytest.raises(BundleError, match="Is a directory"):
        TFLiteModel(tmp_path)


@pytest.mark.parametrize(
    "tensor",
    [np.zeros((32, 32, 3), np.uint8), np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 64, 64, 3), np.uint8)],
)
def test_an_input_of_another_shape_or_dtype_is_a_wrong_call(models: Path, tensor: npt.NDArray[Any]) -> None:
    model = TFLiteModel(models / "uint8_logits.tflite")
    with pytest.raises(ValueError, match=r"input_tensor must be \(1, 32, 32, 3\) uint8"):
        model.invoke(tensor)


def test_without_an_interpreter_the_message_says_what_to_install(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(runtimes.importlib, "import_module", find_none)
    with pytest.raises(DeviceError, match="pip install ai-edge-litert"):
        TFLiteModel(models / "uint8_logits.tflite")


def test_a_32_bit_python_is_told_no(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(runtimes.importlib, "import_module", find_nothing)
    monkeypatch.setattr(runtimes.sys, "maxsize", 2**31 - 1)
    with pytest.raises(DeviceError, match=r"32-bit.*64-bit Raspberry Pi OS"):
        TFLiteModel(models / "uint8_logits.tflite")


def test_an_interpreter_that_lacks_something_is_not_passed_over(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_half(name: str) -> None:
        raise ModuleNotFoundError("No module named 'flatbuffers'", name="flatbuffers")

    monkeypatch.setattr(runtimes.importlib, "import_module", find_half)
    with pytest.raises(DeviceError, match=r"ai_edge_litert\.interpreter is installed but lacks flatbuffers"):
        TFLiteModel(models / "uint8_logits.tflite")


@pytest.mark.parametrize(
    ("name", "side", "classes"),
    [("mobilenet_v1_0.25_128_quant", 128, 1001), ("mobilenet_v2_1.0_224_inat_bird_quant", 224, 965)],
)
def test_models_that_others_made_are_read(shared_data: Path, name: str, side: int, classes: int) -> None:
    model = TFLiteModel(shared_data / "models" / f"{name}.tflite")
    assert model.input_size == (side, side)
    assert model.class_count == classes
    assert (model.input.dtype, model.output.dtype) == ("uint8", "uint8")
    assert model.gives_probabilities


def test_a_model_of_pictures_of_any_size_is_called_that() -> None:
    class Interpreter:
        def get_input_details(self) -> list[dict[str, Any]]:
            return [{"shape_signature": np.array([-1, -1, -1, 3])}]

    with pytest.raises(BundleError, match=r"takes pictures of any size \(shape signature \(-1, -1, -1, 3\)\)"):
        _check_fixed_size(Interpreter(), Path("any.tflite"))


def test_a_long_reason_ends_with_a_whole_sentence_or_word() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError("A sentence. " + "word " * 60)) == "A sentence"
    cut = first_line(ValueError("word " * 60))
    assert cut.endswith("word ...")
    assert len(cut) <= 205
