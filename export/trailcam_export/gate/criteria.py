"""The bars of the drift gate: each takes what was measured and returns its verdict with the reason in words.

A fail or pass is claimed only where an interval leaves no doubt; what decides is stated at each bar.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import NormalDist

import numpy as np

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedShare
from trailcam_export.gate.power import pictures_for_difference, pictures_for_share
from trailcam_export.gate.statistics import DriftStatistics

__all__ = [
    "BarResult",
    "Verdict",
    "judge_agreement",
    "judge_delta",
    "judge_kl",
    "judge_numbers",
    "judge_recall",
    "judge_retention",
    "judge_unknown",
    "spread",
]

_KL_SHARE = 0.95  # of the pictures: the percentile that ``max_kl_p95`` speaks of


class Verdict(Enum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class BarResult:
    """One bar and what became of it.

    ``value`` with the interval ``low`` to ``high`` of ``n`` pictures stood against ``bar``; all are shares, deltas are
    shares too. ``pictures_needed`` is how many test pictures would decide an inconclusive bar, None where that is more
    than a million or cannot be said. ``measured`` is false where there was nothing to measure.
    """

    name: str
    rule: str
    bar: float
    value: float
    low: float
    high: float
    n: int
    verdict: Verdict
    reason: str
    pictures_needed: int | None = None
    measured: bool = True


def _verdict(low: float, high: float, bar: float) -> Verdict:
    if low >= bar:
        return Verdict.PASS
    return Verdict.FAIL if high < bar else Verdict.INCONCLUSIVE


def judge_numbers(drift: DriftStatistics) -> BarResult:
    """A certainty rather than a statistic: what is wrong here is wrong for every picture."""
    share = drift.finite / drift.n
    verdict, reason = Verdict.PASS, "finite logits for every picture"
    if drift.finite < drift.n:
        verdict = Verdict.FAIL
        reason = f"NaN or infinity for {drift.n - drift.finite:,} of {drift.n:,} pictures"
    elif drift.gives_probabilities:
        verdict, reason = (
            Verdict.FAIL,
            "probabilities come out where logits belong: a softmax at the end would be a second",
        )
    return BarResult("logits", "finite logits, not probabilities", 1.0, share, share, share, drift.n, verdict, reason)


def judge_retention(drift: DriftStatistics, bar: float, z: float) -> BarResult:
    """The bar is a share of the reference's top-1 as it was measured on these pictures, as MLPerf takes its own."""
    top1, n = drift.reference.top1, drift.n
    rule = f"keeps at least {bar * 100:.4g} % of the trained model's top-1"
    if not top1:
        reason = "the trained model is right on no test picture, so there is nothing to keep"
        return BarResult("top1_retention", rule, bar, 0, 0, 0, n, Verdict.INCONCLUSIVE, reason, measured=False)
    least = -(1 - bar) * top1
    result = _judge_difference(drift.right, "top1_retention", rule, least, z, n)
    reason = (
        f"top-1 {_points(drift.right.delta)} points ({spread(result.low, result.high, z)}), of which "
        f"{_points(least)} are allowed: {bar * 100:.4g} % of the trained model's {top1:.2%}" + _outlook(result)
    )
    kept = (1 + result.value / top1, 1 + result.low / top1, 1 + result.high / top1)
    return BarResult("top1_retention", rule, bar, *kept, n, result.verdict, reason, result.pictures_needed)


def judge_delta(drift: DriftStatistics, bar: float, z: float) -> BarResult:
    """Judge the change of top-1 against a bar in points, by the paired score interval."""
    rule = f"top-1 falls by at most {-bar * 100:.4g} points"
    result = _judge_difference(drift.right, "top1_delta", rule, bar, z, drift.n)
    reason = (
        f"top-1 {_points(result.value)} points ({spread(result.low, result.high, z)}), of which {_points(bar)} are "
        f"allowed{_outlook(result)}"
    )
    return replace(result, reason=reason)


def judge_agreement(drift: DriftStatistics, bar: float, z: float) -> BarResult:
    """Judge the share of equal answers, by Wilson's interval."""
    low, high = wilson_interval(drift.agreeing, drift.n, z)
    share, verdict = drift.agreement, _verdict(low, high, bar)
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        needed = pictures_for_share(share, bar, z)
    rule = f"at least {bar * 100:.4g} % of the answers are the trained model's"
    result = BarResult("agreement", rule, bar, share, low, high, drift.n, verdict, "", needed)
    reason = f"{share:.2%} of the answers are the trained model's ({_percent(z)} interval {low:.2%} to {high:.2%}), "
    return replace(result, reason=reason + f"bar {bar * 100:.4g} %{_outlook(result)}")


