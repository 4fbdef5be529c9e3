"""From a trained Keras model to the bytes of a TFLite file.

Both ways freeze the weights into the graph as constants before the converter sees it. ``from_concrete_functions`` on a
graph that still holds variables can drop them without an error; a frozen graph has none to drop.

float32    uint8 in, cast inside the graph, float32 logits out.
int8       uint8 in, int8 inside with weights per channel, int8 logits out, nothing float: see ``convert_int8``.

``docs/adr/0003-normalisation-inside-the-graph.md`` has the reasons and measurements.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trailcam_edge.errors import ExportError
from trailcam_edge.preprocessing import Image
from trailcam_export.graph_check import check_graph

__all__ = ["convert_float32", "convert_int8"]

_CLONE_TOLERANCE = 1e-4  # relative, of a logit: the same float32 operations, only the first cast is gone


def convert_float32(model: keras.Model) -> bytes:
    """Convert to float32 with a fixed batch of one and builtin operators only.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits.

    Raises:
        ExportError: it needs an operator that TFLite lacks, or the file is not what was asked for.
    """
    content = _convert(_converter(_freeze(model, "uint8")))
    check_graph(content, "float32", tuple(model.input_shape[1:]), model.output_shape[-1])
    return content


def convert_int8(model: keras.Model, calibration: Iterable[Image]) -> bytes:
    """Convert to full-integer int8 that takes raw pixel levels.

    The converter quantises what is float, so it is given a copy of the model whose input is float32; asking for uint8
    then turns the input into one QUANTIZE with a scale of 1 and a zero point of 0, for which level and value are the
    same. A cast inside the graph would stay a float island instead. The scale comes from the range that calibration
    saw, so one black and one white pixel are put into the first picture.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits.
        calibration: (H, W, 3) uint8 RGB pictures, at least one; read once, one at a time.

    Raises:
        ExportError: no calibration picture, an operator that TFLite lacks in int8, or anything float in the result.
    """
    copy = _with_float_input(model)
    converter = _converter(_freeze(copy, "float32"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    pictures = iter(calibration)
    first = next(pictures, None)
    if first is None:
        raise ExportError("No calibration picture: int8 needs some to find the range of each layer.")
    _check_copy(model, copy, first)
    converter.representative_dataset = lambda: _calibration_inputs(first, pictures)
    content = _convert(converter)
    check_graph(content, "int8", tuple(model.input_shape[1:]), model.output_shape[-1])
    return content


def _calibration_inputs(first: Image, others: Iterable[Image]) -> Iterator[list[npt.NDArray[np.float32]]]:
    """Give (1, H, W, 3) float32 inputs in 0..255; both ends of that range occur."""
    spanning = first.copy()
    spanning[0, 0], spanning[0, 1] = 0, 255
    yield [spanning[None].astype(np.float32)]
    for image in others:
        yield [image[None].astype(np.float32)]


def _with_float_input(model: keras.Model) -> keras.Model:
    """Return a copy of ``model`` that takes the same levels as float32, batch of one."""
    taken = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype="float32")
    try:
        copy = keras.models.clone_model(model, input_tensors=taken)
        for target, source in zip(copy.weights, model.weights, strict=True):
            target.assign(source)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ExportError(
            f"The model cannot be rebuilt with a float32 input, which int8 needs ({reason}). "
            "Build it with keras.Input(dtype='uint8') and Keras layers or operations, as the recipes do."
        ) from error
    return copy


def _check_copy(model: keras.Model, copy: keras.Model, image: Image) -> None:
    expected = np.asarray(model(tf.constant(image[None]), training=False).numpy())
    got = np.asarray(copy(tf.constant(image[None], tf.float32), training=False).numpy())
    worst = float(np.abs(got - expected).max())
    if not worst <= _CLONE_TOLERANCE * (1 + float(np.abs(expected).max())):
        raise ExportError(
            f"The model rebuilt with a float32 input gives other logits than the trained one (by {worst:.4g}). "
            "A layer of it treats whole numbers differently; let the first layer turn the pixels into float32."
        )


def _freeze(model: keras.Model, dtype: str) -> Any:
    """Return a concrete function of one (1, H, W, 3) input whose weights are constants."""
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), dtype, name="image")]
    function = tf.function(lambda image: model(image, training=False), input_signature=signature)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    left = [item for item in frozen.inputs if item.dtype == tf.resource]
    if left:
        raise ExportError(f"{len(left)} variables could not be frozen into the graph, among them {left[0].name}.")
    return frozen


def _converter(frozen: Any) -> Any:
    # The empty module is what owns the variables, none; without it the converter takes a path its makers gave up.
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())


def _convert(converter: Any) -> bytes:
    try:
        return bytes(converter.convert())
    except (ConverterError, ValueError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        telling = next((line for line in lines if "op" in line.split() or "ops:" in line), lines[0])
        raise ExportError(
            f"TFLite cannot express this model with its builtin operators: {telling[:300]}. "
            "Replace the layer that needs it."
        ) from error
