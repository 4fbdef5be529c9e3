"""Fast inference of a network that is not trained.

On a processor, TensorFlow's own kernels need five times as long for a mobile network as LiteRT's XNNPACK
(EfficientNet-Lite0 at 224 px on 2 cores: 29 against 5 ms per picture). So where Keras runs on TensorFlow without a GPU,
a frozen float32 network is converted to a TFLite model in memory and run with one interpreter per core. On JAX it is
compiled for one device; elsewhere Keras runs it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.inference.native_log import quiet_native_log
from trailcam_core.inference.runtimes import load_runtime
from trailcam_core.jobs.cores import usable_cores
from trailcam_train.models.runtime import has_gpu

Floats = npt.NDArray[np.floating[Any]]
InferenceFunction = Callable[[npt.NDArray[np.uint8]], Floats]  # (N, H, W, 3) uint8 to (N, ...) float32


def compile_inference(model: keras.Model) -> InferenceFunction:
    """Return a function that computes ``model`` in inference mode, with its current weights.

    Args:
        model: one input, (N, H, W, 3) uint8 RGB, and one output, (N, ...) float.

    Returns:
        A function for one thread at a time; its float32 outputs equal those of Keras to rounding.
    """
    if keras.backend.backend() == "tensorflow" and not has_gpu() and _in_float32(model):
        return _litert_forward(_convert(model))
    if keras.backend.backend() == "jax":
        return jax_forward(model)
    return lambda images: np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), np.float32)


def jax_forward(model: keras.Model) -> InferenceFunction:
    """Return a function that runs a network on JAX on this host and one device, with the weights that it has now.

    Args:
        model: its weights may be spread over all hosts; each device holds all of them.

    Returns:
        A function from inputs (N, ...) to outputs (N, ...) float32; N may be 0, where a host has no part of a batch.
        Keras' own call would run operation by operation.
    """
    import jax

    def here(variables: Any) -> list[Any]:
        return [variable.value.addressable_data(0) for variable in variables]

    trainable, fixed = here(model.trainable_variables), here(model.non_trainable_variables)
    call = jax.jit(lambda weights, rest, inputs: model.stateless_call(weights, rest, inputs, training=False)[0])
    nothing = np.empty((0, *model.output_shape[1:]), np.float32)
    return lambda inputs: np.asarray(call(trainable, fixed, inputs), np.float32) if len(inputs) else nothing


def _in_float32(model: keras.Model) -> bool:
    """Return whether every layer computes in float32: TFLite has no operators in bfloat16."""
    return all(layer.compute_dtype == "float32" for layer in model.layers if layer.weights)


def _convert(model: keras.Model) -> bytes:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)]
    function = tf.function(lambda images: model(images, training=False), input_signature=signature)
    # Frozen first: given variables, the converter can drop them without an error.
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module()).convert())


def _litert_forward(content: bytes) -> InferenceFunction:
    count = usable_cores()
    with quiet_native_log():
        interpreters = [load_runtime().Interpreter(model_content=content, num_threads=1) for _ in range(count)]
        for interpreter in interpreters:
            interpreter.allocate_tensors()
    into = interpreters[0].get_input_details()[0]["index"]
    out = interpreters[0].get_output_details()[0]
    pool = ThreadPoolExecutor(count, thread_name_prefix="forward")

    def answer(images: npt.NDArray[np.uint8]) -> Floats:
        answers = np.empty((len(images), *out["shape"][1:]), np.float32)

        def work(number: int) -> None:
            interpreter = interpreters[number]
            for position in range(number, len(images), count):
                interpreter.set_tensor(into, images[position : position + 1])
                interpreter.invoke()
                answers[position] = interpreter.get_tensor(out["index"])[0]

        for _ in pool.map(work, range(count)):
            pass  # an error in a thread is raised here
        return answers

    return answer
