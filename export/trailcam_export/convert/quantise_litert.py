"""Quantise a float TFLite file with ``litert-quantizer``.

Two of its defaults are replaced, for reasons measured in ``docs/adr/0009-quantiser.md``, and biases are corrected:

ranges        those of ``ranges``, not a moving average of the least and the largest value. The average clips logits by
              up to 8 and reads a pixel level as 0.986 of itself. Of several the one is taken whose answers to
              calibration pictures diverge least from those of the float file.
dense layers  one scale for all outputs. The package leaves the operators' versions at 1, so a TFLite that is older
              than scales per output would not refuse the file but answer wrongly.
biases        of int8, see ``bias_correction``.
"""

import contextlib
import io
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import quantizer, recipe
from litert_quantizer.calibrator import CalibrationMode, Calibrator
from litert_quantizer.recipe_manager import RecipeManager

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.jobs.progress import Progress, silent
from trailcam_export.convert.bias_correction import BiasCorrection
from trailcam_export.convert.ranges import KEPT_FRACTIONS, choose_ranges, collect
from trailcam_export.gate.statistics import divergence
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite

SIGNATURE = "serving_default"  # by which the package finds input and output
INPUT = "image"
_MIN_MAX = "min_max_uniform_quantize"
_CORRECTING = "correcting int8"
_CORRECTION_COUNT = 50  # pictures; 100 give the same answers, and bound memory and time

Floats = npt.NDArray[np.float32]


def quantise_file(content: bytes, scheme: str, inputs: Iterator[Floats], progress: Progress = silent) -> bytes:
    """Quantise a float32 TFLite file.

    Args:
        content: the file, (1, H, W, 3) to (1, K); float32 in for ``int8``, uint8 in for the other schemes.
        scheme: ``dynamic_int8``, ``int8`` or ``int16x8``.
        inputs: what calibration runs, read once, one at a time; nothing for ``dynamic_int8``.
        progress: receives each int8 file that is corrected.

    Raises:
        ExportError: the package cannot quantise the file.
    """
    signed = with_signature(content)
    try:
        with warnings.catch_warnings():
            # the package opens the file once as for debugging, only to ask for the names of its tensors
            warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors", UserWarning)
            if scheme == "dynamic_int8":
                return _quantise(signed, scheme, None)
            sample = _Sample(inputs)
            collected = _calibrate(signed, scheme, sample)
            if scheme != "int8":  # 16 bits have steps enough for the whole range
                return _quantise(signed, scheme, choose_ranges(bytes(signed), collected, 1.0))
            return _best_int8(signed, collected, sample.kept, progress)
    except (ValueError, RuntimeError, KeyError) as error:
        reason = first_line(error)
        raise ExportError(
            f"litert-quantizer cannot quantise this model to {scheme}: {reason}. Try --quantizer tensorflow."
        ) from error


def _best_int8(
    content: bytearray, collected: Mapping[str, dict[str, Any]], pictures: Sequence[Floats], progress: Progress
) -> bytes:
    """Return the corrected file of those ranges whose answers diverge least from the float file's."""
    progress(_CORRECTING, 0, len(KEPT_FRACTIONS))
    correction = BiasCorrection(bytes(content), pictures)
    expected = _answers(bytes(content), pictures)
    files: list[tuple[float, bytes]] = []
    for fraction in KEPT_FRACTIONS:
        file = correction.correct(_quantise(content, "int8", choose_ranges(bytes(content), collected, fraction)))
        files.append((float(divergence(expected, _answers(file, pictures)).mean()), file))
        progress(_CORRECTING, len(files), len(KEPT_FRACTIONS))
    return min(files, key=lambda item: item[0])[1]


def _quantise(content: bytearray, scheme: str, ranges: dict[str, Any] | None) -> bytes:
    worker = quantizer.Quantizer(content, _recipe(scheme))
    with contextlib.redirect_stderr(io.StringIO()):  # it has a second bar, which no option turns off
        result = worker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    if result.quantized_model is None:
        raise ExportError(f"litert-quantizer gave no {scheme} file. Try --quantizer tensorflow.")
    return bytes(result.quantized_model)


