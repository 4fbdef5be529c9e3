"""Convert a trained Keras model to a float TFLite file.

The weights are frozen into the graph as constants before the converter sees it. ``from_concrete_functions`` on a graph
that still holds variables can drop them without an error; a frozen graph has none to drop.

float32    uint8 in, cast inside the graph, float32 logits out.
float16    the same with weights in half precision; the runtime turns them into float32 when it loads the file.

``docs/adr/0003-normalisation-inside-the-graph.md`` has the reasons and measurements; ``quantise`` makes integer files.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_core.inference.file_model import first_line
from trailcam_export.keras_model.load_run_model import copy_weights

_CLONE_TOLERANCE = 1e-4  # relative, of a logit: the same float32 operations, only the first cast is gone


def convert_float32(model: keras.Model, dtype: str = "uint8") -> bytes:
    """Convert to float32 with a fixed batch of one and builtin operators only.

    Args:
        model: (N, H, W, 3) RGB of ``dtype`` to (N, K) float32 logits.
        dtype: ``uint8`` for shipped files; ``float32`` for a quantiser, see ``with_float_input``.

    Raises:
        ExportError: it needs an operator that TFLite lacks.
    """
    return run_converter(freeze(model, dtype))


def convert_float16(model: keras.Model) -> bytes:
    """Convert to float16 weights with a fixed batch of one and builtin operators only.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits.

    Raises:
        ExportError: it needs an operator that TFLite lacks.
    """
    return run_converter(freeze(model, "uint8"), optimizations=[tf.lite.Optimize.DEFAULT], supported_types=[tf.float16])


def with_float_input(model: keras.Model) -> keras.Model:
    """Return a copy of ``model`` that takes the same levels, 0 to 255, as float32, batch of one.

    Quantisers turn only what is float into integers; the cast at the start of ``model`` would stay a float island.

    Raises:
        ExportError: the model cannot be rebuilt.
    """
    taken = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype="float32")
    try:
        copy = keras.models.clone_model(model, input_tensors=taken)
        copy_weights(model, copy)
    except (ValueError, TypeError) as error:
        reason = first_line(error)
        raise ExportError(
            f"The model cannot be rebuilt with a float32 input, which int8 needs ({reason}). "
            "Build it with keras.Input(dtype='uint8') and Keras layers or operations, as the recipes do."
        ) from error
    return copy


def check_copy(model: keras.Model, copy: keras.Model, image: Image) -> None:
    """Refuse a copy of ``with_float_input`` whose logits of an (H, W, 3) uint8 RGB image are not the model's.

    Raises:
        ExportError: saying by how much they differ.
    """
    expected = np.asarray(model(tf.constant(image[None]), training=False).numpy())
    got = np.asarray(copy(tf.constant(image[None], tf.float32), training=False).numpy())
    worst = float(np.abs(got - expected).max())
    if not worst <= _CLONE_TOLERANCE * (1 + float(np.abs(expected).max())):
        raise ExportError(
            f"The model rebuilt with a float32 input gives other logits than the trained one (by {worst:.4g}). "
            "A layer of it treats whole numbers differently; let the first layer turn the pixels into float32."
        )


def freeze(model: keras.Model, dtype: str) -> Any:
    """Return a concrete function of one (1, H, W, 3) input named ``image`` whose weights are constants.

    Raises:
        ExportError: a weight stays a variable.
    """
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), dtype, name="image")]
    function = tf.function(lambda image: model(image, training=False), input_signature=signature)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    left = [item for item in frozen.inputs if item.dtype == tf.resource]
    if left:
        raise ExportError(f"{len(left)} variables could not be frozen into the graph, among them {left[0].name}.")
    return frozen


def run_converter(frozen: Any, supported_types: list[Any] | None = None, **settings: Any) -> bytes:
    """Run ``TFLiteConverter`` on the function of ``freeze``, with these attributes set.

    Raises:
        ExportError: the model needs an operator that TFLite lacks; the message names it.
    """
    # The empty module is what owns the variables, none; without it the converter takes a path its makers gave up.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    # One scale per dense layer and not per output: the same answers to within noise (docs/adr/0009-quantiser.md), and
    # TFLite older than 2.17 reads only the first scale, which makes its answers wrong without an error.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if supported_types is not None:
        converter.target_spec.supported_types = supported_types
    operators = settings.pop("supported_ops", [tf.lite.OpsSet.TFLITE_BUILTINS])
    converter.target_spec.supported_ops = operators
    for name, value in settings.items():
        setattr(converter, name, value)
    try:
        return bytes(converter.convert())
    except (ConverterError, ValueError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        relevant = next((line for line in lines if "op" in line.split() or "ops:" in line), lines[0])
        raise ExportError(
            f"TFLite cannot express this model with its builtin operators: {relevant[:300]}. "
            "Replace the layer that needs it."
        ) from error
