"""Search for the operators that cause the drift of int8, and keep the worst of them in float32.

    rank     one operator at a time is int8 and all others float; its sensitivity is the mean KL divergence on
             calibration images
    search   the worst k stay in float; the smallest k that satisfies the gate on validation images is chosen

The opposite, one operator at a time in float, fails if a tensor is the cause: its producer and its consumer both force
it into int8, and one of them in float changes nothing. Alone in int8, each of the two shows the whole effect.

No test image is used here: the verdict on the result is measured once, afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np

from trailcam_core.images.resize import Image
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.jobs.progress import Progress, silent
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.gate import GateResult
from trailcam_export.gate.statistics import divergence
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.mixed_int8.selective_quantiser import Operator

# calibration images per operator: enough to identify a bad one, whose divergence is a hundred times larger
RANKING_COUNT = 32
_WARMUP, _ROUNDS = 3, 30


class Quantiser(Protocol):
    """The quantiser as the search uses it, see ``trailcam_export.mixed_int8.selective_quantiser``."""

    operators: tuple[Operator, ...]

    def quantise(self, in_float: Sequence[str]) -> bytes:
        """Return the file in int8 but for these operators."""

    def quantise_only(self, name: str) -> bytes:
        """Return the file in float but for one operator."""


@dataclass(frozen=True)
class OperatorSensitivity:
    """The effect of one operator in int8 with all others in float: mean KL divergence in nats."""

    operator: Operator
    kl: float


@dataclass(frozen=True)
class Trial:
    """The result of a file on validation images."""

    gate: GateResult
    top1: float
    top1_delta: float
    agreement: float
    kl: float


@dataclass(frozen=True)
class FixStep:
    """A file with the ``len(in_float)`` worst operators in float.

    ``over_float32`` is the median time of its ``invoke`` over that of the float file, of two that took turns.
    """

    in_float: tuple[Operator, ...]
    size_bytes: int
    over_float32: float
    trial: Trial
    good: bool


@dataclass(frozen=True)
class Fix:
    """The search: all operators, worst first; its steps, fewest float operators first; the chosen step and its file.

    ``content`` and ``chosen`` are None if not even all but one operator in float satisfy the gate.
    """

    ranking: tuple[OperatorSensitivity, ...]
    steps: tuple[FixStep, ...]
    chosen: FixStep | None
    content: bytes | None


def rank_operators(
    quantiser: Quantiser,
    ask: Callable[[bytes, Images], Logits],
    reference: Logits,
    images: Images,
    progress: Progress = silent,
) -> tuple[OperatorSensitivity, ...]:
    """Return all operators, the most sensitive first.

    Args:
        quantiser: of the float file.
        ask: runs a file on pictures.
        reference: (N, K) logits of the float file for ``images``.
        images: (N, H, W, 3) calibration pictures.
        progress: receives each operator.
    """
    found = []
    for done, operator in enumerate(quantiser.operators, start=1):
        answers = ask(quantiser.quantise_only(operator.name), images)
        found.append(OperatorSensitivity(operator, float(divergence(reference, answers).mean())))
        progress("ranking operators", done, len(quantiser.operators))
    return tuple(sorted(found, key=lambda item: -item.kl))


def satisfies(result: GateResult, perfect: GateResult) -> bool:
    """Return whether a file satisfies the gate on validation images.

    If the images are too few for even a perfect copy to pass a criterion, its value alone decides.

    Args:
        result: of the file.
        perfect: of the float model against itself on the same pictures.
    """
    undecided = {criterion.name for criterion in perfect.criteria if criterion.verdict is not Verdict.PASS}
    return all(
        criterion.verdict is Verdict.PASS
        or (
            criterion.name in undecided
            and criterion.verdict is Verdict.INCONCLUSIVE
            and _meets(criterion.name, criterion.value, criterion.bound)
        )
        for criterion in result.criteria
    )


def _meets(name: str, value: float, bound: float) -> bool:
    return abs(value) <= bound if name in ("unknown_shift", "others_shift") else value >= bound


def search_fix(
    quantiser: Quantiser,
    ranking: Sequence[OperatorSensitivity],
    try_file: Callable[[bytes], Trial],
    time_file: Callable[[bytes], float],
    good: Callable[[GateResult], bool],
    progress: Progress = silent,
) -> Fix:
    """Find the smallest number of float operators that satisfies ``good``.

    k grows 0, 1, 2, 4, 8 ... until it does, then the last gap is halved, assuming that more float operators are not
    worse.

    Args:
        quantiser: of the float file.
        ranking: all operators, the worst first.
        try_file: measures a file on validation pictures.
        time_file: returns its latency relative to the float file.
        good: returns whether a gate result is acceptable.
        progress: receives each trial.
    """
    steps: dict[int, FixStep] = {}
    contents: dict[int, bytes] = {}
    most = len(ranking) - 1  # with none left in int8 it would be the float file

    def is_good(count: int) -> bool:
        in_float = tuple(item.operator for item in ranking[:count])
        content = quantiser.quantise([operator.name for operator in in_float])
        trial = try_file(content)
        steps[count] = FixStep(in_float, len(content), time_file(content), trial, good(trial.gate))
        if steps[count].good:
            contents[count] = content
        progress("trying operators in float", len(steps), len(steps) + 1)
        return steps[count].good

    bad, count = -1, 0
    while not is_good(count):
        bad = count
        if count >= most:
            return Fix(tuple(ranking), _in_order(steps), None, None)
        count = min(most, max(1, 2 * count))
    while count - bad > 1:
        middle = (count + bad) // 2
        bad, count = (bad, middle) if is_good(middle) else (middle, count)
    return Fix(tuple(ranking), _in_order(steps), steps[count], contents[count])


def _in_order(steps: dict[int, FixStep]) -> tuple[FixStep, ...]:
    return tuple(steps[count] for count in sorted(steps))


def measure_latency_ms(models: Sequence[TFLiteModel], image: Image) -> tuple[float, ...]:
    """Return the median latency of each model in milliseconds; they alternate, so that load affects all equally.

    Args:
        models: with their number of threads.
        image: (H, W, 3) uint8 RGB as the models take it.
    """
    times = np.zeros((_ROUNDS, len(models)))
    for turn in range(-_WARMUP, _ROUNDS):
        for number, model in enumerate(models):
            start = perf_counter()
            model.invoke(image[None])
            if turn >= 0:
                times[turn, number] = (perf_counter() - start) * 1000
    return tuple(float(value) for value in np.median(times, axis=0))
