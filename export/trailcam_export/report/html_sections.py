"""The sections of ``report.html`` that stand behind a verdict: bars, charts, exchanged answers, what a fix trades."""

import html
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from trailcam_export.gate.gate import BarResult
from trailcam_export.gate.statistics import DriftStatistics
from trailcam_export.report.findings import Findings, FixFindings, VariantFindings
from trailcam_export.report.html_charts import bar_chart, interval_chart, size_text, table

__all__ = ["describe_fix", "describe_variant"]

_MOST_LABELS = 30  # rows of a chart, columns of a confusion table
_KL_EDGES = (0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, np.inf)
_SHIFT_EDGES = (-1.0, -0.5, -0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)


def describe_variant(findings: Findings, variant: VariantFindings) -> str:
    """Return the section of one variant: its bars, charts and exchanged answers."""
    drift = variant.drift
    bars = [[bar.rule, *_measured(bar), f"{bar.n:,}", f"!{bar.verdict.value}"] for bar in variant.gate.bars]
    right = drift.right
    text = (
        f"<p>Only the trained model was right on {right.only_first:,} pictures, only {html.escape(variant.name)} on "
        f"{right.only_second:,}: exact McNemar p = {drift.mcnemar_p:.3g}; bootstrap interval of the delta "
        f"{drift.bootstrap_low * 100:+.2f} to {drift.bootstrap_high * 100:+.2f} points.</p>"
    )
    return (
        f"<h2>{html.escape(variant.name)}</h2>"
        + table(["bar", "measured", "interval", "n", "verdict"], bars)
        + text
        + f'<div class="charts">{_recall_chart(findings, drift)}{_kl_chart(drift)}{_shift_chart(drift)}</div>'
        + _confusion(findings.labels, drift)
    )


def _measured(bar: BarResult) -> list[str]:
    if not bar.measured:
        return ["", ""]
    if bar.name in ("top1_delta", "recall_delta", "unknown_shift", "others_shift"):
        return [f"{bar.value * 100:+.2f} points", f"{bar.low * 100:+.2f} to {bar.high * 100:+.2f}"]
    return [f"{bar.value:.2%}", f"{bar.low:.2%} to {bar.high:.2%}"]


def _recall_chart(findings: Findings, drift: DriftStatistics) -> str:
    rows = []
    for label, pairs in zip(findings.labels, drift.recall, strict=True):
        if pairs.n:
            low, high = pairs.interval()
            rows.append((label, low * 100, pairs.delta * 100, high * 100))
    shown = sorted(rows, key=lambda row: row[2])[:_MOST_LABELS]
    title = (
        "Recall of each label" if len(shown) == len(rows) else f"Recall, the {len(shown)} worst labels of {len(rows)}"
    )
    bar = findings.preset.min_recall_delta
    return interval_chart(title, shown, "change in points, 95 % interval", None if bar is None else bar * 100)


def _kl_chart(drift: DriftStatistics) -> str:
    counts, _ = np.histogram(np.minimum(drift.kl, 1e6), _KL_EDGES)
    names = ["<.0001", ".001", ".01", ".1", ".5", "1", "more"]
    title = f"KL divergence, mean {drift.kl.mean():.3g}, 95th percentile {np.percentile(drift.kl, 95):.3g}"
    return bar_chart(title, list(zip(names, counts.tolist(), strict=True)), "nats, up to; pictures above each bar")


def _shift_chart(drift: DriftStatistics) -> str:
    counts, edges = np.histogram(drift.confidence_shift * (1 - 1e-12), _SHIFT_EDGES)
    names = [
        f"{round(low * 100)}" if high <= 0 else "±1" if low < 0 else f"+{round(high * 100)}"
        for low, high in pairwise(edges)
    ]
    title = f"Confidence shift, mean {drift.confidence_shift.mean() * 100:+.2f} points"
    return bar_chart(title, list(zip(names, counts.tolist(), strict=True)), "points, up to; pictures above each bar")


def _confusion(labels: Sequence[str], drift: DriftStatistics) -> str:
    counts = drift.confusion
    apart = counts - np.diag(np.diag(counts))
    if not apart.any():
        return "<p>Every answer is the trained model's.</p>"
    if len(labels) > _MOST_LABELS:
        places = np.argsort(-apart, axis=None, kind="stable")[:_MOST_LABELS]
        rows = [
            [labels[row], labels[column], f"{apart[row, column]:,}"]
            for row, column in zip(*np.unravel_index(places, apart.shape), strict=True)
            if apart[row, column]
        ]
        return "<h3>Answers that changed most</h3>" + table(["trained", "variant", "pictures"], rows)
    shades = np.sqrt(apart / apart.max()) * 0.7
    rows = [[label, *(f"{n:,}" if n else "" for n in counts[number])] for number, label in enumerate(labels)]
    return (
        "<h3>Answers of both</h3><p>Rows: what the trained model answers. Columns: what the variant does. Off the "
        "diagonal they differ.</p>" + table(["", *labels], rows, shades.tolist())
    )


def describe_fix(found: FixFindings, fixed: str | None) -> str:
    """Return the section of what ``--fix`` tried and what each step trades."""
    rows = []
    for step in found.fix.steps:
        chosen = step is found.fix.chosen
        rows.append(
            [
                f"{len(step.in_float)} in float" + (", chosen" if chosen else ""),
                size_text(step.size_bytes),
                f"{step.over_float32:.2f}",
                f"{step.trial.top1:.2%}",
                f"{step.trial.top1_delta * 100:+.2f}",
                f"{step.trial.agreement:.2%}",
                f"{step.trial.kl:.2g}",
                f"!{step.trial.gate.verdict.value}",
            ]
        )
    worst = [
        [item.operator.short_name, item.operator.kind.lower(), f"{item.kl:.3g}"] for item in found.fix.ranking[:10]
    ]
    times = [[name, f"{value:.2f} ms"] for name, value in found.latency_ms.items()]
    told = "Nothing short of the float file satisfies the gate: these figures say what each step gains."
    if fixed is not None and found.fix.chosen is not None:
        kept = f"{len(found.fix.chosen.in_float)} of {len(found.fix.ranking)} operators"
        told = f"Found {html.escape(fixed)}, which keeps {kept} in float."
    head = ["operators", "size", "time, x float32", "top-1", "delta, points", "agreement", "mean KL", "on validation"]
    return (
        f"<h2>Fixing {html.escape(found.of)}</h2><p>{told} Operators were ranked on calibration pictures, steps judged "
        "on validation pictures; test pictures judged the result alone.</p>"
        + table(head, rows)
        + "<h3>Operators that hurt most</h3><p>Mean KL divergence when this operator alone is int8.</p>"
        + table(["layer", "operator", "nats"], worst)
        + (
            "<h3>Speed</h3><p>Median of one picture on one thread of the machine that exported; on a camera, measure "
            "with trailcam benchmark.</p>" + table(["", "invoke"], times)
            if times
            else ""
        )
    )
