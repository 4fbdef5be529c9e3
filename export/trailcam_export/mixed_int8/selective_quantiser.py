"""Static int8 with chosen operators left in float32: calibrated once, quantised many times.

It starts from the float32 file and uses ``litert-quantizer``, whose recipes select operators by name. The ranges are
the smallest and largest value that each tensor took over all calibration pictures, as ``TFLiteConverter`` has them. The
file takes uint8 as the float file does: its CAST stays, followed by a QUANTIZE. Between an int8 and a float operator
is a QUANTIZE or DEQUANTIZE, so a tensor is in float only if its producer and all its consumers are.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from litert_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe_manager
from litert_quantizer.utils import qsv_utils

from trailcam_core.errors import ExportError
from trailcam_core.images.resize import Image
from trailcam_export.convert.quantise_litert import INPUT, SIGNATURE, with_signature

_EVERY = qtyping.TFLOperationName.ALL_SUPPORTED
_PLUMBING = frozenset({"CAST", "DELEGATE", "QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})


@dataclass(frozen=True)
class Operator:
    """An operator of a TFLite file: its output's name, which is how recipes find it, and its kind."""

    name: str
    kind: str

    @property
    def short_name(self) -> str:
        """The name of its layer: the converter joins names with ``;`` and prefixes that of the model."""
        last = self.name.rstrip(";").split(";")[-1].split("/")
        return "/".join(last[1:-1] or last)


class SelectiveQuantiser:
    """A float32 file with the ranges of its tensors.

    Args:
        float_file: TFLite, uint8 in, float32 logits out.
        calibration: (H, W, 3) uint8 RGB pictures, at least one; read once, one at a time.

    Raises:
        ExportError: no calibration picture.
    """

    def __init__(self, float_file: bytes, calibration: Iterable[Image]) -> None:
        self._content = bytes(with_signature(float_file))
        self._recipe = recipe_manager.RecipeManager()
        self._recipe.add_static_config(".*", _EVERY, activation_num_bits=8, weight_num_bits=8)
        # One scale for a dense layer: the library leaves operator versions at 1, so an interpreter from before scales
        # per output would not refuse the file but answer wrongly.
        self._recipe.add_static_config(
            ".*",
            qtyping.TFLOperationName.FULLY_CONNECTED,
            activation_num_bits=8,
            weight_num_bits=8,
            weight_granularity=qtyping.QuantGranularity.TENSORWISE,
        )
        self._ranges = self._calibrate(calibration)
        self.operators = _list_operators(float_file)

    def quantise(self, in_float: Collection[str] = ()) -> bytes:
        """Return the file in int8 but for these operators, by their names.

        Raises:
            ValueError: a name that no operator has.
        """
        unknown = set(in_float) - {operator.name for operator in self.operators}
        if unknown:
            raise ValueError(f"no operator is called {min(unknown)!r}")
        work = quantizer.Quantizer(self._content, self._recipe.get_quantization_recipe())
        for name in in_float:
            pattern = f"^{re.escape(name)};$"  # the library's scopes end so
            work.update_quantization_recipe(pattern, _EVERY, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE)
        with _silence():
            result = work.quantize(self._ranges, enable_progress_bar=False, enable_progress_report=False)
        return bytes(result.quantized_model)

    def quantise_only(self, name: str) -> bytes:
        """Return the file in float but for one operator."""
        return self.quantise([operator.name for operator in self.operators if operator.name != name])

    def _calibrate(self, pictures: Iterable[Image]) -> dict[str, Any]:
        with _silence():
            work = calibrator.Calibrator(self._content, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
        seen = False
        for image in pictures:
            if not seen:  # both ends of the levels occur, so that a level and its int8 value are one step apart
                image = image.copy()
                image[0, 0], image[0, 1] = 0, 255
            seen = True
            with _silence():
                work.calibrate({SIGNATURE: [{INPUT: image[None]}]}, self._recipe)
        if not seen:
            raise ExportError("No calibration picture: int8 needs some to find the range of each layer.")
        return dict(work.get_model_qsvs())


def _list_operators(content: bytes) -> tuple[Operator, ...]:
    """List the operators that compute, in execution order."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # delegates hide what they take over
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=1)
    names = {item["index"]: item["name"] for item in interpreter.get_tensor_details()}
    return tuple(
        Operator(";".join(names[index] for index in item["outputs"]), item["op_name"])
        for item in interpreter._get_ops_details()  # the runtime has no public way to list them
        if item["op_name"] not in _PLUMBING
    )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silence the library's progress bars and its warning about kept tensors, which calibration needs."""
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
