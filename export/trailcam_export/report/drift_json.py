"""``drift.json``: the findings for programs. ``docs/drift.md`` is the specification of the schema."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from trailcam_core.records import canonical_json, encode
from trailcam_core.spec import OutputSpec
from trailcam_export.gate.criteria import CriterionResult
from trailcam_export.gate.gate import GateResult
from trailcam_export.gate.paired_proportions import PairedProportion
from trailcam_export.gate.statistics import Score
from trailcam_export.mixed_int8.search import FixStep
from trailcam_export.report.findings import Findings, FixFindings, VariantFindings

SCHEMA_VERSION = 1
_PERCENTILES = (5, 50, 90, 95, 99)


def drift_to_bytes(findings: Findings) -> bytes:
    """Return ``drift.json``: UTF-8, keys sorted, the same bytes for the same findings."""
    return canonical_json(drift_record(findings))


def drift_record(findings: Findings) -> dict[str, Any]:
    """Return the findings as plain tables, lists, texts and numbers; fractions are in 0..1 and deltas in -1..1."""
    first = findings.variants[0].drift
    return {
        "schema_version": SCHEMA_VERSION,
        "name": findings.name,
        "version": findings.version,
        "labels": list(findings.labels),
        "n": first.n,
        "n_others": 0 if findings.reference.ood_logits is None else len(findings.reference.ood_logits),
        "preset": asdict(findings.preset),
        "trained": {
            **_score(first.reference),
            **_output(findings.reference.output),
            "calibration_error": first.ece_reference,
            "doubt": findings.reference_warning,
            "unknown": None if first.unknown is None else first.unknown.first,
            "unknown_others": None if first.unknown_ood is None else first.unknown_ood.first,
        },
        "variants": [_variant(variant) for variant in findings.variants],
        "fix": None if findings.fix is None else _fix(findings.fix, findings.fixed),
    }


def _variant(variant: VariantFindings) -> dict[str, Any]:
    drift = variant.drift
    return {
        "name": variant.name,
        "bundle": variant.bundle,
        "size_bytes": variant.size_bytes,
        **_score(drift.variant),
        **_output(variant.answers.output),
        **_gate(variant.gate),
        "top1_delta": _pairs(drift.right)
        | {
            "mcnemar_p": drift.mcnemar_p,
            "bootstrap_low": drift.bootstrap_low,
            "bootstrap_high": drift.bootstrap_high,
        },
        "agreement": {"value": drift.agreement, "n": drift.n, "agreeing": drift.agreeing},
        "recall_delta": [_pairs(pairs) for pairs in drift.recall],
        "crops": None
        if variant.crops is None
        else {
            "n": variant.crops.n,
            "top1_delta": _pairs(variant.crops.right),
            "agreement": {"value": variant.crops.agreement, "agreeing": variant.crops.agreeing},
            "kl_nats": _distribution(variant.crops.kl),
        },
        "field": None if variant.field_figures is None else encode(variant.field_figures),
        "unknown": None if drift.unknown is None else _pairs(drift.unknown),
        "unknown_others": None if drift.unknown_ood is None else _pairs(drift.unknown_ood),
        "kl_nats": _distribution(drift.kl),
        "confidence_shift": _distribution(drift.confidence_shift),
        "calibration_error": drift.ece_variant,
        "confusion": drift.confusion.tolist(),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "top1": score.top1,
        "top1_low": score.top1_low,
        "top1_high": score.top1_high,
        "recall": list(score.recall),
    }


def _output(output: OutputSpec) -> dict[str, Any]:
    return {"temperature": output.temperature, "reject": None if output.reject is None else encode(output.reject)}


def _gate(gate: GateResult) -> dict[str, Any]:
    return {
        "verdict": gate.verdict.value,
        "reason": gate.reason,
        "cause": gate.cause,
        "pictures_needed": gate.pictures_needed,
        "warnings": list(gate.warnings),
        "bars": [_criterion(criterion) for criterion in gate.criteria],
    }


def _criterion(result: CriterionResult) -> dict[str, Any]:
    fields = asdict(result) | {"verdict": result.verdict.value}
    return {"bar" if name == "bound" else name: value for name, value in fields.items()}


def _pairs(pairs: PairedProportion) -> dict[str, Any]:
    low, high = pairs.interval()
    return (
        asdict(pairs)
        | {"trained": pairs.first, "variant": pairs.second, "value": pairs.delta}
        | {
            "low": low,
            "high": high,
        }
    )


def _distribution(values: npt.NDArray[np.float64]) -> dict[str, float]:
    marks = np.percentile(values, _PERCENTILES)
    found = {f"p{mark}": float(value) for mark, value in zip(_PERCENTILES, marks, strict=True)}
    return {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())} | found


def _fix(found: FixFindings, fixed: str | None) -> dict[str, Any]:
    return {
        "of": found.of,
        "fixed": fixed,
        "latency_ms": found.latency_ms,
        "ranking": [
            {"operator": item.operator.name, "kind": item.operator.kind, "kl_nats": item.kl}
            for item in found.fix.ranking
        ],
        "steps": [_step(step) | {"chosen": step is found.fix.chosen} for step in found.fix.steps],
    }


def _step(step: FixStep) -> dict[str, Any]:
    trial = step.trial
    return {
        "in_float": [operator.name for operator in step.in_float],
        "size_bytes": step.size_bytes,
        "over_float32": step.over_float32,
        "validation": {
            "verdict": trial.gate.verdict.value,
            "reason": trial.gate.reason,
            "top1": trial.top1,
            "top1_delta": trial.top1_delta,
            "agreement": trial.agreement,
            "kl_nats": trial.kl,
        },
        "good": step.good,
    }
