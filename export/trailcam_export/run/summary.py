"""Summarise an export: as lines for the terminal and as a record for JSON."""

from dataclasses import asdict
from typing import Any

from trailcam_core.errors.command_line import command_line
from trailcam_core.records import encode
from trailcam_export.gate.criteria import Verdict
from trailcam_export.gate.statistics import Score
from trailcam_export.report.findings import FixFindings
from trailcam_export.report.verdict import describe_findings
from trailcam_export.run.export import ExportReport
from trailcam_export.run.write_bundle import VariantReport


def describe_export(report: ExportReport) -> list[str]:
    """Return the lines to print."""
    labels = report.variants[0].output.labels
    rows = [
        ("", "size", "top-1 on test (95 % interval)", "delta", "agreement", "worst label"),
        ("trained", "", _share(report.trained), "", "", _worst(report.trained, labels)),
        *(_row(variant, labels) for variant in report.variants),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(f"n = {report.trained.n:,} test pictures; delta in points, agreement with the trained model")
    lines += [f"WARNING: {report.findings.reference_warning}"] if report.findings.reference_warning is not None else []
    lines.append(describe_findings(report.findings))
    lines += [_rule(variant) for variant in report.variants]
    lines += [f"{variant.variant}: {variant.verdict.value}: {variant.reason}" for variant in report.variants]
    lines += [
        f"warning: {variant.name}: {text}"
        for variant in report.findings.variants
        if variant.gate.verdict is not Verdict.FAIL  # whose reason is already printed
        for text in variant.gate.warnings
    ]
    lines += [_fixed(report.findings.fix)] if report.findings.fix is not None else []
    lines += [f"note: {note}" for note in report.notes]
    pictures = f", {report.calibration_count} calibration pictures" if report.calibration_count else ""
    lines.append(f"peak memory {report.peak_memory_mb:,.0f} MB{pictures}")
    lines += [f"wrote {variant.bundle}" for variant in report.variants]
    lines.append(
        f"wrote {report.folder / 'report.html'}, drift.json, drift.junit.xml; gate {report.findings.preset.name}"
    )
    if report.passed:
        lines.append(f"next: {command_line('benchmark', *(variant.bundle for variant in report.variants))}")
    else:
        lines.append(_advice(report))
    return lines


def export_record(report: ExportReport) -> dict[str, Any]:
    """Return the same as plain dicts, lists, texts and numbers for JSON."""
    return {
        "folder": str(report.folder),
        "trained": asdict(report.trained),
        "calibration_count": report.calibration_count,
        "peak_memory_mb": report.peak_memory_mb,
        "passed": report.passed,
        "gate": report.findings.preset.name,
        "fixed": report.findings.fixed,
        "doubt": report.findings.reference_warning,
        "variants": [
            asdict(variant)
            | {
                "output": encode(variant.output),
                "bundle": str(variant.bundle),
                "verdict": variant.verdict.value,
            }
            for variant in report.variants
        ],
        "notes": list(report.notes),
    }


def _fixed(found: FixFindings) -> str:
    times = ", ".join(f"{name} {value:.2f} ms" for name, value in found.latency_ms.items())
    chosen = found.fix.chosen
    if chosen is None:
        return f"fix: nothing short of float32 satisfies the gate on validation; one thread here: {times}"
    worst = ", ".join(operator.short_name for operator in chosen.in_float[:4]) or "none"
    return (
        f"fix: {len(chosen.in_float)} of {len(found.fix.ranking)} operators stay in float ({worst}"
        f"{', ...' if len(chosen.in_float) > 4 else ''}); one thread here: {times}"
    )


def _advice(report: ExportReport) -> str:
    findings = report.findings
    replaced = findings.fix.of if findings.fix is not None and findings.fixed is not None else None
    failed = [
        variant.variant
        for variant in report.variants
        if variant.verdict is Verdict.FAIL and variant.variant != replaced
    ]
    if failed:
        return f"The drift is too large to ship {', '.join(failed)}: use another bundle, " + (
            'or try "--fix", which keeps the layers that int8 hurts in float.'
            if "int8" in failed and not report.fix_asked
            else "or train longer or with another recipe."
        )
    return "Not proven, and --gate-inconclusive fail asks for a proof: measure on more test pictures."


def _row(variant: VariantReport, labels: tuple[str, ...]) -> tuple[str, ...]:
    return (
        variant.variant,
        f"{variant.size_bytes / 1e6:.2f} MB",
        _share(variant.score),
        f"{variant.drift.top1_delta * 100:+.2f}",
        f"{variant.drift.top1_agreement:.2%}",
        _worst(variant.score, labels),
    )


def _share(score: Score) -> str:
    return f"{score.top1:.2%} ({score.top1_low:.1%} to {score.top1_high:.1%})"


def _worst(score: Score, labels: tuple[str, ...]) -> str:
    shown = [(recall, label) for recall, label in zip(score.recall, labels, strict=True) if recall is not None]
    recall, label = min(shown)
    return f"{label} {recall:.1%}"


def _rule(variant: VariantReport) -> str:
    rule = variant.output.reject
    text = f"{variant.variant}: temperature {variant.output.temperature:.3f}"
    if rule is None:
        return text
    text += (
        f', "unknown" when {rule.score} is below {rule.threshold:.2f}, '
        f"which keeps {rule.known_accept_rate:.1%} of the test pictures"
    )
    if rule.ood_reject_rate is not None:
        text += f" and turns away {rule.ood_reject_rate:.1%} of {rule.n_ood} others"
    return text
