"""The mean error of every layer is taken out of its bias, for inputs that are corrected already."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema

from trailcam_core.errors import ExportError
from trailcam_export.convert.bias_correction import BiasCorrection
from trailcam_export.convert.quantise_litert import quantise_file, with_signature
from trailcam_export.convert.to_tflite import convert_float32, with_float_input
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite
from trailcam_export.tflite.single_operator import constant

Floats = npt.NDArray[np.float32]
_OPS = schema.BuiltinOperator
_LAYERS = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED)
_MOVED_STEPS = 4000


@pytest.fixture(scope="module")
def pictures() -> list[Floats]:
    random = np.random.default_rng(0)
    spots = random.integers(0, 256, (16, 1, 8, 8, 3)).repeat(4, axis=2).repeat(4, axis=3)
    return [picture.astype(np.float32) for picture in spots]


@pytest.fixture(scope="module")
def float_file() -> bytes:
    """Two depthwise layers, whose biases are the same zeros, behind a normalisation that no layer takes in."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.BatchNormalization()(keras.layers.MaxPooling2D()(x))
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, activation="relu6")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, dilation_rate=2)(x)
    x = keras.layers.Conv2D(12, 1, activation="relu")(x)
    return _float_file(keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x))))


@pytest.fixture(scope="module")
def int8_file(float_file: bytes, pictures: list[Floats]) -> bytes:
    return quantise_file(float_file, "int8", iter(pictures))


def _float_file(model: keras.Model) -> bytes:
    return bytes(with_signature(convert_float32(with_float_input(model), "float32")))


def _biases(content: bytes) -> list[npt.NDArray[np.int64]]:
    model = read_tflite(content)
    tensors = model.subgraphs[0].tensors
    found = [constant(model, tensors[layer.inputs[2]]) for layer in _layers(model)]
    return [values.astype(np.int64) for values in found if values is not None]


def _layers(model: Any) -> list[Any]:
    codes = [entry.builtinCode for entry in model.operatorCodes]
    return [item for item in model.subgraphs[0].operators if codes[item.opcodeIndex] in _LAYERS]


def _moved(content: bytes, number: int, by: int) -> bytes:
    """Return the file with another bias of one layer alone."""
    model = read_tflite(content)
    layer = _layers(model)[number]
    tensor = model.subgraphs[0].tensors[layer.inputs[2]]
    values = constant(model, tensor)
    assert values is not None
    buffer = schema.BufferT()
    buffer.data = np.frombuffer((values + by).astype(values.dtype).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    return write_tflite(model)


@pytest.mark.parametrize("number", range(5))
def test_a_bias_that_was_moved_is_moved_back(
    number: int, float_file: bytes, int8_file: bytes, pictures: list[Floats]
) -> None:
    expected = _biases(int8_file)
    assert len(expected) == 5
    moved = _moved(int8_file, number, _MOVED_STEPS)
    assert np.abs(_biases(moved)[number] - expected[number]).min() == _MOVED_STEPS
    corrected = _biases(BiasCorrection(float_file, pictures).correct(moved))
    for before, after in zip(expected, corrected, strict=True):
        assert np.abs(after - before).max() <= 1


def test_the_result_has_nothing_left_to_correct(float_file: bytes, int8_file: bytes, pictures: list[Floats]) -> None:
    again = BiasCorrection(float_file, pictures).correct(int8_file)
    for before, after in zip(_biases(int8_file), _biases(again), strict=True):
        assert np.abs(after - before).max() <= 1  # a step; all layers corrected at once would change by hundreds


def test_only_biases_change(float_file: bytes, int8_file: bytes, pictures: list[Floats]) -> None:
    def others(content: bytes) -> list[bytes | None]:
        model = read_tflite(content)
        biases = {int(layer.inputs[2]) for layer in _layers(model)}
        values = [
            constant(model, tensor) for index, tensor in enumerate(model.subgraphs[0].tensors) if index not in biases
        ]
        return [None if value is None else value.tobytes() for value in values]

    moved = _moved(int8_file, 0, _MOVED_STEPS)
    corrected = BiasCorrection(float_file, pictures).correct(moved)
    assert others(corrected) == others(moved)
    assert len(corrected) == len(write_tflite(read_tflite(moved)))


@pytest.mark.parametrize("by", ["tensor", "buffer"])
def test_two_layers_that_share_a_bias_get_one_each(
    by: str, float_file: bytes, int8_file: bytes, pictures: list[Floats]
) -> None:
    model = read_tflite(int8_file)
    tensors = model.subgraphs[0].tensors
    first, second = _layers(model)[1:3]  # the depthwise ones: zeros in the float file
    if by == "tensor":
        second.inputs = [*second.inputs[:2], int(first.inputs[2])]
    else:
        tensors[second.inputs[2]].buffer = tensors[first.inputs[2]].buffer
    corrected = BiasCorrection(float_file, pictures).correct(write_tflite(model))

    found = read_tflite(corrected)
    first, second = _layers(found)[1:3]
    assert int(first.inputs[2]) != int(second.inputs[2])
    if by == "buffer":  # a shared tensor also shares its scale, in which the second layer's bias is another number
        for before, after in zip(_biases(int8_file), _biases(corrected), strict=True):
            assert np.abs(after - before).max() <= 1


def test_a_file_of_another_network_is_refused(float_file: bytes, pictures: list[Floats]) -> None:
    image = keras.Input((32, 32, 3), dtype="uint8")
    other = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))))
    content = quantise_file(_float_file(other), "int8", iter(pictures))
    with pytest.raises(ExportError, match=r"has 1 convolutions and dense layers, the float file 5"):
        BiasCorrection(float_file, pictures).correct(content)
