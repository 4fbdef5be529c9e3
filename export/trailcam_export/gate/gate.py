"""The drift gate: decide by confidence intervals whether a variant still answers like the model it was made from.

    pass          the whole interval satisfies the bound
    fail          the whole interval violates the bound
    inconclusive  too few images to decide; the reason states how many would

A variant passes if all criteria pass, and fails if one fails. Where only the number of images prevents a proof, it also
passes if no answer differs from the trained model's. ``docs/adr/0007-drift-gate.md`` and
``docs/adr/0018-identical-answers.md`` have the reasons.
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

CROPS_PREFIX = "crops_"
_MAX_UNPROVEN_LOSS = 0.1  # fewer than about 35 identical answers prove too little


@dataclass(frozen=True)
class GateResult:
    """The verdict on a variant, its reason and criteria; ``warnings`` are findings outside the criteria.

    ``unproven_loss`` is set where a variant passes because no answer differs, on too few images to prove the criteria:
    the largest loss of top-1 that the interval allows, 0 to 1.
    """

    preset: str
    verdict: Verdict
    reason: str
    criteria: tuple[CriterionResult, ...]
    warnings: tuple[str, ...] = ()
    cause: str | None = None
    unproven_loss: float | None = None

    @property
    def pictures_needed(self) -> int | None:
        """The number of test images that would decide every inconclusive criterion, None if there is no such number."""
        needed = [criterion.pictures_needed for criterion in self.criteria if criterion.verdict is Verdict.INCONCLUSIVE]
        known = [number for number in needed if number is not None]
        return max(known) if known and len(known) == len(needed) else None


def evaluate_gate(drift: DriftStatistics, preset: Preset, labels: Sequence[str]) -> GateResult:
    """Return the verdict on a variant.

    Args:
        drift: the measured statistics.
        preset: the bounds.
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
    result = GateResult(preset.name, verdict, reason, tuple(criteria), _warn(drift, labels, preset.confidence))
    return _with_identical_answers(result, drift, preset, z) if verdict is Verdict.INCONCLUSIVE else result


def _with_identical_answers(result: GateResult, drift: DriftStatistics, preset: Preset, z: float) -> GateResult:
    """Turn an inconclusive result into a pass if no answer differs and nothing else is wrong."""
    rejections = [pairs for pairs in (drift.unknown, drift.unknown_ood) if pairs is not None]
    differing = drift.n - drift.agreeing + sum(pairs.only_first + pairs.only_second for pairs in rejections)
    labels_seen = preset.min_recall_delta is None or all(pairs.n for pairs in drift.recall)
    measured = labels_seen and all(item.measured and not item.is_beyond for item in result.criteria)
    loss = -drift.right.interval(z)[0]
    if differing or not measured or loss > _MAX_UNPROVEN_LOSS:
        return result
    reason = (
        f"no answer differs on {drift.n:,} test pictures; the interval of the loss of top-1 is 0 to {loss:.1%}, "
        "which more pictures would narrow"
    )
    return replace(result, verdict=Verdict.PASS, reason=reason, unproven_loss=loss)


def with_parity(result: GateResult, worst: float, n: int, scheme: str) -> GateResult:
    """Return the verdict on a float file, whose logits were also compared one by one.

    Equal logits in ``float32`` turn inconclusive into pass; a failure is never overruled. Half precision is evaluated
    by its answers alone.

    Args:
        result: of the answers to the test images.
        worst: the largest difference of a logit.
        n: number of compared images.
        scheme: ``float32`` or ``float16``.
    """
    if result.verdict is Verdict.FAIL or scheme != "float32":
        return result
    reason = f"logits within {worst:.1g} of the trained model's on {n} pictures: the same numbers"
    rule = "a float file gives the trained model's logits"
    criterion = CriterionResult("parity", rule, 0.0, worst, 0.0, worst, n, Verdict.PASS, reason)
    return GateResult(result.preset, Verdict.PASS, reason, (criterion,), result.warnings)


def with_crops(result: GateResult, crops: GateResult, n: int) -> GateResult:
    """Return the verdict on all test images, failed if the device crops among them fail alone.

    Few crops that cannot decide are a warning, not a verdict: all images together have decided.

    Args:
        result: of all test images.
        crops: of the device crops among them.
        n: number of crops.
    """
    decided = tuple(
        replace(item, name=f"{CROPS_PREFIX}{item.name}", rule=f"device crops: {item.rule}")
        for item in crops.criteria
        if item.verdict is not Verdict.INCONCLUSIVE
    )
    found = replace(result, criteria=(*result.criteria, *decided))
    if crops.verdict is Verdict.INCONCLUSIVE:
        warning = f"the {n:,} device crops alone cannot decide: {crops.reason}"
        return replace(found, warnings=(*result.warnings, warning))
    if crops.verdict is Verdict.FAIL and result.verdict is not Verdict.FAIL:
        return replace(found, verdict=Verdict.FAIL, reason=f"on {n:,} device crops: {crops.reason}")
    return found


def with_cause(result: GateResult, cause: str | None) -> GateResult:
    """Return the same verdict with its likely cause."""
    if cause is None:
        return result
    return replace(result, reason=f"{result.reason}. Likely cause: {cause}", cause=cause)


def _conclude(criteria: Sequence[CriterionResult]) -> tuple[Verdict, str]:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        reasons = [criterion.reason for criterion in criteria if criterion.verdict is verdict]
        if reasons:
            return verdict, "; ".join(reasons)
    answers = [criterion.reason for criterion in criteria if criterion.name not in ("logits", "kl_p95")]
    return Verdict.PASS, "; ".join(answers or [criterion.reason for criterion in criteria])


def _warn(drift: DriftStatistics, labels: Sequence[str], confidence: float) -> tuple[str, ...]:
    """Return a warning for each label whose recall significantly fell, also without a criterion for it."""
    z = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * len(labels)))
    found = []
    for label, pairs in zip(labels, drift.recall, strict=True):
        low, high = pairs.interval(z)
        if high < 0:
            found.append(f"recall of {label} fell by {-pairs.delta * 100:.1f} points ({format_interval(low, high, z)})")
    return tuple(found)
