"""Quantise a float TFLite file with ``litert-quantizer``.

Two of its defaults are replaced, for reasons measured in ``docs/adr/0009-quantiser.md``:

ranges        the least and the largest value seen, not a moving average of them. The average clips logits by up to 8
              and reads a pixel level as 0.986 of itself.
dense layers  one scale for all outputs. The package leaves the operators' versions at 1, so a TFLite that is older
              than scales per output would not refuse the file but answer wrongly.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import quantizer, recipe
from litert_quantizer.calibrator import CalibrationMode, Calibrator
from litert_quantizer.recipe_manager import RecipeManager
from litert_quantizer.utils.qsv_utils import min_max_update

from trailcam_core.errors import ExportError
from trailcam_core.inference.file_model import first_line
from trailcam_core.jobs.cores import usable_cores
from trailcam_export.tflite.flatbuffer import read_tflite, write_tflite

SIGNATURE = "serving_default"  # by which the package finds input and output
INPUT = "image"
_MIN_MAX = "min_max_uniform_quantize"


def quantise_file(content: bytes, scheme: str, inputs: Iterator[npt.NDArray[Any]]) -> bytes:
    """Quantise a float32 TFLite file.

    Args:
        content: the file, (1, H, W, 3) to (1, K); float32 in for ``int8``, uint8 in for the other schemes.
        scheme: ``dynamic_int8``, ``int8`` or ``int16x8``.
        inputs: what calibration runs, read once, one at a time; nothing for ``dynamic_int8``.

    Raises:
        ExportError: the package cannot quantise the file.
    """
    signed = with_signature(content)
    chosen = _recipe(scheme)
    try:
        with warnings.catch_warnings():
            # the package opens the file once as for debugging, only to ask for the names of its tensors
            warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors", UserWarning)
            worker = quantizer.Quantizer(signed, chosen)
            ranges = _calibrate(signed, chosen, inputs) if worker.need_calibration else None
            with contextlib.redirect_stderr(io.StringIO()):  # it has a second bar, which no option turns off
                result = worker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    except (ValueError, RuntimeError, KeyError) as error:
        reason = first_line(error)
        raise ExportError(
            f"litert-quantizer cannot quantise this model to {scheme}: {reason}. Try --quantizer tensorflow."
        ) from error
    if result.quantized_model is None:
        raise ExportError(f"litert-quantizer gave no {scheme} file. Try --quantizer tensorflow.")
    return bytes(result.quantized_model)


def _calibrate(content: bytearray, chosen: list[dict[str, Any]], inputs: Iterator[npt.NDArray[Any]]) -> dict[str, Any]:
    manager = RecipeManager()
    manager.load_quantization_recipe(chosen)
    # The other mode keeps the values of every layer and compares them in Python: slower, and more memory.
    calibrator = Calibrator(
        content,
        num_threads=usable_cores(),
        mode=CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=min_max_update,
    )
    for item in inputs:  # one at a time: given a data set, it would count it first
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