def _answers(content: bytes, inputs: Sequence[Floats]) -> Floats:
    """Return the logits of a file for (1, H, W, 3) inputs: (N, K)."""
    interpreter = Interpreter(model_content=content, num_threads=usable_cores())
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = given["quantization"]
    answers = []
    for item in inputs:
        interpreter.set_tensor(taken["index"], item.astype(taken["dtype"]))
        interpreter.invoke()
        logits = interpreter.get_tensor(given["index"])[0].astype(np.float32)
        answers.append((logits - zero) * scale if scale else logits)
    return np.stack(answers)


class _Sample:
    """Passes inputs on and keeps some of them, each with the same probability; the same ones every time."""

    def __init__(self, inputs: Iterator[Floats]) -> None:
        self._inputs = inputs
        self.kept: list[Floats] = []

    def __iter__(self) -> Iterator[Floats]:
        seeded = random.Random(0)  # noqa: S311 - a sample, no secret
        for number, item in enumerate(self._inputs):
            if number < _CORRECTION_COUNT:
                self.kept.append(item)
            elif (place := seeded.randrange(number + 1)) < _CORRECTION_COUNT:
                self.kept[place] = item
            yield item


def _calibrate(content: bytearray, scheme: str, inputs: Iterable[Floats]) -> dict[str, Any]:
    """Return what each tensor took by picture, as ``ranges.collect`` leaves it."""
    manager = RecipeManager()
    manager.load_quantization_recipe(_recipe(scheme))
    # The other mode keeps the values of every layer and compares them in Python: slower, and more memory.
    calibrator = Calibrator(
        content,
        num_threads=usable_cores(),
        mode=CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=collect,
    )
    for item in inputs:  # one at a time: given a data set, it would count it first
        with contextlib.redirect_stderr(io.StringIO()):  # a bar for each picture
            calibrator.calibrate({SIGNATURE: [{INPUT: item}]}, manager)
    return dict(calibrator.get_model_qsvs())


def _recipe(scheme: str) -> list[dict[str, Any]]:
    """Return the package's own recipe for the scheme with one scale per dense layer and our inputs and outputs."""
    base = {
        "dynamic_int8": recipe.dynamic_wi8_afp32,
        "int8": recipe.static_wi8_ai8,
        "int16x8": recipe.static_wi8_ai16,
    }[scheme]()
    dense = dict(base[0]["op_config"])
    dense["weight_tensor_config"] = dict(dense["weight_tensor_config"]) | {"granularity": "TENSORWISE"}
    rules = [*base, _rule("FULLY_CONNECTED", _MIN_MAX, dense)]
    if scheme == "int8":
        levels = dict(base[0]["op_config"])
        levels["activation_tensor_config"] = {
            "num_bits": 8,
            "symmetric": False,
            "granularity": "TENSORWISE",
            "dtype": "UINT",
        }
        return [*rules, _rule("INPUT", _MIN_MAX, levels), _rule("OUTPUT", _MIN_MAX, levels)]
    return [*rules, _rule("INPUT", "no_quantize", {}), _rule("OUTPUT", "no_quantize", {})]


def _rule(operation: str, algorithm: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"regex": ".*", "operation": operation, "algorithm_key": algorithm, "op_config": config}


def with_signature(content: bytes) -> bytearray:
    """Return a TFLite file whose input and output the signature ``SIGNATURE`` names; what it had before is replaced."""
    model = read_tflite(content)
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    signature.inputs = [_tensor_map(INPUT, graph.inputs[0])]
    signature.outputs = [_tensor_map("logits", graph.outputs[0])]
    model.signatureDefs = [signature]
    return bytearray(write_tflite(model))


def _tensor_map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), int(index)
    return entry
