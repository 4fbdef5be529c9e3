"""From a trained Keras model to an ONNX file that plain ONNX Runtime runs: (1, H, W, 3) uint8 in, float32 logits out.

float32    by tf2onnx from a frozen concrete function, then ONNX Runtime's own basic optimisation, which folds batch
           normalisation into the convolutions; tf2onnx leaves it beside every depthwise one
float16    the same with weights in half precision and a Cast behind each, which the runtime folds away when it loads
           the file: half the size, the same arithmetic
int8       ONNX Runtime's static quantiser: QDQ, a weight scale per channel, ranges by least and largest value

int8 weights are unsigned, with 128 as zero, but those of depthwise convolutions are signed. Signed weights in a matrix
product saturate on x86 processors without VNNI, where two products of 8 bits are added in 16; unsigned ones in a
depthwise convolution have no fast kernel. ``docs/adr/0009-quantiser.md`` has the figures.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tf2onnx.handler import tf_op

from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_core.inference.file_model import first_line
from trailcam_export.convert.quantise import spanning

# Read by every ONNX Runtime from 1.14 on; nothing newer is needed. Source: the table of versions in ONNX Runtime's
# documentation, "Compatibility".
OPSET = 17
IR_VERSION = 8
INPUT_NAME, OUTPUT_NAME = "image", "logits"
_SMALLEST_HALVED = 64  # elements; a Cast for smaller ones (scales, biases of small layers) saves nothing
_LARGEST_HALF = 65_504.0
_UNSIGNED_ZERO = 128


@tf_op("Erfc")
class _Erfc:
    """Add an operator that tf2onnx lacks: TensorFlow's exact GELU is written with 1 - erf."""

    @classmethod
    def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
        """Replace a node from opset 9 on, which has Erf."""
        ctx.remove_node(node.name)
        one = ctx.make_const(tf2onnx.utils.make_name("one"), np.ones((), np.float32)).output[0]
        erf = ctx.make_node("Erf", [node.input[0]]).output[0]
        ctx.make_node("Sub", [one, erf], outputs=node.output, name=node.name)


def convert_onnx_float32(model: keras.Model) -> onnx.ModelProto:
    """Convert to float32 with a fixed batch of one.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits.

    Raises:
        ExportError: it needs an operator that tf2onnx lacks.
    """
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name=INPUT_NAME)]
    function = tf.function(lambda image: {OUTPUT_NAME: model(image, training=False)}, input_signature=signature)
    with _quiet_loggers():
        try:
            converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
        except (ValueError, RuntimeError, KeyError) as error:
            raise ExportError(_refusal(error)) from error
    return optimise(converted)


def optimise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a float32 file after ONNX Runtime's own basic optimisation, with the pinned operator set.

    Raises:
        ExportError: ONNX Runtime cannot read it.
    """
    with _quiet_loggers(), TemporaryDirectory(prefix="trailcam-onnx-") as folder:
        plain, optimised = Path(folder) / "plain.onnx", Path(folder) / "optimised.onnx"
        onnx.save(model, plain)
        try:
            quant_pre_process(plain, optimised, skip_symbolic_shape=True)
        except Exception as error:  # ONNX Runtime's errors share no other base
            raise ExportError(_refusal(error)) from error
        return _pin(onnx.load(optimised))


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a float32 file whose weights are in half precision, with a Cast to float32 behind each.

    Raises:
        ExportError: a weight is too large for half precision.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    casts = []
    for tensor in copy.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < _SMALLEST_HALVED:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > _LARGEST_HALF:
            raise ExportError(
                f"The weight {tensor.name} reaches {np.abs(values).max():.4g}, half precision ends at "
                f"{_LARGEST_HALF:,.0f}. Leave out the variant onnx-float16."
            )
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [f"{name}_float16"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def quantise_onnx(model: onnx.ModelProto, calibration: Iterable[Image]) -> onnx.ModelProto:
    """Return the int8 file of a float32 one.

    Args:
        model: as ``convert_onnx_float32`` gave it.
        calibration: (H, W, 3) uint8 RGB pictures, at least one; read once, one at a time.

    Raises:
        ExportError: no calibration picture, or ONNX Runtime cannot quantise the file.
    """
    pictures = spanning(calibration, "onnx-int8")
    with _quiet_loggers(), TemporaryDirectory(prefix="trailcam-onnx-") as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        try:
            quantize_static(
                source,
                target,
                _Reader(pictures),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QUInt8,
                extra_options={"WeightSymmetric": True, "TensorQuantOverrides": _signed_depthwise(model)},
            )
        except ExportError:
            raise
        except (ValueError, RuntimeError, KeyError) as error:
            raise ExportError(_refusal(error)) from error
        return _pin(_even_zero_points(onnx.load(target)))


def _even_zero_points(model: onnx.ModelProto) -> onnx.ModelProto:
    """Set the zero point of all-zero channels to that of the others, 128 in place of 0, and their values to 128.

    ONNX Runtime's quantiser leaves them at 0, and its convolutions refuse zero points that differ.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        zero_points = numpy_helper.to_array(constants[node.input[2]]).copy()
        if zero_points.dtype != np.uint8 or len(np.unique(zero_points)) < 2:
            continue
        axis = next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 1)
        values = np.moveaxis(numpy_helper.to_array(constants[node.input[0]]).copy(), axis, 0)
        empty = np.array([bool((channel == own).all()) for channel, own in zip(values, zero_points, strict=True)])
        values[empty], zero_points[empty] = _UNSIGNED_ZERO, _UNSIGNED_ZERO
        if len(np.unique(zero_points)) > 1:
            raise ExportError(f"ONNX Runtime quantised {node.input[0]} with zero points that differ between channels.")
        for name, changed in ((node.input[0], np.moveaxis(values, 0, axis)), (node.input[2], zero_points)):
            constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed), name))
    return model


def _signed_depthwise(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """Return the overrides for weights of depthwise convolutions, which have one input channel per group."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    rule = {"quant_type": QuantType.QInt8, "symmetric": True, "axis": 0}
    return {
        node.input[1]: [dict(rule)]
        for node in model.graph.node
        if node.op_type == "Conv" and _groups(node) > 1 and shapes.get(node.input[1], (0, 0))[1] == 1
    }


def _groups(node: onnx.NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "group"), 1)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Iterator of calibration images for ONNX Runtime."""

    def __init__(self, pictures: Iterator[Image]) -> None:
        self._pictures = pictures

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or None."""
        image = next(self._pictures, None)
        return None if image is None else {INPUT_NAME: image[None]}


def _pin(model: onnx.ModelProto) -> onnx.ModelProto:
    """State only the opset that is used, and the intermediate-representation version that goes with it."""
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        raise ExportError(f"The converted ONNX file uses operators of {foreign[0]!r}, expected standard ones.")
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    model.ir_version = IR_VERSION
    return model


def _refusal(error: Exception) -> str:
    reason = first_line(error)
    return f"This model cannot be expressed in ONNX: {reason}. Leave out the onnx variants or replace the layer."


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Silence the loggers of tf2onnx and ONNX Runtime inside the block."""
    loggers = [logging.getLogger(name) for name in ("", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
