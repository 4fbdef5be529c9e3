"""The time of int8 files compared with float32 ones on this processor, for the network of a recipe with random weights.

    python -m trailcam_project.results.int8_speed xception_128 cnn --rounds 100

Time depends on the layers and not on the weights, so nothing is trained. LiteRT and ONNX Runtime run one picture on one
thread, the four files in turns. The times are processor time, which other programs change less than time by the clock;
the ratio of each round is the figure to quote.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from trailcam_core.errors import TrailcamError

_CALIBRATION = 4  # random pictures: ranges do not change the time
_WARMUP = 3
_FLOAT32, _INT8 = "float32", "int8"


def make_runs(recipe_name: str, class_count: int = 10) -> dict[tuple[str, str], Callable[[], Any]]:
    """Return functions that run one picture through the files of a network, by runtime and scheme.

    Raises:
        TrailcamError: an unknown recipe, or a network that cannot be converted.
    """
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    from trailcam_export.convert.quantise import quantise
    from trailcam_export.convert.to_onnx import convert_onnx_float32, quantise_onnx
    from trailcam_export.convert.to_tflite import convert_float32
    from trailcam_train.recipes.find import build_network, find_recipe

    recipe = replace(find_recipe(recipe_name), weights="none", batch_norm="train")
    model = build_network(recipe, class_count, "float32")
    rng = np.random.default_rng(0)
    shape = (recipe.input.height, recipe.input.width, 3)
    pictures = [rng.integers(0, 256, shape).astype(np.uint8) for _ in range(_CALIBRATION)]
    onnx_file = convert_onnx_float32(model)
    tflite = {_FLOAT32: convert_float32(model), _INT8: quantise(model, "int8", iter(pictures))}
    onnx = {_FLOAT32: onnx_file, _INT8: quantise_onnx(onnx_file, iter(pictures))}
    runs: dict[tuple[str, str], Callable[[], Any]] = {}
    for scheme, content in tflite.items():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pictures[0][None])
        runs["LiteRT", scheme] = interpreter.invoke
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for scheme, proto in onnx.items():
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        given = {session.get_inputs()[0].name: pictures[0][None]}
        runs["ONNX Runtime", scheme] = partial(session.run, None, given)
    return runs


def measure(runs: dict[tuple[str, str], Callable[[], Any]], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the processor time in ms of every run in each round; the runs take turns."""
    for run in runs.values():
        for _ in range(_WARMUP):
            run()
    found: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            began = time.thread_time()
            run()
            found[key].append(1000 * (time.thread_time() - began))
    return found


def compare(times_ms: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """Return medians in ms, and for each runtime int8 divided by float32: median and quartiles over the rounds."""
    ratios = {}
    for runtime in dict.fromkeys(runtime for runtime, _ in times_ms):
        pairs = zip(times_ms[runtime, _INT8], times_ms[runtime, _FLOAT32], strict=True)
        low, middle, high = statistics.quantiles([int8 / float32 for int8, float32 in pairs], n=4)
        ratios[runtime] = {"value": middle, "low_quartile": low, "high_quartile": high}
    medians = {f"{runtime} {scheme}": statistics.median(values) for (runtime, scheme), values in times_ms.items()}
    return {"core_ms": medians, "int8_over_float32": ratios}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print one JSON line for each recipe; 1 where one cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.results.int8_speed",
        description="Time of int8 divided by that of float32, of untrained networks.",
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="for example xception_128")
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="of all files in turns, at least 2 (100)")
    given = parser.parse_args(argv)
    try:
        for name in given.recipes:
            found = compare(measure(make_runs(name), max(2, given.rounds)))
            print(json.dumps({"recipe": name, **found}), flush=True)
    except TrailcamError as error:
        print(f"int8_speed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
