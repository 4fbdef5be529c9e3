"""From Keras to TFLite bytes by both quantisers, and what only looks like success."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from trailcam_core.errors import ExportError
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.spec import InputSpec
from trailcam_export.convert.embedded_metadata import EmbeddedMetadata, embed_tflite_metadata
from trailcam_export.convert.quantise import QUANTIZERS, quantise
from trailcam_export.convert.to_tflite import convert_float16, convert_float32
from trailcam_export.inference.predict import FilePredictor, KerasPredictor
from trailcam_export.tflite.checks import check_graph
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite
from trailcam_export.tflite.inspect import check_weights, kernel_size, runtime_min, shorten_names

Images = npt.NDArray[np.uint8]


def _answers(content: bytes, folder: Path, images: Images) -> npt.NDArray[np.float32]:
    (folder / "model.tflite").write_bytes(content)
    return FilePredictor(folder / "model.tflite").logits(images)


def _model_of(layer: keras.layers.Layer) -> keras.Model:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(layer(x))))


class _InverseErrorFunction(keras.layers.Layer):
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.erfinv(inputs)


def test_float32_gives_the_logits_of_keras(tiny: Any, images: Images, tmp_path: Path) -> None:
    expected = KerasPredictor(tiny.model).logits(images)
    assert np.abs(_answers(convert_float32(tiny.model), tmp_path, images) - expected).max() < 1e-5
    assert expected.std() > 0.5


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_int8_takes_raw_levels_and_answers_like_keras(
    tiny: Any, images: Images, tmp_path: Path, quantizer: str
) -> None:
    content = quantise(tiny.model, "int8", iter(images), quantizer)
    check_graph(content, "int8", (32, 32, 3), 3)
    expected = KerasPredictor(tiny.model).logits(images)
    got = _answers(content, tmp_path, images)
    model = TFLiteModel(tmp_path / "model.tflite")
    assert (model.input.dtype, model.input.scale, model.input.zero_point) == ("uint8", 1.0, 0)
    assert model.output.dtype == "uint8"
    assert np.abs(got - expected).mean() < 0.2  # logits spread over 8; the rest is rounding and clipping
    assert (got.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_int8_holds_no_float_tensor_and_weights_have_a_scale_per_channel(tiny: Any, images: Images) -> None:
    interpreter = Interpreter(model_content=quantise(tiny.model, "int8", iter(images)))
    tensors = interpreter.get_tensor_details()
    assert not [item["name"] for item in tensors if item["dtype"] in (np.float32, np.float16)]
    scales = [len(item["quantization_parameters"]["scales"]) for item in tensors if len(item["shape"]) == 4]
    assert 8 in scales


def test_a_quantised_file_whose_weights_lie_behind_it_stays_whole_when_it_is_changed(
    images: Images, tmp_path: Path
) -> None:
    model = _model_of(keras.layers.Conv2D(128, 3))  # 345,600 weights: litert-quantizer packs from 256 kB on
    content = quantise(model, "int8", iter(images), "litert")
    assert read_tflite(content).buffers[1].offset == 0
    card = EmbeddedMetadata("large", "1.0.0", ("a", "b", "c"), InputSpec(32, 32, "crop"), "0" * 64)
    changed = embed_tflite_metadata(content, card)
    check_graph(changed, "int8", (32, 32, 3), 3)
    check_weights(changed, "int8", kernel_size(model))
    assert np.array_equal(_answers(changed, tmp_path, images), _answers(content, tmp_path, images))


def test_a_changed_file_keeps_its_data_aligned_and_zero_points_once(images: Images) -> None:
    model = _model_of(keras.layers.Conv2D(64, 3))
    content = quantise(model, "int8", iter(images), "tensorflow")
    written = write_tflite(read_tflite(content))
    assert len(written) < len(content) - 8 * 64  # weights and biases share 64 zero points
    packed = schema.Model.GetRootAs(bytearray(written), 0)
    for number in range(packed.BuffersLength()):
        table = packed.Buffers(number)
        if table.DataLength():
            assert table._tab.Vector(table._tab.Offset(4)) % 16 == 0
    before, after = read_tflite(content), read_tflite(written)
    for old, new in zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors, strict=True):
        if old.quantization is not None and old.quantization.zeroPoint is not None:
            assert np.array_equal(old.quantization.zeroPoint, new.quantization.zeroPoint)


def test_short_names_stay_apart_and_change_no_answer(tiny: Any, images: Images, tmp_path: Path) -> None:
    model = read_tflite(quantise(tiny.model, "int8", iter(images)))
    model.subgraphs[0].tensors[1].name, model.subgraphs[0].tensors[2].name = b"relu;norm;conv", b"relu;norm"
    content = write_tflite(model)
    short = shorten_names(content)
    names = [bytes(tensor.name) for tensor in read_tflite(short).subgraphs[0].tensors]
    assert names[1:3] == [b"relu", b"relu;2"]
    assert len(set(names)) == len(names)
    assert np.array_equal(_answers(short, tmp_path, images), _answers(content, tmp_path, images))


def test_pale_calibration_pictures_leave_the_input_at_raw_levels(tiny: Any, tmp_path: Path) -> None:
    pale = np.full((4, 32, 32, 3), 120, np.uint8)
    before = pale.copy()
    (tmp_path / "model.tflite").write_bytes(quantise(tiny.model, "int8", iter(pale)))
    model = TFLiteModel(tmp_path / "model.tflite")
    assert (model.input.scale, model.input.zero_point) == (1.0, 0)
    assert (pale == before).all()


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_a_scheme_with_ranges_without_a_calibration_picture_is_refused(tiny: Any, scheme: str) -> None:
    with pytest.raises(ExportError, match=f"No calibration picture: {scheme}"):
        quantise(tiny.model, scheme, iter(()))


def test_an_unknown_quantizer_is_a_wrong_call(tiny: Any, images: Images) -> None:
    with pytest.raises(ValueError, match="litert, tensorflow"):
        quantise(tiny.model, "int8", iter(images), "mine")


def test_float16_is_the_same_model_with_half_the_weights(images: Images, tmp_path: Path) -> None:
    model = _model_of(keras.layers.Conv2D(8, 3))
    full, half = convert_float32(model), convert_float16(model)
    check_graph(half, "float16", (32, 32, 3), 3)
    expected = KerasPredictor(model).logits(images)
    assert 0 < np.abs(_answers(half, tmp_path, images) - expected).max() < 0.01
    assert len(half) < 0.7 * len(full)
    with pytest.raises(ExportError, match="holds no float16 tensor"):
        check_graph(full, "float16", (32, 32, 3), 3)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_dynamic_int8_has_small_weights_and_float_logits(images: Images, tmp_path: Path, quantizer: str) -> None:
    model = _model_of(keras.layers.Conv2D(8, 3))
    content = quantise(model, "dynamic_int8", iter(()), quantizer)
    check_graph(content, "dynamic_int8", (32, 32, 3), 3)
    expected = KerasPredictor(model).logits(images)
    assert np.abs(_answers(content, tmp_path, images) - expected).max() < 0.1
    assert len(content) < 0.5 * len(convert_float32(model))


def test_int16x8_takes_raw_levels_and_is_finer_than_int8(tiny: Any, images: Images, tmp_path: Path) -> None:
    expected = KerasPredictor(tiny.model).logits(images)
    errors = {}
    for scheme in ("int16x8", "int8"):
        content = quantise(tiny.model, scheme, iter(images), "tensorflow")
        check_graph(content, scheme, (32, 32, 3), 3)
        errors[scheme] = np.abs(_answers(content, tmp_path, images) - expected).mean()
    assert TFLiteModel(tmp_path / "model.tflite").input.dtype == "uint8"
    assert errors["int16x8"] < errors["int8"]


def test_dense_layers_have_one_scale_so_that_an_old_runtime_reads_them_rightly(tiny: Any, images: Images) -> None:
    for quantizer in QUANTIZERS:
        content = quantise(tiny.model, "int8", iter(images), quantizer)
        assert runtime_min(content) == {"litert": "2.1", "tflite_runtime": "2.14"}


def test_scales_per_output_are_too_new_for_tflite_runtime(images: Images) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(_model_of(keras.layers.Conv2D(8, 3)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    assert runtime_min(converter.convert())["tflite_runtime"] is None


def test_a_file_that_lost_a_kernel_is_refused_by_counting(tiny: Any) -> None:
    content = convert_float32(tiny.model)
    kernels = kernel_size(tiny.model)
    check_weights(content, "float32", kernels)
    with pytest.raises(ExportError, match=r"holds \d+ weights, the trained model \d+: some were lost"):
        check_weights(content, "float32", 2 * kernels)


def test_a_batch_normalisation_that_was_not_folded_is_refused() -> None:
    class Scaled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.uint8)])
        def __call__(self, image: tf.Tensor) -> tf.Tensor:
            x = tf.nn.conv2d(tf.cast(image, tf.float32), tf.ones((3, 3, 3, 32)), 1, "SAME")
            # a product by a constant for each row is what a converter cannot fold
            return tf.reduce_mean(x * tf.reshape(tf.range(32.0), (1, 32, 1, 1)), (1, 2))

    module = Scaled()
    concrete = module.__call__.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    check_weights(content, "float32", 1)
    model = read_tflite(content)
    factor = next(item for item in model.subgraphs[0].tensors if list(item.shape) == [1, 32, 1, 1])
    factor.shape = [1, 1, 1, 32]  # now one for each channel, which a converter would have folded
    with pytest.raises(ExportError, match=r"is not fused: .*right behind a convolution"):
        check_weights(write_tflite(model), "float32", 1)


@pytest.mark.parametrize("activation", ["hard_swish", "gelu", "quick gelu"])
def test_the_numbers_inside_an_activation_are_no_batch_normalisation(activation: str) -> None:
    convolution = keras.layers.Conv2D(4, 3)
    by_name = {
        "hard_swish": keras.activations.hard_silu,  # TFLite has an operator for this and the next
        "gelu": lambda x: keras.ops.gelu(x, approximate=False),
        "quick gelu": lambda x: x * keras.ops.sigmoid(1.702 * x),
    }
    model = _model_of(keras.Sequential([convolution, keras.layers.Activation(by_name[activation])]))
    for content in (convert_float32(model), convert_float16(model)):
        check_weights(content, activation, kernel_size(model))


def test_a_model_made_of_plain_operations_is_rebuilt_with_a_float_input(images: Images, tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.ops.cast(image, "float32") / 127.5 - 1.0
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    expected = KerasPredictor(model).logits(images)
    assert np.abs(_answers(quantise(model, "int8", iter(images)), tmp_path, images) - expected).max() < 0.2


def test_whole_number_arithmetic_before_the_cast_is_noticed(images: Images) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.ops.cast(image // 64, "float32")
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    rounding = keras.Model(
        image, keras.layers.Dense(3)(keras.layers.Flatten()(keras.ops.cast(image + image, "float32")))
    )
    with pytest.raises(ExportError, match=r"float32 input|float"):
        quantise(rounding, "int8", iter(images))
    assert model is not None


def test_an_operator_that_tflite_lacks_is_named() -> None:
    with pytest.raises(ExportError, match="Erfinv"):
        convert_float32(_model_of(_InverseErrorFunction()))


def test_a_softmax_at_the_end_is_refused() -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    with pytest.raises(ExportError, match=r"ends with SOFTMAX.*logits"):
        check_graph(convert_float32(model), "float32", (32, 32, 3), 3)


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
