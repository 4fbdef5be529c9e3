"""From Keras to ONNX that plain ONNX Runtime runs, and what only looks like success."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from trailcam_core.errors import ExportError
from trailcam_core.inference.onnx import OnnxModel
from trailcam_export.convert.onnx_check import check_onnx
from trailcam_export.convert.to_onnx import OPSET, convert_onnx_float32, quantise_onnx, to_float16
from trailcam_export.inference.predict import KerasPredictor
from trailcam_export.tflite.inspect import kernel_size

Images = npt.NDArray[np.uint8]
SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def float32(tiny: Any) -> onnx.ModelProto:
    return convert_onnx_float32(tiny.model)


def _answers(model: onnx.ModelProto, folder: Path, images: Images) -> npt.NDArray[np.float32]:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    opened = OnnxModel(path)
    return np.stack([opened.invoke(image[None]) for image in images])


def _changed(model: onnx.ModelProto, change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    change(copy)
    return copy


def test_plain_onnx_runtime_gives_the_logits_of_keras(float32: onnx.ModelProto, tiny: Any, images: Images) -> None:
    session = onnxruntime.InferenceSession(float32.SerializeToString(), providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("image", "tensor(uint8)", [1, 32, 32, 3])
    assert (given.name, given.type, given.shape) == ("logits", "tensor(float)", [1, 3])
    expected = KerasPredictor(tiny.model).logits(images)
    got = np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])
    assert np.abs(got - expected).max() < 1e-5


def test_opset_and_ir_version_are_pinned_and_batch_normalisation_is_folded(float32: onnx.ModelProto) -> None:
    assert [(entry.domain, entry.version) for entry in float32.opset_import] == [("", OPSET)]
    assert float32.ir_version == 8
    operators = [node.op_type for node in float32.graph.node]
    assert operators.count("Conv") == 2
    assert "BatchNormalization" not in operators
    assert operators.count("Mul") == operators.count("Add") == 1  # the normalisation of pixels


def test_every_scheme_passes_its_own_check_and_no_other(
    float32: onnx.ModelProto, tiny: Any, images: Images, tmp_path: Path
) -> None:
    kernels = kernel_size(tiny.model)
    made = {"float32": float32, "float16": to_float16(float32), "int8": quantise_onnx(float32, iter(images))}
    expected = KerasPredictor(tiny.model).logits(images)
    for scheme, limit in (("float32", 1e-5), ("float16", 0.01), ("int8", 0.1)):
        check_onnx(made[scheme], scheme, SHAPE, 3, kernels)
        assert np.abs(_answers(made[scheme], tmp_path, images) - expected).max() < limit
    with pytest.raises(ExportError, match="not converted"):
        check_onnx(float32, "int8", SHAPE, 3, kernels)


def test_int8_takes_a_batch_normalisation_behind_an_activation(images: Images) -> None:
    """As in the article's CNN: nothing can be folded there, and the quantiser swallows the ReLU between."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(SHAPE, dtype="uint8"),
            layers.Rescaling(1 / 255, dtype="float32"),
            layers.Conv2D(4, 3, strides=4, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    float32 = convert_onnx_float32(model)
    for scheme, made in (("float32", float32), ("int8", quantise_onnx(float32, iter(images)))):
        check_onnx(made, scheme, SHAPE, 3, kernel_size(model))


def test_int8_reads_raw_levels_and_has_a_weight_scale_per_channel(float32: onnx.ModelProto, images: Images) -> None:
    pale = np.full_like(images[:2], 120)
    model = quantise_onnx(float32, iter(pale))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert (float(constants[first.input[1]]), int(constants[first.input[2]])) == (1.0, 0)
    assert 8 in [value.size for name, value in constants.items() if name.endswith("_scale")]
    assert (pale == 120).all()


def test_int8_weights_are_unsigned_but_of_depthwise_convolutions(float32: onnx.ModelProto, images: Images) -> None:
    model = quantise_onnx(float32, iter(images))
    made_by = {output: node for node in model.graph.node for output in node.output}
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            found.append((node.op_type, groups, kinds[made_by[node.input[1]].input[0]]))
    assert found == [("Conv", 1, TensorProto.UINT8), ("Conv", 8, TensorProto.INT8), ("Gemm", 1, TensorProto.UINT8)]


def test_a_filter_of_zeros_gets_the_zero_point_of_the_others(images: Images, tmp_path: Path) -> None:
    image = keras.Input(SHAPE, dtype="uint8")
    x = keras.layers.Conv2D(8, 3)(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    kernel = model.layers[2].weights[0]
    values = kernel.numpy().copy()
    values[..., 3] = 0
    kernel.assign(values)
    made = quantise_onnx(convert_onnx_float32(model), iter(images))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    conv = next(node for node in made.graph.node if node.op_type == "Conv")
    weight = next(node for node in made.graph.node if conv.input[1] in node.output)
    assert set(constants[weight.input[2]].tolist()) == {128}
    assert set(constants[weight.input[0]][3].ravel().tolist()) == {128}
    assert np.abs(_answers(made, tmp_path, images) - KerasPredictor(model).logits(images)).max() < 0.2


def test_calibration_is_streamed(float32: onnx.ModelProto, images: Images) -> None:
    with pytest.raises(ExportError, match="No calibration picture: onnx-int8"):
        quantise_onnx(float32, iter(()))


def test_a_weight_too_large_for_half_precision_is_named(float32: onnx.ModelProto) -> None:
    def blow_up(model: onnx.ModelProto) -> None:
        tensor = max(model.graph.initializer, key=lambda item: np.prod(item.dims))
        values = onnx.numpy_helper.to_array(tensor) + np.float32(1e6)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    with pytest.raises(ExportError, match=r"half precision ends at 65,504"):
        to_float16(_changed(float32, blow_up))


def _add_node(op_type: str, **attributes: Any) -> Callable[[onnx.ModelProto], object]:
    """Put an operator between the last one and the output."""

    def change(model: onnx.ModelProto) -> None:
        last = model.graph.node[-1]
        last.output[0] = "inner"
        model.graph.node.append(helper.make_node(op_type, ["inner"], ["logits"], **attributes))

    return change


def _scale_behind_conv(model: onnx.ModelProto) -> None:
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    place = list(model.graph.node).index(conv)
    result = conv.output[0]
    conv.output[0] = "unscaled"
    scale = np.full((8, 1, 1), 2, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(scale, "two"))
    model.graph.node.insert(place + 1, helper.make_node("Mul", ["two", "unscaled"], [result]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_add_node("Softmax"), "ends with Softmax"),
        (_add_node("RandomNormalLike"), "draws random numbers"),
        (_scale_behind_conv, "is not fused: Mul"),
        (lambda model: model.opset_import.append(helper.make_opsetid("com.microsoft", 1)), "com.microsoft"),
        (lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "n"), "has the input"),
        (lambda model: setattr(model.graph.output[0], "name", "scores"), "is not valid"),
        (lambda model: model.graph.node.pop(0), "is not valid"),
    ],
)
def test_what_only_looks_like_success_is_refused(
    float32: onnx.ModelProto, tiny: Any, change: Callable[[onnx.ModelProto], object], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        check_onnx(_changed(float32, change), "float32", SHAPE, 3, kernel_size(tiny.model))


@pytest.mark.parametrize(
    "activation",
    [
        keras.layers.Activation("hard_swish"),
        lambda x: keras.ops.gelu(x, approximate=False),
        lambda x: x * keras.ops.sigmoid(1.702 * x),
    ],
    ids=["hard swish", "gelu", "quick gelu"],
)
def test_an_activation_is_no_batch_normalisation_and_gives_what_keras_gives(
    activation: Callable[[Any], Any], images: Images, tmp_path: Path
) -> None:
    image = keras.Input(SHAPE, dtype="uint8")
    x = activation(keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    float32 = convert_onnx_float32(model)
    for scheme, made in (("float32", float32), ("float16", to_float16(float32))):
        check_onnx(made, scheme, SHAPE, 3, kernel_size(model))
    assert np.abs(_answers(float32, tmp_path, images) - KerasPredictor(model).logits(images)).max() < 1e-5


def test_lost_weights_and_another_size_are_refused(float32: onnx.ModelProto, tiny: Any) -> None:
    with pytest.raises(ExportError, match="some were lost"):
        check_onnx(float32, "float32", SHAPE, 3, 10 * kernel_size(tiny.model))
    with pytest.raises(ExportError, match="has the input"):
        check_onnx(float32, "float32", (64, 64, 3), 3, 1)
    with pytest.raises(ExportError, match="has the output"):
        check_onnx(float32, "float32", SHAPE, 4, 1)


def test_weights_beside_the_file_are_refused(float32: onnx.ModelProto) -> None:
    def push_out(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "../elsewhere.bin"
        tensor.ClearField("raw_data")

    with pytest.raises(ExportError, match=r"is not valid|beside it"):
        check_onnx(_changed(float32, push_out), "float32", SHAPE, 3, 1)


def test_a_layer_that_onnx_lacks_is_named() -> None:
    class Odd(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.math.igamma(inputs, inputs)

    image = keras.Input(SHAPE, dtype="uint8")
    x = Odd()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    with pytest.raises(ExportError, match=r"Igamma|cannot be expressed in ONNX"):
        check_onnx(convert_onnx_float32(model), "float32", SHAPE, 3, kernel_size(model))