def judge_recall(drift: DriftStatistics, bar: float, labels: Sequence[str], confidence: float) -> BarResult:
    """Every label must clear the bar.

    That all clear it needs no correction for their number: each must be proven by itself. That one fails does, or among
    enough labels one would fail by chance; so a fail is judged at 1 - (1 - confidence) / K.

    Source: R. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), for the
    first; O. J. Dunn, "Multiple comparisons among means", JASA 56 (1961), for the second.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    z_fail = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * len(labels)))
    rule = f"the recall of no label falls by more than {-bar * 100:.4g} points"
    shown = [(label, pairs) for label, pairs in zip(labels, drift.recall, strict=True) if pairs.n]
    refuted = [(label, pairs) for label, pairs in shown if pairs.interval(z_fail)[1] < bar]
    unproven = [(label, pairs) for label, pairs in shown if pairs.interval(z)[0] < bar]
    absent = [label for label, pairs in zip(labels, drift.recall, strict=True) if not pairs.n]
    label, worst = min(refuted or unproven or shown, key=lambda item: item[1].interval(z)[0])
    low, high = worst.interval(z_fail if refuted else z)
    verdict = Verdict.FAIL if refuted else Verdict.INCONCLUSIVE if unproven or absent else Verdict.PASS
    needed = None
    if verdict is Verdict.INCONCLUSIVE and not absent:
        found = [_needed_of_all(pairs, bar, z, drift.n) for _, pairs in unproven]
        needed = max((number for number in found if number is not None), default=None) if None not in found else None
    result = BarResult("recall_delta", rule, bar, worst.delta, low, high, worst.n, verdict, "", needed)
    what = f"recall of {label} {_points(worst.delta)} points ({spread(low, high, z)}, {worst.n:,} pictures)"
    many = len(refuted or unproven) - 1
    if verdict is not Verdict.PASS and many > 0:
        what += f" and {many} other label{'s' if many > 1 else ''}"
    if absent and not refuted:
        what += f"; no test picture of {', '.join(absent[:3])}{' and others' if len(absent) > 3 else ''}"
        return replace(result, reason=f"{what}, bar {_points(bar)}")
    return replace(result, reason=f"{what}, bar {_points(bar)}{_outlook(result)}")


def judge_unknown(pairs: PairedShare, name: str, bar: float, z: float) -> BarResult:
    """Judge how far the share of "unknown" moved, either way: all of the interval must lie inside, or all outside."""
    low, high = pairs.interval(z)
    if -bar <= low and high <= bar:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.FAIL if high < -bar or low > bar else Verdict.INCONCLUSIVE
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        more, fewer = max(pairs.only_first, pairs.only_second), min(pairs.only_first, pairs.only_second)
        nearer = PairedShare(pairs.n, 0, more, fewer)  # seen from the nearer of the two edges
        needed = pictures_for_difference(nearer, -bar, z)
    where = "others" if name.startswith("others") else "test pictures"
    rule = f'the share of "unknown" among {where} moves by at most {bar * 100:.4g} points'
    result = BarResult(name, rule, bar, pairs.delta, low, high, pairs.n, verdict, "", needed)
    kind = "other" if where == "others" else "test"
    reason = (
        f'"unknown" for {pairs.second:.2%} of {where}, {_points(pairs.delta)} points ({spread(low, high, z)}), '
        f"bar {bar * 100:.4g} either way{_outlook(result, kind)}"
    )
    return replace(result, reason=reason)


def judge_kl(drift: DriftStatistics, bar: float, z: float) -> BarResult:
    """A percentile is a share of pictures in disguise, and a share has an interval that no outlier can stretch."""
    inside = int((drift.kl <= bar).sum())
    low, high = wilson_interval(inside, drift.n, z)
    share, verdict = inside / drift.n, _verdict(low, high, _KL_SHARE)
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        needed = pictures_for_share(share, _KL_SHARE, z)
    rule = f"{_KL_SHARE * 100:.4g} % of the pictures have a KL divergence of at most {bar:.4g} nats"
    result = BarResult("kl_p95", rule, _KL_SHARE, share, low, high, drift.n, verdict, "", needed)
    reason = (
        f"{share:.2%} of the pictures within {bar:.4g} nats ({_percent(z)} interval {low:.2%} to {high:.2%}), bar "
        f"{_KL_SHARE * 100:.4g} %; mean {float(np.mean(drift.kl)):.3g}{_outlook(result)}"
    )
    return replace(result, reason=reason)


def _judge_difference(pairs: PairedShare, name: str, rule: str, bar: float, z: float, total: int) -> BarResult:
    low, high = pairs.interval(z)
    verdict = _verdict(low, high, bar)
    needed = _needed_of_all(pairs, bar, z, total) if verdict is Verdict.INCONCLUSIVE else None
    return BarResult(name, rule, bar, pairs.delta, low, high, pairs.n, verdict, "", needed)


def _needed_of_all(pairs: PairedShare, bar: float, z: float, total: int) -> int | None:
    """Return how many test pictures there must be in all, so that there are enough of these among them."""
    needed = pictures_for_difference(pairs, bar, z)
    return None if needed is None else -(-needed * total // pairs.n)


def _outlook(result: BarResult, kind: str = "test") -> str:
    if result.verdict is not Verdict.INCONCLUSIVE:
        return ""
    if result.pictures_needed is None:
        return f"; it stands so close to the bar that a million {kind} pictures would not decide"
    return f"; about {_round_up(result.pictures_needed):,} {kind} pictures would decide"


def _round_up(number: int) -> int:
    """Return the number with two digits, rounded up: more would pretend to know."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step


def _points(share: float) -> str:
    return f"{share * 100:+.2f}"


def _percent(z: float) -> str:
    return f"{(2 * NormalDist().cdf(z) - 1) * 100:.4g} %"


def spread(low: float, high: float, z: float) -> str:
    """Return an interval of a difference in words, in points."""
    return f"{_percent(z)} interval {_points(low)} to {_points(high)}"
