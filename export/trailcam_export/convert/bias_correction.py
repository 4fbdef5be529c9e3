"""Correct the biases of an int8 TFLite file: take the mean error of each layer on pictures out of its bias.

Rounding shifts the mean of what a layer computes, each output by another amount: where a feature is mostly one
constant, such as a normalised zero, the constant is wrong by the same part of a step everywhere. The layers behind
average noise out, but add up a shift. So it is measured and subtracted, in the order of execution: a layer is
corrected for inputs that are corrected already. All layers at once would be corrected twice, here and one layer on.

What a layer computes in front of its activation function is linear. Its mean over pictures is therefore what it gives
for the mean input, with the weights and the bias that the file has.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2. The
measurements are in ``docs/adr/0020-bias-correction.md``.
"""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from trailcam_core.errors import ExportError
from trailcam_core.jobs.cores import usable_cores
from trailcam_export.tflite.flatbuffer import operator_code, read_tflite, write_tflite
from trailcam_export.tflite.single_operator import constant, linear_file, operator_file, real_numbers

_OPS = schema.BuiltinOperator
_LAYERS = (_OPS.CONV_2D, _OPS.DEPTHWISE_CONV_2D, _OPS.FULLY_CONNECTED)  # inputs: activation, weights, bias

Floats = npt.NDArray[np.float32]


class BiasCorrection:
    """What the layers of a float file compute on pictures, to correct int8 files that are made from it.

    Args:
        float_content: float32 in and out.
        pictures: (1, H, W, 3) float32, 0 to 255, at least one.
    """

    def __init__(self, float_content: bytes, pictures: Sequence[Floats]) -> None:
        trained = read_tflite(float_content)
        layers = _find_layers(trained)
        means = _mean_inputs(float_content, {int(layer.inputs[0]) for layer in layers}, pictures)
        self._pictures, self._kinds = pictures, [operator_code(trained, layer) for layer in layers]
        self._expected = [_mean_output(trained, layer, means[int(layer.inputs[0])]) for layer in layers]

    def correct(self, content: bytes) -> bytes:
        """Return an int8 file with other biases; all else of it stays.

        Raises:
            ExportError: it does not have the layers of the float file, in their order.
        """
        model = read_tflite(content)
        layers = _find_layers(model)
        if [operator_code(model, layer) for layer in layers] != self._kinds:
            raise ExportError(
                f"The int8 file has {len(layers)} convolutions and dense layers, the float file {len(self._kinds)}, or "
                "in another order. Nothing was exported."
            )
        run, done = _StepwiseRun(model, self._pictures), 0
        for operator in list(model.subgraphs[0].operators):
            if done < len(layers) and operator is layers[done]:
                if len(operator.inputs) == 3 and operator.inputs[2] >= 0:
                    found = _mean_output(model, operator, run.mean(int(operator.inputs[0])))
                    _add_to_bias(model, operator, self._expected[done] - found)
                done += 1
            run.step(operator)
        return write_tflite(model)


class _StepwiseRun:
    """Runs a file on pictures one operator at a time; an activation is dropped after its last reader."""

    def __init__(self, model: Any, pictures: Sequence[Floats]) -> None:
        self._model, self._graph, self._count = model, model.subgraphs[0], len(pictures)
        index = int(self._graph.inputs[0])
        tensor = self._graph.tensors[index]
        dtype = np.uint8 if tensor.type == schema.TensorType.UINT8 else np.int8
        scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
        limits = np.iinfo(dtype)
        self._values = {
            index: [
                np.clip(np.rint(picture / scale) + zero, limits.min, limits.max).astype(dtype) for picture in pictures
            ]
        }
        self._readers = Counter(int(number) for operator in self._graph.operators for number in operator.inputs)

    def mean(self, index: int) -> Floats:
        """Return the mean of an activation over the pictures, in real numbers and the activation's shape."""
        total = np.zeros(self._values[index][0].shape)
        for value in self._values[index]:
            total += value
        return real_numbers(total / self._count, self._graph.tensors[index])

    def step(self, operator: Any) -> None:
        """Run the next operator on all pictures."""
        taken = list(dict.fromkeys(int(index) for index in operator.inputs if int(index) in self._values))
        interpreter = _open(operator_file(self._model, operator, taken))
        inputs = [item["index"] for item in interpreter.get_input_details()]
        outputs = [item["index"] for item in interpreter.get_output_details()]
        made: dict[int, list[Any]] = {int(index): [] for index in operator.outputs}
        for picture in range(self._count):
            for number, index in zip(inputs, taken, strict=True):
                interpreter.set_tensor(number, self._values[index][picture])
            interpreter.invoke()
            for number, values in zip(outputs, made.values(), strict=True):
                values.append(interpreter.get_tensor(number))
        self._values |= made
        self._readers.subtract(int(index) for index in operator.inputs)
        for index in [index for index in self._values if not self._readers[index]]:
            del self._values[index]


def _mean_inputs(content: bytes, wanted: set[int], pictures: Sequence[Floats]) -> dict[int, Floats]:
    """Return the means of activations of a float file over the pictures, by tensor."""
    interpreter = Interpreter(
        model_content=content,
        num_threads=usable_cores(),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # they hide activations
    )
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]["index"]
    totals: dict[int, Any] = dict.fromkeys(wanted, 0.0)
    for picture in pictures:
        interpreter.set_tensor(taken, picture)
        interpreter.invoke()
        for index in wanted:
            totals[index] = totals[index] + interpreter.get_tensor(index)
    return {index: (total / len(pictures)).astype(np.float32) for index, total in totals.items()}


def _mean_output(model: Any, layer: Any, mean_input: Floats) -> npt.NDArray[np.float64]:
    """Return the mean of each output of a layer in front of its activation function: (K,)."""
    interpreter = _open(linear_file(model, layer))
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], mean_input)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return np.asarray(found.reshape(-1, found.shape[-1]).mean(axis=0), np.float64)


def _add_to_bias(model: Any, layer: Any, error: npt.NDArray[np.float64]) -> None:
    graph, index = model.subgraphs[0], int(layer.inputs[2])
    tensor = graph.tensors[index]
    values = constant(model, tensor)
    if values is None:
        return
    steps = np.rint(error / np.asarray(tensor.quantization.scale, np.float64)).astype(np.int64)
    limits = np.iinfo(values.dtype)
    corrected = np.clip(values + steps, limits.min, limits.max).astype(values.dtype)
    if sum(int(number) == index for operator in graph.operators for number in operator.inputs) > 1:
        tensor = copy(tensor)
        graph.tensors.append(tensor)
        layer.inputs = [*layer.inputs[:2], len(graph.tensors) - 1]
    if sum(other.buffer == tensor.buffer for other in graph.tensors) > 1:  # as equal biases of several layers do
        model.buffers.append(schema.BufferT())
        tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = np.frombuffer(corrected.tobytes(), np.uint8)


def _find_layers(model: Any) -> list[Any]:
    return [operator for operator in model.subgraphs[0].operators if operator_code(model, operator) in _LAYERS]


def _open(content: bytes) -> Any:
    interpreter = Interpreter(model_content=content, num_threads=usable_cores())
    interpreter.allocate_tensors()
    return interpreter
