"""ONNX models of other people: what is handled, and one clear error for what is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trailcam_core.errors import BundleError, ExportError
from trailcam_export.foreign.other_scalings import other_scalings
from trailcam_export.onnx_model.open_onnx import open_onnx_model, run_onnx
from trailcam_export.onnx_model.predict import OnnxPredictor, onnx_feature_function
from trailcam_export.onnx_model.scaling import from_range, from_statistics

LABELS = ("blue", "green", "red")
UNIT = from_range((0.0, 1.0))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
MEANS = IMAGES.reshape(3, -1, 3).mean(axis=1)[:, ::-1]  # (pictures, blue green red), which the model answers


def colour_model(**changes: Any) -> onnx.ModelProto:
    """Return a model that answers with the mean of blue, green and red, in the layout of a PyTorch export.

    ``changes``: shape, dtype, last (the operator at the end, or none), opset, outputs, batch of the reshape.
    """
    shape = changes.get("shape", ("batch", 3, 32, 32))
    dtype = changes.get("dtype", TensorProto.FLOAT)
    kind = np.float16 if dtype == TensorProto.FLOAT16 else np.float32
    first = shape[1] == 3
    swap = np.eye(3, dtype=kind)[::-1]
    nodes = [] if dtype != TensorProto.UINT8 else [helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT)]
    taken = "floats" if nodes else "x"
    if not first:
        nodes.append(helper.make_node("Transpose", [taken], ["planes"], perm=[0, 3, 1, 2]))
        taken = "planes"
    nodes += [
        helper.make_node("Conv", [taken, "kernel"], ["image"]),  # a name that ours has too
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense"], ["scores"], transB=1),
    ]
    last = changes.get("last", "Softmax")
    if last:
        nodes.append(helper.make_node(last, ["scores"], ["y"]))
    names = ["y" if last else "scores", *changes.get("outputs", ())]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT if kind is np.float32 else dtype, None)
            for name in names
        ],
        [
            numpy_helper.from_array(swap.reshape(3, 3, 1, 1), "kernel"),
            numpy_helper.from_array(np.eye(3, dtype=kind) * 4, "dense"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", changes.get("opset", 17))], ir_version=8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: Any) -> Path:
        path = tmp_path / "theirs.onnx"
        onnx.save(colour_model(**changes), path)
        return path

    return write


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shape": (1, 3, 32, 32)},
        {"shape": ("n", 32, 32, 3)},
        {"last": None},
        {"last": "LogSoftmax"},
        {"opset": 13},
    ],
    ids=["dynamic batch", "batch of one", "channels last", "logits", "log-softmax", "an older operator set"],
)
def test_a_model_takes_raw_pixels_and_gives_logits(changes: dict[str, Any], save: Callable[..., Path]) -> None:
    model = open_onnx_model(save(**changes), LABELS, UNIT)

    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, 3))
    np.testing.assert_allclose(OnnxPredictor(model.proto).logits(IMAGES), MEANS / 255 * 4, rtol=1e-4)


def test_mean_and_deviation_are_put_inside(save: Callable[..., Path]) -> None:
    model = open_onnx_model(save(last=None), LABELS, from_statistics(*IMAGENET))

    mean, std = np.array(IMAGENET[0])[::-1], np.array(IMAGENET[1])[::-1]
    np.testing.assert_allclose(OnnxPredictor(model.proto).logits(IMAGES), (MEANS / 255 - mean) / std * 4, rtol=1e-3)


def test_statistics_of_levels_are_those_of_values() -> None:
    levels = from_statistics((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    values = from_statistics(*IMAGENET)

    for one, other in zip(levels.arrays, values.arrays, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_model_of_whole_numbers_takes_levels_and_refuses_another_range(save: Callable[..., Path]) -> None:
    path = save(dtype=TensorProto.UINT8, last=None)
    model = open_onnx_model(path, LABELS, None)

    np.testing.assert_allclose(OnnxPredictor(model.proto).logits(IMAGES), MEANS * 4, rtol=1e-4)
    with pytest.raises(ExportError, match="takes whole numbers"):
        open_onnx_model(path, LABELS, UNIT)


def test_features_are_the_input_of_the_last_dense_layer(save: Callable[..., Path]) -> None:
    model = open_onnx_model(save(), LABELS, UNIT)

    np.testing.assert_allclose(onnx_feature_function(model.proto)(IMAGES), MEANS / 255, rtol=1e-4)


def test_the_same_model_can_be_asked_with_another_scaling(save: Callable[..., Path]) -> None:
    model = open_onnx_model(save(last=None), LABELS, UNIT)

    other = run_onnx(model.with_scaling(from_range((0.0, 255.0))), IMAGES, Path("x.onnx"))

    np.testing.assert_allclose(other, MEANS * 4, rtol=1e-4)


def test_the_other_usual_scalings_are_tried_and_not_its_own(save: Callable[..., Path]) -> None:
    found = dict(other_scalings(open_onnx_model(save(last=None), LABELS, UNIT)))

    assert "--input-range 0 1" not in found
    assert len(found) == 3
    np.testing.assert_allclose(found["--input-range 0 255"].logits(IMAGES), MEANS * 4, rtol=1e-4)
    assert not list(other_scalings(None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": ("flat",)}, r"1 inputs and 2 outputs \(y, flat\)"),
        ({"dtype": TensorProto.FLOAT16, "last": None}, "takes float16 and gives float16"),
        ({"shape": ("n", 3, "h", "w")}, r"takes \(n, 3, h, w\), expected a fixed height and width"),
        ({"shape": (8, 3, 32, 32)}, "takes batches of 8"),
        ({"shape": ("n", 1, 32, 32)}, "expected colour pictures"),
        ({"shape": (1, 3, 2, 2)}, "takes 2x2 px"),
        ({"last": "Sigmoid"}, "ends with a sigmoid, an independent yes or no for each label"),
        ({"last": "HardSigmoid"}, "ends with a sigmoid"),
    ],
)
def test_what_cannot_be_rebuilt_is_one_error(changes: Any, message: str, save: Callable[..., Path]) -> None:
    with pytest.raises(ExportError, match=message):
        open_onnx_model(save(**changes), LABELS, UNIT)


def test_other_operators_are_named(save: Callable[..., Path]) -> None:
    path = save()
    model = onnx.load(path)
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, path)

    with pytest.raises(ExportError, match=r"uses com\.example\.Conv"):
        open_onnx_model(path, LABELS, UNIT)


def test_labels_of_another_model_and_an_unknown_range_are_refused(save: Callable[..., Path]) -> None:
    with pytest.raises(ExportError, match="gives 3 scores, but --labels lists 2 names"):
        open_onnx_model(save(), LABELS[:2], UNIT)
    with pytest.raises(ExportError, match=r"--mean 0\.485"):
        open_onnx_model(save(), LABELS, None)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" * 20])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "theirs.onnx"
    path.write_bytes(content)

    with pytest.raises((ExportError, BundleError), match=r"theirs\.onnx"):
        open_onnx_model(path, LABELS, UNIT)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [((0.5,) * 3, (0.2, 0.0, 0.2), "above 0"), ((123.0,) * 3, (0.2,) * 3, "of levels 0 to 255, but --std")],
)
def test_statistics_that_contradict_each_other_are_refused(mean: Any, std: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        from_statistics(mean, std)
