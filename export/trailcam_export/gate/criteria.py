"""The criteria of the drift gate: each compares a measured statistic with its bound and states the reason.

A criterion passes or fails only where the whole confidence interval lies on one side of the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import NormalDist

import numpy as np

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_export.gate.paired_proportions import PairedProportion
from trailcam_export.gate.power import sample_size_for_difference, sample_size_for_proportion
from trailcam_export.gate.statistics import DriftStatistics

_KL_FRACTION = 0.95  # of the images: the percentile that ``max_kl_p95`` limits


class Verdict(Enum):
    """The result of a criterion or of the whole gate."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class CriterionResult:
    """One criterion and its verdict.

    ``value`` with the interval ``low`` to ``high``, measured on ``n`` images, is compared with ``bound``; all are
    fractions or differences of fractions. ``pictures_needed`` is the number of test images that would decide an
    inconclusive criterion, None above a million or where it cannot be computed. ``measured`` is false if there was
    nothing to measure.
    """

    name: str
    rule: str
    bound: float
    value: float
    low: float
    high: float
    n: int
    verdict: Verdict
    reason: str
    pictures_needed: int | None = None
    measured: bool = True

    @property
    def is_beyond(self) -> bool:
        """Whether the measured value itself misses the bound; its interval does not count."""
        if not self.measured:
            return False
        return abs(self.value) > self.bound if self.name.endswith("_shift") else self.value < self.bound


def _verdict(low: float, high: float, bound: float) -> Verdict:
    if low >= bound:
        return Verdict.PASS
    return Verdict.FAIL if high < bound else Verdict.INCONCLUSIVE


def check_finite(drift: DriftStatistics) -> CriterionResult:
    """Check that the file gives finite logits. This is exact: a wrong number here needs no interval."""
    fraction = drift.finite / drift.n
    verdict, reason = Verdict.PASS, "finite logits for every picture"
    if drift.finite < drift.n:
        verdict = Verdict.FAIL
        reason = f"NaN or infinity for {drift.n - drift.finite:,} of {drift.n:,} pictures"
    elif drift.gives_probabilities:
        verdict = Verdict.FAIL
        reason = "the output is probabilities instead of logits: the device would apply a second softmax"
    rule = "finite logits, not probabilities"
    return CriterionResult("logits", rule, 1.0, fraction, fraction, fraction, drift.n, verdict, reason)


def check_retention(drift: DriftStatistics, bound: float, z: float) -> CriterionResult:
    """Check the retained fraction of the reference's top-1 on these images, as MLPerf defines it."""
    top1, n = drift.reference.top1, drift.n
    rule = f"keeps at least {bound * 100:.4g} % of the trained model's top-1"
    if not top1:
        reason = "the trained model is right on no test picture, so there is nothing to keep"
        return CriterionResult("top1_retention", rule, bound, 0, 0, 0, n, Verdict.INCONCLUSIVE, reason, measured=False)
    allowed = -(1 - bound) * top1
    result = _check_difference(drift.right, "top1_retention", rule, allowed, z, n)
    reason = (
        f"top-1 {_points(drift.right.delta)} points ({format_interval(result.low, result.high, z)}), of which "
        f"{_points(allowed)} are allowed: {bound * 100:.4g} % of the trained model's {top1:.2%}"
        + _sample_size_hint(result)
    )
    kept = (1 + result.value / top1, 1 + result.low / top1, 1 + result.high / top1)
    return CriterionResult("top1_retention", rule, bound, *kept, n, result.verdict, reason, result.pictures_needed)


def check_delta(drift: DriftStatistics, bound: float, z: float) -> CriterionResult:
    """Check the change of top-1 by the paired score interval."""
    rule = f"top-1 falls by at most {-bound * 100:.4g} points"
    result = _check_difference(drift.right, "top1_delta", rule, bound, z, drift.n)
    interval = format_interval(result.low, result.high, z)
    reason = (
        f"top-1 {_points(result.value)} points ({interval}), of which {_points(bound)} are "
        f"allowed{_sample_size_hint(result)}"
    )
    return replace(result, reason=reason)


def check_agreement(drift: DriftStatistics, bound: float, z: float) -> CriterionResult:
    """Check the fraction of equal answers by Wilson's interval."""
    low, high = wilson_interval(drift.agreeing, drift.n, z)
    rule = f"at least {bound * 100:.4g} % of the answers are the trained model's"
    result = _check_proportion("agreement", rule, bound, drift.agreement, (low, high), drift.n, z)
    reason = (
        f"{drift.agreement:.2%} of the answers are the trained model's ({_percent(z)} interval {low:.2%} to "
        f"{high:.2%}), bound {bound * 100:.4g} %{_sample_size_hint(result)}"
    )
    return replace(result, reason=reason)


