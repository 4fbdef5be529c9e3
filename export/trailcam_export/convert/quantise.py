"""Convert a trained Keras model to an integer TFLite file, by either of two quantisers.

dynamic_int8   int8 weights; uint8 in, float32 logits out, activations quantised while it runs
int8           int8 weights with a scale per channel, int8 activations; uint8 in, uint8 logits out, nothing float
int16x8        int8 weights, int16 activations; uint8 in and float32 logits out, both at the edge of the graph

``tensorflow`` is the quantiser inside ``tf.lite.TFLiteConverter``, ``litert`` the package ``litert-quantizer``, which
its makers support in its place. Which is the default for what, and why: ``docs/adr/0009-quantiser.md``.

int8 takes raw pixel levels: its input has a scale of 1 and a zero point of 0, for which level and value are the same.
The scale comes from the range that calibration saw, so one black and one white pixel are put into the first picture.
int16 has no raw levels: an int16x8 file starts with a cast to float, which is exact, and then quantises.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_export.convert.quantise_litert import quantise_file
from trailcam_export.convert.to_tflite import check_copy, convert_float32, freeze, run_converter, with_float_input
from trailcam_export.tflite.inspect import take_uint8

QUANTIZERS = ("litert", "tensorflow")
QUANTIZER_OF = {"dynamic_int8": "tensorflow", "int8": "litert", "int16x8": "tensorflow"}
_OPS = tf.lite.OpsSet
_TENSORFLOW: dict[str, dict[str, Any]] = {
    "int8": {
        "supported_ops": [_OPS.TFLITE_BUILTINS_INT8],
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.uint8,
    },
    "int16x8": {"supported_ops": [_OPS.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]},
}


def quantise(
    model: keras.Model,
    scheme: str,
    calibration: Iterable[Image],
    quantizer: str | None = None,
    progress: Progress = silent,
) -> bytes:
    """Convert to an integer scheme with a fixed batch of one and builtin operators only.

    Args:
        model: (N, H, W, 3) uint8 RGB to (N, K) float32 logits.
        scheme: ``dynamic_int8``, ``int8`` or ``int16x8``.
        calibration: (H, W, 3) uint8 RGB pictures, at least one for the schemes that need ranges; read once, one at a
            time.
        quantizer: one of ``QUANTIZERS``; the better one for the scheme where None.
        progress: receives what ``litert`` does after calibration.

    Raises:
        ExportError: no calibration picture, or an operator that TFLite lacks in this scheme.
    """
    chosen = quantizer or QUANTIZER_OF[scheme]
    if chosen not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {', '.join(QUANTIZERS)}, got {chosen!r}")
    if scheme == "dynamic_int8":
        if chosen == "litert":
            return quantise_file(convert_float32(model), scheme, iter(()))
        return run_converter(freeze(model, "uint8"), optimizations=[tf.lite.Optimize.DEFAULT])
    pictures = spanning(calibration, scheme)
    first = next(pictures)
    copy = with_float_input(model)
    check_copy(model, copy, first)
    inputs = (image[None].astype(np.float32) for image in chain([first], pictures))  # (1, H, W, 3), 0 to 255
    if chosen == "litert":
        content = quantise_file(convert_float32(copy, "float32"), scheme, inputs, progress)
    else:
        content = run_converter(
            freeze(copy, "float32"),
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([item] for item in inputs),
            **_TENSORFLOW[scheme],
        )
    return content if scheme == "int8" else take_uint8(content)


def spanning(calibration: Iterable[Image], scheme: str) -> Iterator[Image]:
    """Yield the images, with one black and one white pixel in the first, so that both ends of the range occur.

    Raises:
        ExportError: there is none.
    """
    pictures = iter(calibration)
    first = next(pictures, None)
    if first is None:
        raise ExportError(f"No calibration picture: {scheme} needs some to find the range of each layer.")
    first = first.copy()
    first[0, 0], first[0, 1] = 0, 255
    yield first
    yield from pictures
