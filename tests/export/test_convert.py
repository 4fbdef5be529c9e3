"""From Keras to TFLite bytes, and what only looks like success."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from trailcam_edge.errors import ExportError
from trailcam_edge.interpreters import TFLiteModel
from trailcam_export.answers import KerasAnswerer, TFLiteAnswerer
from trailcam_export.convert import convert_float32, convert_int8
from trailcam_export.graph_check import check_graph

Images = npt.NDArray[np.uint8]


def _answers(content: bytes, folder: Path, images: Images) -> npt.NDArray[np.float32]:
    (folder / "model.tflite").write_bytes(content)
    return TFLiteAnswerer(folder / "model.tflite").logits(images)


def _model_of(layer: keras.layers.Layer) -> keras.Model:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(layer(x))))


class _InverseErrorFunction(keras.layers.Layer):
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.erfinv(inputs)


def test_float32_gives_the_logits_of_keras(tiny: Any, images: Images, tmp_path: Path) -> None:
    expected = KerasAnswerer(tiny.model).logits(images)
    assert np.abs(_answers(convert_float32(tiny.model), tmp_path, images) - expected).max() < 1e-5
    assert expected.std() > 0.5


def test_int8_takes_raw_levels_and_answers_like_keras(tiny: Any, images: Images, tmp_path: Path) -> None:
    content = convert_int8(tiny.model, iter(images))
    expected = KerasAnswerer(tiny.model).logits(images)
    got = _answers(content, tmp_path, images)
    model = TFLiteModel(tmp_path / "model.tflite")
    assert (model.input.dtype, model.input.scale, model.input.zero_point) == ("uint8", 1.0, 0)
    assert model.output.dtype == "int8"
    assert np.abs(got - expected).mean() < 0.2  # logits spread over 8; the rest is rounding and clipping
    assert (got.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_int8_holds_no_float_tensor_and_weights_have_a_scale_per_channel(tiny: Any, images: Images) -> None:
    interpreter = Interpreter(model_content=convert_int8(tiny.model, iter(images)))
    tensors = interpreter.get_tensor_details()
    assert not [item["name"] for item in tensors if item["dtype"] in (np.float32, np.float16)]
    scales = [len(item["quantization_parameters"]["scales"]) for item in tensors if len(item["shape"]) == 4]
    assert 8 in scales


def test_pale_calibration_pictures_leave_the_input_at_raw_levels(tiny: Any, tmp_path: Path) -> None:
    pale = np.full((4, 32, 32, 3), 120, np.uint8)
    before = pale.copy()
    (tmp_path / "model.tflite").write_bytes(convert_int8(tiny.model, iter(pale)))
    model = TFLiteModel(tmp_path / "model.tflite")
    assert (model.input.scale, model.input.zero_point) == (1.0, 0)
    assert (pale == before).all()


def test_int8_without_a_calibration_picture_is_refused(tiny: Any) -> None:
    with pytest.raises(ExportError, match="No calibration picture"):
        convert_int8(tiny.model, iter(()))


def test_a_model_made_of_plain_operations_is_rebuilt_with_a_float_input(images: Images, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.ops.cast(image, "float32") / 127.5 - 1.0
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    expected = KerasAnswerer(model).logits(images)
    assert np.abs(_answers(convert_int8(model, iter(images)), tmp_path, images) - expected).max() < 0.2


def test_whole_number_arithmetic_before_the_cast_is_noticed(images: Images) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.ops.cast(image // 64, "float32")
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    rounding = keras.Model(
        image, keras.layers.Dense(3)(keras.layers.Flatten()(keras.ops.cast(image + image, "float32")))
    )
    with pytest.raises(ExportError, match=r"float32 input|float"):
        convert_int8(rounding, iter(images))
    assert model is not None


def test_an_operator_that_tflite_lacks_is_named() -> None:
    with pytest.raises(ExportError, match="Erfinv"):
        convert_float32(_model_of(_InverseErrorFunction()))


def test_a_softmax_at_the_end_is_refused() -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    with pytest.raises(ExportError, match=r"ends with SOFTMAX.*logits"):
        convert_float32(model)


def test_a_file_with_a_custom_operator_is_refused() -> None:
    function = tf.function(lambda image: tf.math.erfinv(tf.cast(image, tf.float32)))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 32, 32, 3), tf.uint8))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.allow_custom_ops = True
    with pytest.raises(ExportError, match=r"does not load: .*custom op.*Erfinv"):
        check_graph(converter.convert(), "float32", (32, 32, 3), 3)


def test_a_file_that_lost_its_weights_is_refused(tiny: Any) -> None:
    """The trap itself: converted through a module around the Keras model, its variables become empty ones."""

    class Wrapped(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = tiny.model

        @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.uint8)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            return self.model(image, training=False)

    module = Wrapped()
    concrete = module.__call__.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    with pytest.raises(ExportError, match=r"VARIABLE|VAR_HANDLE"):
        check_graph(content, "float32", (32, 32, 3), 3)


def test_a_file_of_another_size_is_refused(tiny: Any) -> None:
    content = convert_float32(tiny.model)
    with pytest.raises(ExportError, match="input"):
        check_graph(content, "float32", (64, 64, 3), 3)
    with pytest.raises(ExportError, match="output"):
        check_graph(content, "float32", (32, 32, 3), 4)


def test_a_float_file_does_not_pass_as_int8(tiny: Any) -> None:
    with pytest.raises(ExportError, match=r"int8 file has the output .*float32"):
        check_graph(convert_float32(tiny.model), "int8", (32, 32, 3), 3)