def check_recall(drift: DriftStatistics, bound: float, labels: Sequence[str], confidence: float) -> CriterionResult:
    """Check that no label's recall falls by more than the bound.

    A pass needs no correction for the number of labels, because each label must pass by itself (an
    intersection-union test). A fail does, or with many labels one would fail at random; so it is tested at
    1 - (1 - confidence) / K.

    Source: R. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), for the
    first; O. J. Dunn, "Multiple comparisons among means", JASA 56 (1961), for the second.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    z_fail = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * len(labels)))
    rule = f"the recall of no label falls by more than {-bound * 100:.4g} points"
    shown = [(label, pairs) for label, pairs in zip(labels, drift.recall, strict=True) if pairs.n]
    refuted = [(label, pairs) for label, pairs in shown if pairs.interval(z_fail)[1] < bound]
    unproven = [(label, pairs) for label, pairs in shown if pairs.interval(z)[0] < bound]
    absent = [label for label, pairs in zip(labels, drift.recall, strict=True) if not pairs.n]
    label, worst = min(refuted or unproven or shown, key=lambda item: item[1].interval(z)[0])
    low, high = worst.interval(z_fail if refuted else z)
    verdict = Verdict.FAIL if refuted else Verdict.INCONCLUSIVE if unproven or absent else Verdict.PASS
    needed = None
    if verdict is Verdict.INCONCLUSIVE and not absent:
        found = [_total_sample_size(pairs, bound, z, drift.n) for _, pairs in unproven]
        needed = max((number for number in found if number is not None), default=None) if None not in found else None
    result = CriterionResult("recall_delta", rule, bound, worst.delta, low, high, worst.n, verdict, "", needed)
    what = f"recall of {label} {_points(worst.delta)} points ({format_interval(low, high, z)}, {worst.n:,} pictures)"
    many = len(refuted or unproven) - 1
    if verdict is not Verdict.PASS and many > 0:
        what += f" and {many} other label{'s' if many > 1 else ''}"
    if absent and not refuted:
        what += f"; no test picture of {', '.join(absent[:3])}{' and others' if len(absent) > 3 else ''}"
        return replace(result, reason=f"{what}, bound {_points(bound)}")
    return replace(result, reason=f"{what}, bound {_points(bound)}{_sample_size_hint(result)}")


def check_unknown(pairs: PairedProportion, name: str, bound: float, z: float) -> CriterionResult:
    """Check the shift of the rejected fraction in either direction; the whole interval must lie inside or outside."""
    low, high = pairs.interval(z)
    if -bound <= low and high <= bound:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.FAIL if high < -bound or low > bound else Verdict.INCONCLUSIVE
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        more, fewer = max(pairs.only_first, pairs.only_second), min(pairs.only_first, pairs.only_second)
        nearer = PairedProportion(pairs.n, 0, more, fewer)  # seen from the nearer of the two edges
        needed = sample_size_for_difference(nearer, -bound, z)
    where, kind = ("others", "other") if name.startswith("others") else ("test pictures", "test")
    rule = f'the fraction of "unknown" among {where} moves by at most {bound * 100:.4g} points'
    result = CriterionResult(name, rule, bound, pairs.delta, low, high, pairs.n, verdict, "", needed)
    reason = (
        f'"unknown" for {pairs.second:.2%} of {where}, {_points(pairs.delta)} points '
        f"({format_interval(low, high, z)}), bound {bound * 100:.4g} either way{_sample_size_hint(result, kind)}"
    )
    return replace(result, reason=reason)


def check_kl(drift: DriftStatistics, bound: float, z: float) -> CriterionResult:
    """Check the 95th percentile of the KL divergence, as a fraction of images, whose interval ignores outliers."""
    inside = int((drift.kl <= bound).sum())
    low, high = wilson_interval(inside, drift.n, z)
    fraction = inside / drift.n
    rule = f"{_KL_FRACTION * 100:.4g} % of the pictures have a KL divergence of at most {bound:.4g} nats"
    result = _check_proportion("kl_p95", rule, _KL_FRACTION, fraction, (low, high), drift.n, z)
    reason = (
        f"{fraction:.2%} of the pictures within {bound:.4g} nats ({_percent(z)} interval {low:.2%} to {high:.2%}), "
        f"bound {_KL_FRACTION * 100:.4g} %; mean {float(np.mean(drift.kl)):.3g}{_sample_size_hint(result)}"
    )
    return replace(result, reason=reason)


def _check_proportion(
    name: str, rule: str, bound: float, value: float, interval: tuple[float, float], n: int, z: float
) -> CriterionResult:
    verdict = _verdict(*interval, bound)
    needed = sample_size_for_proportion(value, bound, z) if verdict is Verdict.INCONCLUSIVE else None
    return CriterionResult(name, rule, bound, value, *interval, n, verdict, "", needed)


def _check_difference(
    pairs: PairedProportion, name: str, rule: str, bound: float, z: float, total: int
) -> CriterionResult:
    low, high = pairs.interval(z)
    verdict = _verdict(low, high, bound)
    needed = _total_sample_size(pairs, bound, z, total) if verdict is Verdict.INCONCLUSIVE else None
    return CriterionResult(name, rule, bound, pairs.delta, low, high, pairs.n, verdict, "", needed)


def _total_sample_size(pairs: PairedProportion, bound: float, z: float, total: int) -> int | None:
    """Return the number of test images of all labels that contains enough images of these."""
    needed = sample_size_for_difference(pairs, bound, z)
    return None if needed is None else -(-needed * total // pairs.n)


def _sample_size_hint(result: CriterionResult, kind: str = "test") -> str:
    if result.verdict is not Verdict.INCONCLUSIVE:
        return ""
    if result.pictures_needed is None:
        return f"; the value is so close to the bound that a million {kind} pictures would not decide"
    return f"; about {round_up(result.pictures_needed):,} {kind} pictures would decide"


def round_up(number: int) -> int:
    """Return a number of pictures rounded up to two significant digits, the precision of a power calculation."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step


def _points(fraction: float) -> str:
    return f"{fraction * 100:+.2f}"


def _percent(z: float) -> str:
    return f"{(2 * NormalDist().cdf(z) - 1) * 100:.4g} %"


def format_interval(low: float, high: float, z: float) -> str:
    """Format the interval of a difference in points."""
    return f"{_percent(z)} interval {_points(low)} to {_points(high)}"
