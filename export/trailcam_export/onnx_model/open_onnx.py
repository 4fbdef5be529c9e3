"""Rebuild an ONNX classifier that was trained elsewhere: (1, H, W, 3) uint8 RGB in, (1, K) float32 logits out.

    batch of any size           a batch of one
    pixels scaled outside       scaled inside, by the stated mean and deviation, or range
    channels first              transposed inside
    softmax at the end          removed
    other operator sets         converted to the pinned one

The result is compared with the original on noise. The range is stated by the user and never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from trailcam_core.errors import ExportError
from trailcam_core.inference.decision import probabilities
from trailcam_core.inference.file_model import first_line
from trailcam_core.inference.first_opening import prove_opening
from trailcam_export.convert.to_onnx import INPUT_NAME, OUTPUT_NAME, optimise
from trailcam_export.onnx_model.read_onnx import CHANNELS, EXPORT_HINT, Original, read_original
from trailcam_export.onnx_model.scaling import IDENTITY, Scaling

Logits = npt.NDArray[np.float32]

_TOLERANCE = 1e-3  # relative, of a score: the same float32 operations, but for folded normalisation


@dataclass(frozen=True, eq=False)
class OnnxClassifier:
    """A rebuilt model: ``proto`` takes ``image`` and gives ``logits``; the shapes are as Keras states them.

    ``scaling`` is what was put inside; ``original`` is the file before it, for other scalings.
    """

    proto: onnx.ModelProto
    input_shape: tuple[None, int, int, int]
    output_shape: tuple[None, int]
    scaling: Scaling
    original: Original

    def with_scaling(self, scaling: Scaling) -> onnx.ModelProto:
        """Return the model with other input values for the same pixel levels."""
        return build(self.original, scaling)


def open_onnx_model(path: Path, labels: Sequence[str], scaling: Scaling | None) -> OnnxClassifier:
    """Open and rebuild an ONNX model.

    Args:
        path: the file.
        labels: K names in the order of its outputs.
        scaling: from levels to input values, as the user stated it.

    Raises:
        BundleError: its runtime aborts or crashes on it.
        ExportError: no ONNX file, not an image classifier of these labels, its scaling is not known, or it cannot be
            rebuilt.
    """
    prove_opening(path)
    original = read_original(path)
    chosen = _choose_scaling(original, scaling)
    proto = build(original, chosen)
    logits = run_onnx(proto, _noise(original.height, original.width), path)
    if logits.shape[1] != len(labels):
        raise ExportError(
            f"{path}: gives {logits.shape[1]} scores, but --labels lists {len(labels)} names: expected one for each. "
            "Name the label file that belongs to the model."
        )
    _check_same(original, chosen, logits)
    rebuilt = optimise(proto)
    sides = (None, original.height, original.width, CHANNELS)
    return OnnxClassifier(rebuilt, sides, (None, len(labels)), chosen, original)


def build(original: Original, scaling: Scaling) -> onnx.ModelProto:
    """Return the graph with raw pixels in, scaled by ``scaling``, and logits out.

    Raises:
        ExportError: the result is not valid.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(original.graph)
    graph = copy.graph
    size = (1, original.height, original.width, CHANNELS)
    before = _input_nodes(original, scaling)
    nodes = [*before, *graph.node, *_output_nodes(original)]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, size))
    graph.output.append(helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, None))
    scale, offset = scaling.arrays
    graph.initializer.extend(
        [
            numpy_helper.from_array(scale, "pixel_scale"),
            numpy_helper.from_array(offset, "pixel_offset"),
            numpy_helper.from_array(np.array([1, -1], np.int64), "logits_shape"),
        ]
    )
    try:
        inferred = onnx.shape_inference.infer_shapes(copy, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(
            f"{original.path}: does not work with a batch of one ({first_line(error)}). {EXPORT_HINT} with a batch of "
            "one."
        ) from error
    inferred.graph.name = "classifier"
    return inferred


def run_onnx(proto: onnx.ModelProto, images: npt.NDArray[Any], path: Path) -> Logits:
    """Return the scores, (N, K) float32, of (N, H, W, 3) uint8 images, one at a time.

    Raises:
        ExportError: ONNX Runtime cannot run the model.
    """
    try:
        session = open_session(proto)
        name = session.get_inputs()[0].name
        answers = [session.run(None, {name: image[None]})[0] for image in images]
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise ExportError(f"{path}: ONNX Runtime cannot run it with a batch of one ({first_line(error)}).") from error
    return np.concatenate([np.asarray(answer, np.float32).reshape(1, -1) for answer in answers])


def open_session(proto: onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session of ONNX Runtime on the processor, with only errors in its log."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, threads
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _choose_scaling(original: Original, stated: Scaling | None) -> Scaling:
    if original.floats and stated is None:
        raise ExportError(
            f"{original.path}: takes float values and an ONNX file does not state their range. State mean and "
            "deviation of its training, for example --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225, or "
            "--input-range 0 1."
        )
    if not original.floats and stated not in (None, IDENTITY):
        raise ExportError(
            f"{original.path}: takes whole numbers, levels 0 to 255, but {stated.text if stated else ''} is stated: "
            "scaling twice would make all pictures look alike. Leave it out."
        )
    return stated or IDENTITY


def _input_nodes(original: Original, scaling: Scaling) -> list[onnx.NodeProto]:
    names = iter(f"pixel_{number}" for number in range(4))
    nodes: list[onnx.NodeProto] = []
    tensor = INPUT_NAME

    def add(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal tensor
        made = next(names)
        nodes.append(helper.make_node(kind, [tensor, *more], [made], **attributes))
        tensor = made

    if original.floats:
        add("Cast", to=TensorProto.FLOAT)
        if scaling != IDENTITY:
            add("Mul", "pixel_scale")
            add("Add", "pixel_offset")
    if original.channels_first:
        add("Transpose", perm=[0, 3, 1, 2])
    nodes.append(helper.make_node("Identity", [tensor], [original.input_name]))
    return nodes


def _output_nodes(original: Original) -> list[onnx.NodeProto]:
    return [helper.make_node("Reshape", [original.scores, "logits_shape"], [OUTPUT_NAME])]


def _noise(height: int, width: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, CHANNELS))
    return np.stack([random.integers(0, 256, ramp.shape, dtype=np.uint8), ramp, 255 - ramp])


def _check_same(original: Original, scaling: Scaling, logits: Logits) -> None:
    """Compare with the original, which is given the scaled values; as probabilities if it gives them."""
    images = _noise(original.height, original.width)
    scale, offset = scaling.arrays
    values: npt.NDArray[Any] = images.astype(np.float32) * scale + offset if original.floats else images
    if original.channels_first:
        values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
    expected = run_onnx(original.graph, values, original.path)
    got = probabilities(logits, 1.0) if original.gives_probabilities else logits
    if original.gives_probabilities and expected.max() <= 0:
        expected = np.exp(expected)  # a log-softmax
    worst = float(np.abs(got - expected).max())
    allowed = _TOLERANCE * (1 + float(np.abs(expected).max()))
    if not worst <= allowed:
        raise ExportError(
            f"{original.path}: rebuilt with raw pixels in and logits out it gives other scores (by {worst:.4g}, "
            f"expected at most {allowed:.4g}). {EXPORT_HINT} with a batch of one and logits at the end."
        )
