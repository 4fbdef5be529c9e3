"""A new last layer in an int8 file: the frozen part keeps every byte, and an update sends little."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import ExportError
from trailcam_core.inference.open_model import open_model
from trailcam_core.spec import InputSpec
from trailcam_deploy.release.deltas import make_delta
from trailcam_export.convert.embedded_metadata import EmbeddedMetadata, embed_tflite_metadata
from trailcam_export.convert.last_layer import DenseLayer, give_features, replace_last_layer
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite
from trailcam_export.tflite.inspect import shorten_names

_HEAD = ("logits_1/MatMul", "logits_1/BiasAdd", "PartitionedCall:0", "PartitionedCall:0_quantized")


@pytest.fixture(scope="module")
def content() -> bytes:
    return open_bundle(BUILTIN_BUNDLE).model_path.read_bytes()


def tensors(content: bytes) -> dict[str, tuple[bytes, bytes, bytes]]:
    """Return data, scales and zero points of each tensor by name."""
    model = read_tflite(content)
    found = {}
    for tensor in model.subgraphs[0].tensors:
        data, ranges = model.buffers[tensor.buffer].data, tensor.quantization
        parts: list[Any] = [data, *((ranges.scale, ranges.zeroPoint) if ranges is not None else (None, None))]
        found[bytes(tensor.name).decode()] = tuple(b"" if part is None else bytes(part) for part in parts)
    return found  # type: ignore[return-value]


def own_layer(content: bytes) -> tuple[DenseLayer, tuple[float, float]]:
    """Return the last layer of a file as floats, and the range of its logits."""
    model = read_tflite(content)
    graph = model.subgraphs[0]
    dense = graph.operators[-2]
    _, weights, bias = (graph.tensors[int(index)] for index in dense.inputs)
    kernel = np.frombuffer(bytes(model.buffers[weights.buffer].data), np.int8).reshape(weights.shape)
    shift = np.frombuffer(bytes(model.buffers[bias.buffer].data), np.int32)
    ends = graph.tensors[int(dense.outputs[0])].quantization
    low, high = ((end - int(ends.zeroPoint[0])) * float(ends.scale[0]) for end in (-128, 127))
    floats = kernel.T * weights.quantization.scale[0], shift * bias.quantization.scale[0]
    return DenseLayer(*floats), (low, high)


def retrained(content: bytes, count: int) -> DenseLayer:
    """Return a last layer as a retraining leaves it: every old weight moved, and ``count`` new outputs."""
    layer, _ = own_layer(content)
    rng = np.random.default_rng(0)
    moved = layer.kernel + rng.normal(0, 0.02, layer.kernel.shape)
    new = rng.normal(0, float(layer.kernel.std()), (layer.kernel.shape[0], count))
    return DenseLayer(np.hstack([moved, new]), np.append(layer.bias + 0.1, np.zeros(count)))


def answers(content: bytes, folder: Path, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    (folder / "model.tflite").write_bytes(content)
    model = open_model(folder / "model.tflite", num_threads=1)
    return np.stack([model.invoke(image[None]) for image in images])


def test_its_own_layer_gives_the_same_answers(content: bytes, tmp_path: Path) -> None:
    layer, (low, high) = own_layer(content)
    images = open_bundle(BUILTIN_BUNDLE).read_golden().images[:2]

    again = answers(replace_last_layer(content, layer, low, high), tmp_path, images)

    step = (high - low) / 255
    assert np.abs(again - answers(content, tmp_path, images)).max() <= step * 1.01


def test_the_frozen_part_keeps_every_byte(content: bytes) -> None:
    before = tensors(content)
    after = tensors(replace_last_layer(content, retrained(content, 2), -10.0, 12.0))
    changed = {name for name in before if before[name] != after[name]}

    assert before.keys() == after.keys()
    assert changed
    assert all(name.endswith(_HEAD) for name in changed)


def test_new_outputs_answer_as_the_floats_do(content: bytes, tmp_path: Path) -> None:
    layer = retrained(content, 2)
    images = open_bundle(BUILTIN_BUNDLE).read_golden().images[:2]
    features_file, scale, zero = give_features(content)
    model = read_tflite(features_file)
    assert model.subgraphs[0].outputs[0] == read_tflite(content).subgraphs[0].operators[-2].inputs[0]

    logits = answers(replace_last_layer(content, layer, -30.0, 30.0), tmp_path, images)

    features = np.float32(_run(features_file, images) - zero) * scale
    assert logits.shape == (2, layer.kernel.shape[1])
    assert np.abs(logits - (features @ layer.kernel + layer.bias)).max() < 1.0  # quanta of 0.24 and of the weights


def _run(content: bytes, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    from trailcam_core.inference.runtimes import load_runtime

    interpreter = load_runtime().Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    found = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].astype(np.int32))
    return np.stack(found)


def test_the_update_is_small_and_files_do_not_grow(content: bytes) -> None:
    layer = retrained(content, 2)
    card = EmbeddedMetadata(
        "x", "1.0.0", tuple(map(str, range(layer.kernel.shape[1]))), InputSpec(260, 260, "stretch"), "0" * 64
    )

    first = embed_tflite_metadata(shorten_names(replace_last_layer(content, layer, -9.0, 9.0)), card)
    second = embed_tflite_metadata(shorten_names(replace_last_layer(first, layer, -9.0, 9.0)), card)

    assert len(make_delta(content, first)) <= 0.15 * len(make_delta(b"", first))
    assert len(second) == len(first)


def test_another_network_is_refused(content: bytes) -> None:
    with pytest.raises(ExportError, match="1280 features in front of its last layer, the trained network 7"):
        replace_last_layer(content, DenseLayer(np.zeros((7, 2)), np.zeros(2)), 0.0, 1.0)


def test_a_file_without_a_dense_layer_is_refused(content: bytes) -> None:
    model = read_tflite(content)
    model.subgraphs[0].outputs = [int(model.subgraphs[0].operators[0].outputs[0])]

    with pytest.raises(ExportError, match="does not end in a dense layer"):
        replace_last_layer(write_tflite(model), DenseLayer(np.zeros((7, 2)), np.zeros(2)), 0.0, 1.0)
