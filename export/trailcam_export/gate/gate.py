"""The drift gate: does a variant still answer like the model it was made from? Decided by intervals, not by points.

    pass          the interval proves the bar: all of it lies on the good side
    fail          the interval refutes the bar: all of it lies on the bad side
    inconclusive  the pictures are too few to tell; it says how many would

A variant passes when all of its bars pass and fails when one does. ``docs/adr/0007-drift-gate.md`` has the reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

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
    format_interval,
)
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.statistics import DriftStatistics

__all__ = ["CriterionResult", "GateResult", "Verdict", "evaluate_gate", "with_cause", "with_parity"]


@dataclass(frozen=True)
class GateResult:
    """The verdict on a variant, why, and each bar; ``warnings`` are findings that no bar asks about."""

    preset: str
    verdict: Verdict
    reason: str
    criteria: tuple[CriterionResult, ...]
    warnings: tuple[str, ...] = ()
    cause: str | None = None

    @property
    def pictures_needed(self) -> int | None:
        """How many test pictures would decide all that is open; None where nothing is, or where nothing would."""
        needed = [criterion.pictures_needed for criterion in self.criteria if criterion.verdict is Verdict.INCONCLUSIVE]
        known = [number for number in needed if number is not None]
        return max(known) if known and len(known) == len(needed) else None


def evaluate_gate(drift: DriftStatistics, preset: Preset, labels: Sequence[str]) -> GateResult:
    """Return the verdict on a variant.

    Args:
        drift: what was measured.
        preset: the bars.
        labels: K names.
    """
    z = NormalDist().inv_cdf((1 + preset.confidence) / 2)
    criteria = [check_finite(drift)]
    if preset.min_top1_retention is not None:
        criteria.append(check_retention(drift, preset.min_top1_retention, z))
    if preset.min_top1_delta is not None:
        criteria.append(check_delta(drift, preset.min_top1_delta, z))
    if preset.min_agreement is not None:
        criteria.append(check_agreement(drift, preset.min_agreement, z))
    if preset.min_recall_delta is not None:
        criteria.append(check_recall(drift, preset.min_recall_delta, labels, preset.confidence))
    if preset.max_unknown_shift is not None and drift.unknown is not None:
        criteria.append(check_unknown(drift.unknown, "unknown_shift", preset.max_unknown_shift, z))
    if preset.max_others_shift is not None and drift.unknown_ood is not None:
        criteria.append(check_unknown(drift.unknown_ood, "others_shift", preset.max_others_shift, z))
    if preset.max_kl_p95 is not None:
        criteria.append(check_kl(drift, preset.max_kl_p95, z))
    verdict, reason = _conclude(criteria)
    return GateResult(preset.name, verdict, reason, tuple(criteria), _warn(drift, labels, preset.confidence))


def with_parity(result: GateResult, worst: float, n: int, scheme: str) -> GateResult:
    """Return the verdict on a float file, whose logits were also compared one by one.

    The same numbers in ``float32`` pass what too few pictures left open; no comparison of a few pictures outweighs a
    fail on all. Half precision is judged by its answers alone.

    Args:
        result: what the answers to the test pictures gave.
        worst: the largest difference of a logit.
        n: pictures that were compared.
        scheme: ``float32`` or ``float16``.
    """
    if result.verdict is Verdict.FAIL or scheme != "float32":
        return result
    reason = f"logits within {worst:.1g} of the trained model's on {n} pictures: the same numbers"
    rule = "a float file gives the trained model's logits"
    criterion = CriterionResult("parity", rule, 0.0, worst, 0.0, worst, n, Verdict.PASS, reason)
    return GateResult(result.preset, Verdict.PASS, reason, (criterion,), result.warnings)


def with_cause(result: GateResult, cause: str | None) -> GateResult:
    """Return the same verdict with its likely cause."""
    if cause is None:
        return result
    return replace(result, reason=f"{result.reason}. Likely cause: {cause}", cause=cause)


def _conclude(criteria: Sequence[CriterionResult]) -> tuple[Verdict, str]:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        telling = [criterion.reason for criterion in criteria if criterion.verdict is verdict]
        if telling:
            return verdict, "; ".join(telling)
    answers = [criterion.reason for criterion in criteria if criterion.name not in ("logits", "kl_p95")]
    return Verdict.PASS, "; ".join(answers or [criterion.reason for criterion in criteria])


def _warn(drift: DriftStatistics, labels: Sequence[str], confidence: float) -> tuple[str, ...]:
    """Name each label whose recall provably fell, whether a bar asks about it or not."""
    z = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * len(labels)))
    found = []
    for label, pairs in zip(labels, drift.recall, strict=True):
        low, high = pairs.interval(z)
        if high < 0:
            found.append(f"recall of {label} fell by {-pairs.delta * 100:.1f} points ({format_interval(low, high, z)})")
    return tuple(found)
