"""Verdicts are drawn from intervals: proven, refuted, or too few pictures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trailcam_export.gate.criteria import CriterionResult, Verdict
from trailcam_export.gate.gate import GateResult, evaluate_gate, with_cause, with_parity
from trailcam_export.gate.presets import PRESETS, Preset
from trailcam_export.gate.statistics import measure_drift


def _judge(cases: Any, preset: Preset | str, n: int, **damage: int) -> GateResult:
    answers, class_ids = cases.reference(n)
    chosen = PRESETS[preset] if isinstance(preset, str) else preset
    return evaluate_gate(
        measure_drift(answers, cases.turned(answers, class_ids, **damage), class_ids), chosen, cases.labels
    )


def _bar(result: GateResult, name: str) -> CriterionResult:
    return next(bar for bar in result.criteria if bar.name == name)


@pytest.mark.parametrize("preset", ["mlperf-99", "mlperf-98", "strict"])
def test_a_good_int8_model_passes_on_two_thousand_pictures(cases: Any, preset: str) -> None:
    result = _judge(cases, preset, 2000, lost=4, won=3, swapped=2)
    assert result.verdict is Verdict.PASS, result.reason
    assert result.pictures_needed is None


@pytest.mark.parametrize("preset", ["mlperf-99", "mlperf-98", "strict"])
def test_a_perfect_copy_is_inconclusive_on_thirty_pictures_and_says_how_many_would_decide(
    cases: Any, preset: str
) -> None:
    result = _judge(cases, preset, 30)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.pictures_needed is not None
    enough = result.pictures_needed + 10  # ten labels: a whole picture of each
    proven, seen = _judge(cases, preset, enough), _judge(cases, preset, int(0.9 * result.pictures_needed))
    assert (proven.verdict, proven.unproven_loss) == (Verdict.PASS, None)
    assert seen.verdict is Verdict.PASS
    assert seen.unproven_loss is not None
    assert "test pictures would decide" in result.reason


@pytest.mark.parametrize("preset", ["mlperf-99", "strict"])
def test_no_answer_that_differs_is_a_pass_that_states_the_interval(cases: Any, preset: str) -> None:
    result = _judge(cases, preset, 40)
    assert result.verdict is Verdict.PASS
    assert result.reason == (
        "no answer differs on 40 test pictures; the interval of the loss of top-1 is 0 to 8.8%, which more pictures "
        "would narrow"
    )
    assert _judge(cases, preset, 40, swapped=1).verdict is Verdict.INCONCLUSIVE
    assert _judge(cases, preset, 40, won=1).verdict is Verdict.INCONCLUSIVE


def test_another_unknown_is_an_answer_that_differs(cases: Any) -> None:
    answers, class_ids = cases.reference(40)
    best = np.sort(answers.logits.max(axis=1))
    rules = [replace(answers.output.reject, score="max_logit", threshold=float(best[i]) - 1e-3) for i in (0, 1)]
    first, second = (replace(answers, output=replace(answers.output, reject=rule)) for rule in rules)
    drift = measure_drift(first, second, class_ids)
    assert drift.agreeing == drift.n
    assert drift.unknown is not None
    assert drift.unknown.only_second == 1
    assert evaluate_gate(drift, PRESETS["mlperf-99"], cases.labels).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("preset", ["mlperf-99", "mlperf-98", "strict"])
@pytest.mark.parametrize("n", [20, 40, 2000])
def test_a_broken_model_fails_also_on_few_pictures(cases: Any, preset: str, n: int) -> None:
    result = _judge(cases, preset, n, lost=n // 2)
    assert result.verdict is Verdict.FAIL
    assert "points" in result.reason


def test_what_lies_close_to_the_bar_is_neither_proven_nor_refuted(cases: Any) -> None:
    result = _judge(cases, "mlperf-99", 2000, lost=25, won=8)  # 0.85 of 0.96 points
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.pictures_needed is not None
    assert result.pictures_needed > 10_000


def test_the_promised_number_of_pictures_decides_four_times_in_five(cases: Any) -> None:
    """The same world, drawn again at the promised size."""
    lost, n, bar = 6, 1000, Preset("ours", min_top1_delta=-0.012, max_kl_p95=None)
    needed = _bar(_judge(cases, bar, n, lost=lost), "top1_delta").pictures_needed
    assert needed is not None
    random = np.random.default_rng(4)
    decided = [
        _judge(cases, bar, needed, lost=int(random.binomial(needed, lost / n))).verdict is Verdict.PASS
        for _ in range(100)
    ]
    assert 0.7 <= np.mean(decided) <= 0.92


def test_retention_is_measured_against_the_trained_models_own_accuracy(cases: Any) -> None:
    """Three points are too much for 99 % of 96 %, and for 97 % of it too near to tell."""
    result = _judge(cases, "mlperf-99", 2000, lost=60)
    bar = _bar(result, "top1_retention")
    assert (bar.verdict, bar.bound) == (Verdict.FAIL, 0.99)
    answers, class_ids = cases.reference(2000)
    top1 = float((answers.logits.argmax(axis=1) == class_ids).mean())
    assert bar.value == pytest.approx((top1 - 0.03) / top1)
    assert bar.low < bar.value < bar.high < 0.99
    assert _judge(cases, Preset("half", min_top1_retention=0.5), 2000, lost=60).verdict is Verdict.PASS
    near = _judge(cases, Preset("near", min_top1_retention=0.97), 2000, lost=60)
    assert near.verdict is Verdict.INCONCLUSIVE
    assert _bar(near, "top1_retention").value < 0.97


def test_agreement_counts_answers_and_not_hits(cases: Any) -> None:
    """Wrong answers that become other wrong ones cost no accuracy, but they are other answers."""
    loose = _judge(cases, "mlperf-99", 2000, swapped=60)
    assert loose.verdict is Verdict.PASS
    strict = _judge(cases, "strict", 2000, swapped=60)
    assert strict.verdict is Verdict.FAIL
    assert [bar.name for bar in strict.criteria if bar.verdict is Verdict.FAIL] == ["agreement"]


def test_one_dying_label_fails_strict_and_is_a_warning_elsewhere(cases: Any) -> None:
    answers, class_ids = cases.reference(4000)
    logits = answers.logits.copy()
    logits[np.flatnonzero(class_ids == 3)[:80], 4] = 20.0
    drift = measure_drift(answers, replace(answers, logits=logits), class_ids)
    result = evaluate_gate(drift, PRESETS["strict"], cases.labels)
    bar = _bar(result, "recall_delta")
    assert bar.verdict is Verdict.FAIL
    assert "recall of d " in bar.reason
    lenient = evaluate_gate(drift, Preset("lenient", min_top1_delta=-0.05), cases.labels)
    assert lenient.verdict is Verdict.PASS
    assert len(lenient.warnings) == 1
    assert "recall of d fell by" in lenient.warnings[0]


def test_among_many_labels_a_single_unlucky_one_is_no_proof(cases: Any) -> None:
    """Eight losses in sixty would refute five points for one label; among a thousand labels that happens."""
    answers, class_ids = cases.reference(600, right=1.0)
    lost = cases.turned(answers, class_ids, lost=0).logits
    lost[np.flatnonzero(class_ids == 0)[:9], 1] = 20.0
    drift = measure_drift(answers, replace(answers, logits=lost), class_ids)
    preset = Preset("ours", min_recall_delta=-0.05, max_kl_p95=None)
    many = tuple(f"label {number}" for number in range(1000))
    wide = replace(drift, recall=drift.recall + drift.recall[1:2] * 990)
    assert evaluate_gate(drift, preset, cases.labels).criteria[-1].verdict is Verdict.INCONCLUSIVE
    assert evaluate_gate(replace(drift, recall=drift.recall[:1]), preset, ("a",)).criteria[-1].verdict is Verdict.FAIL
    assert evaluate_gate(wide, preset, many).criteria[-1].verdict is Verdict.INCONCLUSIVE


def test_a_label_without_test_pictures_cannot_be_proven(cases: Any) -> None:
    answers, class_ids = cases.reference(9000)
    kept = class_ids != 7
    short = replace(answers, logits=answers.logits[kept])
    bar = _bar(
        evaluate_gate(measure_drift(short, short, class_ids[kept]), PRESETS["strict"], cases.labels), "recall_delta"
    )
    assert bar.verdict is Verdict.INCONCLUSIVE
    assert "no test picture of h" in bar.reason
    assert bar.pictures_needed is None
    few = replace(answers, logits=answers.logits[kept][:90])
    drift = measure_drift(few, few, class_ids[kept][:90])
    assert evaluate_gate(drift, PRESETS["strict"], cases.labels).verdict is Verdict.INCONCLUSIVE


def test_unknown_may_move_neither_way(cases: Any) -> None:
    answers, class_ids = cases.reference(2000)
    for threshold in (-5.0, 9.5):
        rule = replace(answers.output.reject, threshold=threshold)
        moved = replace(answers, output=replace(answers.output, reject=rule))
        both = replace(answers, output=replace(answers.output, reject=replace(rule, threshold=8.5)))
        bar = _bar(
            evaluate_gate(measure_drift(both, moved, class_ids), PRESETS["strict"], cases.labels), "unknown_shift"
        )
        assert bar.verdict is Verdict.FAIL
        assert np.sign(bar.value) == np.sign(threshold)


def test_others_are_judged_where_there_are_any(cases: Any) -> None:
    answers, class_ids = cases.reference(2000)
    others = np.zeros((175, 10), np.float32)
    ours, theirs = replace(answers, ood_logits=others), replace(answers, ood_logits=others + 8)
    result = evaluate_gate(measure_drift(ours, theirs, class_ids), PRESETS["strict"], cases.labels)
    bar = _bar(result, "others_shift")
    assert (bar.verdict, bar.n, bar.value) == (Verdict.FAIL, 175, -1.0)
    assert "others" in bar.reason
    same = evaluate_gate(measure_drift(ours, ours, class_ids), PRESETS["strict"], cases.labels)
    assert _bar(same, "others_shift").verdict is Verdict.PASS
    few = replace(ours, ood_logits=others[:60])
    open_bar = _bar(evaluate_gate(measure_drift(few, few, class_ids), PRESETS["strict"], cases.labels), "others_shift")
    assert open_bar.verdict is Verdict.INCONCLUSIVE
    assert "about 73 other pictures would decide" in open_bar.reason


def test_numbers_far_off_fail_although_every_answer_is_right(cases: Any) -> None:
    answers, class_ids = cases.reference(200)
    flat = replace(answers, logits=answers.logits * np.float32(0.1))
    result = evaluate_gate(measure_drift(answers, flat, class_ids), PRESETS["mlperf-98"], cases.labels)
    assert result.verdict is Verdict.FAIL
    assert [bar.name for bar in result.criteria if bar.verdict is Verdict.FAIL] == ["kl_p95"]


def test_a_reference_that_is_never_right_gives_nothing_to_keep(cases: Any) -> None:
    answers, class_ids = cases.reference(500)
    result = evaluate_gate(
        measure_drift(answers, answers, (class_ids + 1) % 10), Preset("x", min_top1_retention=0.9), cases.labels
    )
    assert _bar(result, "top1_retention").verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    wrong = np.full(500, 9)
    never = replace(answers, logits=np.tile(np.eye(10, dtype=np.float32)[0], (500, 1)))
    bar = _bar(evaluate_gate(measure_drift(never, never, wrong), PRESETS["mlperf-99"], cases.labels), "top1_retention")
    assert (bar.verdict, bar.measured) == (Verdict.INCONCLUSIVE, False)


def test_the_same_numbers_in_float32_pass_what_too_few_pictures_left_open(cases: Any) -> None:
    open_ = _judge(cases, "strict", 100, lost=1)
    assert open_.verdict is Verdict.INCONCLUSIVE
    result = with_parity(open_, 1.2e-5, 64, "float32")
    assert (result.verdict, result.preset) == (Verdict.PASS, "strict")
    assert result.reason.endswith("on 64 pictures: the same numbers")
    assert [bar.name for bar in result.criteria] == ["parity"]


def test_half_precision_is_judged_by_its_answers_and_a_fail_outweighs_parity(cases: Any) -> None:
    for n, lost, verdict in ((100, 1, Verdict.INCONCLUSIVE), (2000, 0, Verdict.PASS), (100, 50, Verdict.FAIL)):
        by_answers = _judge(cases, "strict", n, lost=lost)
        assert by_answers.verdict is verdict
        assert with_parity(by_answers, 0.05, 64, "float16") is by_answers
    assert with_parity(by_answers, 1e-6, 64, "float32") is by_answers


def test_a_cause_is_added_to_the_reason(cases: Any) -> None:
    result = _judge(cases, "strict", 100)
    assert with_cause(result, None) is result
    failed = with_cause(_judge(cases, "strict", 100, lost=50), "label order")
    assert failed.reason.endswith("Likely cause: label order")
