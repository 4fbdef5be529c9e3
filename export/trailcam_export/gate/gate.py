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
    BarResult,
    Verdict,
    judge_agreement,
    judge_delta,
    judge_kl,
    judge_numbers,
    judge_recall,
    judge_retention,
    judge_unknown,
    spread,
)
from trailcam_export.gate.presets import Preset
from trailcam_export.gate.statistics import DriftStatistics

__all__ = ["BarResult", "GateResult", "Verdict", "judge", "with_cause", "with_parity"]


@dataclass(frozen=True)
class GateResult:
    """The verdict on a variant, why, and each bar; ``warnings`` are findings that no bar asks about."""

    preset: str
    verdict: Verdict
    reason: str
    bars: tuple[BarResult, ...]
    warnings: tuple[str, ...] = ()
    cause: str | None = None

    @property
    def pictures_needed(self) -> int | None:
        """How many test pictures would decide all that is open; None where nothing is, or where nothing would."""
        needed = [bar.pictures_needed for bar in self.bars if bar.verdict is Verdict.INCONCLUSIVE]
        known = [number for number in needed if number is not None]
        return max(known) if known and len(known) == len(needed) else None


def judge(drift: DriftStatistics, preset: Preset, labels: Sequence[str]) -> GateResult:
    """Return the verdict on a variant.

    Args:
        drift: what was measured.
        preset: the bars.
        labels: K names.
    """
    z = NormalDist().inv_cdf((1 + preset.confidence) / 2)
    bars = [judge_numbers(drift)]
    if preset.min_top1_retention is not None:
        bars.append(judge_retention(drift, preset.min_top1_retention, z))
    if preset.min_top1_delta is not None:
        bars.append(judge_delta(drift, preset.min_top1_delta, z))
    if preset.min_agreement is not None:
        bars.append(judge_agreement(drift, preset.min_agreement, z))
    if preset.min_recall_delta is not None:
        bars.append(judge_recall(drift, preset.min_recall_delta, labels, preset.confidence))
    if preset.max_unknown_shift is not None and drift.unknown is not None:
        bars.append(judge_unknown(drift.unknown, "unknown_shift", preset.max_unknown_shift, z))
    if preset.max_others_shift is not None and drift.unknown_others is not None:
        bars.append(judge_unknown(drift.unknown_others, "others_shift", preset.max_others_shift, z))
    if preset.max_kl_p95 is not None:
        bars.append(judge_kl(drift, preset.max_kl_p95, z))
    verdict, reason = _conclude(bars)
    return GateResult(preset.name, verdict, reason, tuple(bars), _warn(drift, labels, preset.confidence))


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
    bar = BarResult("parity", rule, 0.0, worst, 0.0, worst, n, Verdict.PASS, reason)
    return GateResult(result.preset, Verdict.PASS, reason, (bar,), result.warnings)


def with_cause(result: GateResult, cause: str | None) -> GateResult:
    """Return the same verdict with its likely cause."""
    if cause is None:
        return result
    return replace(result, reason=f"{result.reason}. Likely cause: {cause}", cause=cause)


def _conclude(bars: Sequence[BarResult]) -> tuple[Verdict, str]:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        telling = [bar.reason for bar in bars if bar.verdict is verdict]
        if telling:
            return verdict, "; ".join(telling)
    answers = [bar.reason for bar in bars if bar.name not in ("logits", "kl_p95")]
    return Verdict.PASS, "; ".join(answers or [bar.reason for bar in bars])


def _warn(drift: DriftStatistics, labels: Sequence[str], confidence: float) -> tuple[str, ...]:
    """Name each label whose recall provably fell, whether a bar asks about it or not."""
    z = NormalDist().inv_cdf(1 - (1 - confidence) / (2 * len(labels)))
    found = []
    for label, pairs in zip(labels, drift.recall, strict=True):
        low, high = pairs.interval(z)
        if high < 0:
            found.append(f"recall of {label} fell by {-pairs.delta * 100:.1f} points ({spread(low, high, z)})")
    return tuple(found)
