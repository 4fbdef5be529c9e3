"""Each bar of the drift gate at its bound, from counts that decide it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trailcam_core.statistics.wilson import Z_95
from trailcam_export.gate.criteria import (
    CriterionResult,
    Verdict,
    check_agreement,
    check_delta,
    check_finite,
    check_kl,
    check_recall,
    check_retention,
    check_unknown,
)
from trailcam_export.gate.paired_proportions import PairedProportion
from trailcam_export.gate.statistics import DriftStatistics, Score, measure_drift

N = 20_000


@pytest.fixture(scope="module")
def drift(cases: Any) -> DriftStatistics:
    """Statistics of a small comparison; each test replaces those that it is about."""
    answers, class_ids = cases.reference(100)
    return measure_drift(answers, answers, class_ids)


def _falling(drift: DriftStatistics, top1: float, lost: int, n: int = N) -> DriftStatistics:
    """Return a reference that is right on ``top1`` of ``n`` pictures, of which the variant loses ``lost``."""
    right = round(top1 * n)
    return replace(
        drift, n=n, reference=Score(n, top1, top1, top1, ()), right=PairedProportion(n, right - lost, lost, 0)
    )


@pytest.mark.parametrize(
    ("bar", "lost", "verdict"),
    [
        (0.97, 480, Verdict.FAIL),  # 2.4 points, and 3 % of 60 % allow 1.8
        (0.95, 480, Verdict.PASS),  # 5 % of 60 % allow 3.0
        (0.96, 480, Verdict.INCONCLUSIVE),  # 4 % of 60 % are just these 2.4 points
        (0.99, 0, Verdict.PASS),
    ],
)
def test_retention_is_a_share_of_what_the_trained_model_gets_right(
    drift: DriftStatistics, bar: float, lost: int, verdict: Verdict
) -> None:
    result = check_retention(_falling(drift, 0.6, lost), bar, Z_95)
    assert (result.verdict, result.bound) == (verdict, bar)
    assert result.value == pytest.approx(1 - lost / N / 0.6)
    assert result.low <= result.value <= result.high


def test_a_delta_is_in_points_of_all_pictures(drift: DriftStatistics) -> None:
    falling = _falling(drift, 0.6, 480)
    assert check_delta(falling, -0.03, Z_95).verdict is Verdict.PASS
    assert check_delta(falling, -0.018, Z_95).verdict is Verdict.FAIL
    assert check_delta(falling, -0.024, Z_95).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("agreeing", "verdict", "decidable"),
    [
        (19_900, Verdict.PASS, False),
        (19_810, Verdict.INCONCLUSIVE, True),
        (19_800, Verdict.INCONCLUSIVE, False),  # at the bar no number of pictures decides
        (19_790, Verdict.INCONCLUSIVE, True),
        (19_700, Verdict.FAIL, False),
    ],
)
def test_agreement_passes_and_fails_only_beyond_doubt(
    drift: DriftStatistics, agreeing: int, verdict: Verdict, decidable: bool
) -> None:
    result = check_agreement(replace(drift, n=N, agreeing=agreeing), 0.99, Z_95)
    assert (result.verdict, result.value, result.n) == (verdict, agreeing / N, N)
    assert (result.pictures_needed is not None) is decidable
    if result.pictures_needed is not None:
        assert result.pictures_needed > N


@pytest.mark.parametrize(
    ("inside", "verdict"), [(19_200, Verdict.PASS), (19_000, Verdict.INCONCLUSIVE), (18_800, Verdict.FAIL)]
)
def test_a_divergence_is_judged_by_the_share_of_pictures_within_it(
    drift: DriftStatistics, inside: int, verdict: Verdict
) -> None:
    kl = np.where(np.arange(N) < inside, 0.1, 0.1001)  # a picture at the bar is within it
    result = check_kl(replace(drift, n=N, kl=kl), 0.1, Z_95)
    assert (result.verdict, result.value) == (verdict, inside / N)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("moved", "verdict"), [(200, Verdict.PASS), (400, Verdict.INCONCLUSIVE), (600, Verdict.FAIL)])
def test_unknown_may_move_as_far_up_as_down(moved: int, verdict: Verdict, sign: int) -> None:
    pairs = PairedProportion(N, 1000, moved if sign < 0 else 0, moved if sign > 0 else 0)
    result = check_unknown(pairs, "unknown_delta", 0.02, Z_95)
    assert (result.verdict, result.value) == (verdict, sign * moved / N)


def test_one_picture_without_finite_logits_fails(drift: DriftStatistics) -> None:
    assert check_finite(replace(drift, n=N, finite=N)).verdict is Verdict.PASS
    result = check_finite(replace(drift, n=N, finite=N - 1))
    assert (result.verdict, result.value) == (Verdict.FAIL, (N - 1) / N)
    assert check_finite(replace(drift, n=N, finite=N, gives_probabilities=True)).verdict is Verdict.FAIL


def _recall(drift: DriftStatistics, **lost: int) -> DriftStatistics:
    """Return statistics of 2,000 pictures a label, all right before; ``lost`` are those that the variant gets wrong."""
    pairs = [PairedProportion(2000, 2000 - lost.get(label, 0), lost.get(label, 0), 0) for label in "abc"]
    return replace(drift, n=6000, recall=tuple(pairs))


@pytest.mark.parametrize(
    ("lost", "verdict", "named"),
    [
        ({}, Verdict.PASS, "recall of a "),
        ({"b": 60}, Verdict.PASS, "recall of b "),
        ({"b": 100}, Verdict.INCONCLUSIVE, "recall of b "),
        ({"b": 200, "c": 100}, Verdict.FAIL, "recall of b "),
        ({"b": 200, "c": 300}, Verdict.FAIL, "recall of c -15.00 points"),
    ],
)
def test_the_worst_label_decides_the_recall(
    drift: DriftStatistics, lost: dict[str, int], verdict: Verdict, named: str
) -> None:
    result = check_recall(_recall(drift, **lost), -0.05, "abc", 0.95)
    assert result.verdict is verdict
    assert named in result.reason
    assert result.value == -max(lost.values(), default=0) / 2000


def test_a_label_without_pictures_proves_nothing_and_excuses_nothing(drift: DriftStatistics) -> None:
    nothing = PairedProportion(0, 0, 0, 0)
    good, bad = PairedProportion(2000, 2000, 0, 0), PairedProportion(2000, 1000, 1000, 0)
    unproven = check_recall(replace(drift, n=4000, recall=(good, nothing, good)), -0.05, "abc", 0.95)
    assert (unproven.verdict, unproven.pictures_needed) == (Verdict.INCONCLUSIVE, None)
    assert "no test picture of b" in unproven.reason
    failed = check_recall(replace(drift, n=4000, recall=(good, nothing, bad)), -0.05, "abc", 0.95)
    assert failed.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("name", "value", "beyond"),
    [
        ("top1_delta", -0.011, True),
        ("top1_delta", -0.01, False),
        ("unknown_shift", 0.02, True),
        ("unknown_shift", -0.02, True),
        ("others_shift", 0.01, False),
    ],
)
def test_a_value_is_beyond_its_bound_apart_from_its_interval(name: str, value: float, beyond: bool) -> None:
    bound = 0.01 if name.endswith("shift") else -0.01
    result = CriterionResult(name, "", bound, value, -1.0, 1.0, 12, Verdict.INCONCLUSIVE, "")
    assert result.is_beyond is beyond
    assert replace(result, measured=False).is_beyond is False
