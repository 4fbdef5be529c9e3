"""Find the operators that hurt, keep the fewest of them in float, and look at no test picture meanwhile."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.gate import GateResult, evaluate_gate
from trailcam_export.gate.presets import PRESETS
from trailcam_export.gate.statistics import measure_drift
from trailcam_export.inference.batches import Images, Logits
from trailcam_export.mixed_int8.search import (
    OperatorSensitivity,
    Trial,
    measure_latency_ms,
    rank_operators,
    satisfies,
    search_fix,
)
from trailcam_export.mixed_int8.selective_quantiser import Operator

OPERATORS = tuple(Operator(f"model/layer_{number}/conv", "CONV_2D") for number in range(9))


class FakeQuantiser:
    """A file is the list of its int8 operators; each hurts by a known amount."""

    def __init__(self, damage: Sequence[float]) -> None:
        self.operators = OPERATORS[: len(damage)]
        self.damage = {operator.name: amount for operator, amount in zip(self.operators, damage, strict=True)}

    def quantise(self, in_float: Sequence[str]) -> bytes:
        return "\n".join(name for name in self.damage if name not in in_float).encode()

    def quantise_only(self, name: str) -> bytes:
        return name.encode()

    def hurt(self, content: bytes) -> float:
        return sum(self.damage[name] for name in content.decode().split())

    def ask(self, content: bytes, images: Images) -> Logits:
        logits = np.tile(np.float32([4, 0, 0]), (len(images), 1))
        logits[:, 1] += self.hurt(content)
        return logits


def _trial(verdict: Verdict) -> Trial:
    return Trial(GateResult("ours", verdict, "because", ()), 0.9, 0.0, 0.99, 0.01)


def _search(quantiser: FakeQuantiser, most: float) -> Any:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    ranking = rank_operators(quantiser, quantiser.ask, quantiser.ask(b"", images), images)
    return search_fix(
        quantiser,
        ranking,
        lambda content: _trial(Verdict.PASS if quantiser.hurt(content) <= most else Verdict.FAIL),
        lambda content: 1.0 - len(content.decode().split()) / 100,
        lambda result: result.verdict is Verdict.PASS,
    )


def test_operators_are_ranked_by_what_each_does_alone() -> None:
    quantiser = FakeQuantiser([0.1, 3.0, 0.2, 1.0])
    images = np.zeros((2, 4, 4, 3), np.uint8)
    ranking = rank_operators(quantiser, quantiser.ask, quantiser.ask(b"", images), images)
    assert [item.operator for item in ranking] == [OPERATORS[number] for number in (1, 3, 2, 0)]
    assert ranking[0].kl > ranking[1].kl > 0


@pytest.mark.parametrize("most", range(1, 9))
def test_the_fewest_operators_that_do_stay_in_float(most: int) -> None:
    """All operators hurt alike, so of nine the gate bears ``most`` in int8."""
    found = _search(FakeQuantiser([1.0] * 9), most)
    assert len(found.chosen.in_float) == 9 - most
    assert found.content is not None
    assert len(found.content.decode().split()) == most
    counts = [len(step.in_float) for step in found.steps]
    assert counts == sorted(set(counts))
    assert found.chosen in found.steps
    assert [step.over_float32 for step in found.steps] == pytest.approx([0.91 + count / 100 for count in counts])


def test_nothing_is_kept_in_float_where_all_int8_does() -> None:
    found = _search(FakeQuantiser([0.1, 0.1, 0.1]), 1.0)
    assert (len(found.chosen.in_float), len(found.steps)) == (0, 1)


def test_where_nothing_helps_it_says_so_and_shows_what_was_tried() -> None:
    found = _search(FakeQuantiser([1.0, 1.0, 1.0]), 0.5)
    assert (found.chosen, found.content) == (None, None)
    assert [len(step.in_float) for step in found.steps] == [0, 1, 2]


def test_few_pictures_ask_for_the_value_where_a_perfect_copy_could_not_prove_it(cases: Any) -> None:
    answers, class_ids = cases.reference(40)
    preset = PRESETS["strict"]

    def look(**damage: int) -> GateResult:
        return evaluate_gate(
            measure_drift(answers, cases.turned(answers, class_ids, **damage), class_ids), preset, cases.labels
        )

    perfect = look()
    assert perfect.unproven_loss is not None
    assert satisfies(perfect, perfect)
    assert not satisfies(look(lost=1), perfect)  # 2.5 points are more than half a point
    assert not satisfies(look(lost=30), perfect)


def test_many_pictures_ask_for_the_proof(cases: Any) -> None:
    answers, class_ids = cases.reference(2000)

    def look(lost: int) -> GateResult:
        drift = measure_drift(answers, cases.turned(answers, class_ids, lost=lost), class_ids)
        return evaluate_gate(drift, PRESETS["mlperf-99"], cases.labels)

    assert satisfies(look(4), look(0))
    assert look(18).verdict is Verdict.INCONCLUSIVE  # 0.9 of 0.96 points: the value would do, the proof is missing
    assert not satisfies(look(18), look(0))


def test_latency_is_measured_in_turns() -> None:
    calls: list[str] = []

    class Model:
        def __init__(self, name: str) -> None:
            self.name = name

        def invoke(self, input_tensor: Images) -> Logits:
            calls.append(self.name)
            return np.zeros(3, np.float32)

    models: Any = [Model("a"), Model("b")]
    times = measure_latency_ms(models, np.zeros((4, 4, 3), np.uint8))
    assert len(times) == 2
    assert all(time >= 0 for time in times)
    assert calls[:4] == ["a", "b", "a", "b"]


def test_a_layer_is_named_for_people() -> None:
    assert Operator("functional_1/wild_1/Relu;functional_1/wild_1/depthwise", "").short_name == "wild_1"
    assert Operator("PartitionedCall:0", "").short_name == "PartitionedCall:0"
    assert OperatorSensitivity(OPERATORS[3], 0.5).operator.short_name == "layer_3"
