"""The sections of ``report.html`` with the evidence: bars, charts, exchanged answers, and the steps of a fix."""

from collections.abc import Sequence

import numpy as np

from trailcam_core.files.names import counted
from trailcam_core.report.axes import Axis
from trailcam_core.report.charts import charts, column_chart, interval_chart
from trailcam_core.report.markup import Html, badge, fill, join, paragraph
from trailcam_core.report.tables import html_table
from trailcam_export.gate.criteria import CriterionResult
from trailcam_export.gate.gate import CROPS_PREFIX
from trailcam_export.gate.statistics import DriftStatistics
from trailcam_export.report.findings import Findings, VariantFindings

_MOST_LABELS = 30  # rows of a chart, columns of a confusion table
_KL_EDGES = (0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, np.inf)
_SHIFT_EDGES = (-1.0, -0.5, -0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)


def size_text(size_bytes: int) -> str:
    """Return the size of a file in kB or MB."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def describe_variant(findings: Findings, variant: VariantFindings) -> Html:
    """Return the section of one variant: its bars, charts and exchanged answers."""
    drift, right = variant.drift, variant.drift.right
    bars = [[bar.rule, *_measured(bar), f"{bar.n:,}", badge(bar.verdict.value)] for bar in variant.gate.criteria]
    text = (
        f"Only the trained model was right on {right.only_first:,} pictures, only {variant.name} on "
        f"{right.only_second:,}: exact McNemar p = {drift.mcnemar_p:.3g}; bootstrap interval of the delta "
        f"{drift.bootstrap_low * 100:+.2f} to {drift.bootstrap_high * 100:+.2f} points."
    )
    drawn = charts([_recall_chart(findings, drift), _kl_chart(drift), _shift_chart(drift)])
    table = html_table(["criterion", "measured", "interval", "n", "verdict"], bars)
    return join([table, paragraph(text), drawn, _confusion(findings.labels, drift)])


def _measured(bar: CriterionResult) -> list[str]:
    if not bar.measured:
        return ["", ""]
    if bar.name.removeprefix(CROPS_PREFIX) in ("top1_delta", "recall_delta", "unknown_shift", "others_shift"):
        return [f"{bar.value * 100:+.2f} points", f"{bar.low * 100:+.2f} to {bar.high * 100:+.2f}"]
    return [f"{bar.value:.2%}", f"{bar.low:.2%} to {bar.high:.2%}"]


def _recall_chart(findings: Findings, drift: DriftStatistics) -> Html:
    rows = []
    for label, pairs in zip(findings.labels, drift.recall, strict=True):
        if pairs.n:
            low, high = pairs.interval()
            rows.append((label, low * 100, pairs.delta * 100, high * 100))
    shown = sorted(rows, key=lambda row: row[2])[:_MOST_LABELS]
    labels = "each label" if len(shown) == len(rows) else f"the {len(shown)} worst labels of {len(rows)}"
    bar = findings.preset.min_recall_delta
    title = f"Recall of {labels}, change with its 95 % interval" + ("" if bar is None else "; dashed: the bar")
    axis = Axis("points", -100.0, 100.0)
    return interval_chart(title, shown, axis, None if bar is None else bar * 100)


def _kl_chart(drift: DriftStatistics) -> Html:
    counts, _ = np.histogram(np.minimum(drift.kl, 1e6), _KL_EDGES)
    edges = [f"{edge:g}".removeprefix("0") or "0" for edge in _KL_EDGES[:-1]]
    title = f"Pictures by KL divergence: mean {drift.kl.mean():.3g}, 95th percentile {np.percentile(drift.kl, 95):.3g}"
    return column_chart(title, [*edges, "∞"], counts.tolist(), "nats")


def _shift_chart(drift: DriftStatistics) -> Html:
    counts, _ = np.histogram(drift.confidence_shift * (1 - 1e-12), _SHIFT_EDGES)
    title = f"Pictures by shift of confidence: mean {drift.confidence_shift.mean() * 100:+.2f} points"
    return column_chart(title, [f"{100 * edge:.0f}" for edge in _SHIFT_EDGES], counts.tolist(), "points")


def _confusion(labels: Sequence[str], drift: DriftStatistics) -> Html:
    counts = drift.confusion
    apart = counts - np.diag(np.diag(counts))
    if not apart.any():
        unknown = 0 if drift.unknown is None else drift.unknown.only_first + drift.unknown.only_second
        only = f' "Unknown" differs on {counted(unknown, "picture")}.' if unknown else ""
        return paragraph(f"Every best label is the trained model's.{only}")
    if len(labels) > _MOST_LABELS:
        places = np.argsort(-apart, axis=None, kind="stable")[:_MOST_LABELS]
        rows = [
            [labels[row], labels[column], f"{apart[row, column]:,}"]
            for row, column in zip(*np.unravel_index(places, apart.shape), strict=True)
            if apart[row, column]
        ]
        return fill("<h3>Answers that changed most</h3>{}", html_table(["trained", "variant", "pictures"], rows))
    shades = np.sqrt(apart / apart.max()) * 0.7
    rows = [[label, *(f"{n:,}" if n else "" for n in counts[number])] for number, label in enumerate(labels)]
    return fill(
        "<h3>Answers of both</h3><p>Rows: answers of the trained model. Columns: answers of the variant. They differ "
        "off the diagonal.</p>{}",
        html_table(["", *labels], rows, shades.tolist(), kind="matrix"),
    )


def describe_fix(findings: Findings) -> Html:
    """Return the section of the steps that ``--fix`` tried and their costs; nothing where nothing was fixed."""
    if findings.fix is None:
        return Html()
    found, chosen = findings.fix, findings.fix.fix.chosen
    rows = []
    for step in found.fix.steps:
        trial = step.trial
        rows.append(
            [
                f"{len(step.in_float)} in float" + (", chosen" if step is chosen else ""),
                *(size_text(step.size_bytes), f"{step.over_float32:.2f}", f"{trial.top1:.2%}"),
                *(f"{trial.top1_delta * 100:+.2f}", f"{trial.agreement:.2%}", f"{trial.kl:.2g}"),
                badge(trial.gate.verdict.value),
            ]
        )
    worst = [
        [item.operator.short_name, item.operator.kind.lower(), f"{item.kl:.3g}"] for item in found.fix.ranking[:10]
    ]
    times = [[name, f"{value:.2f} ms"] for name, value in found.latency_ms.items()]
    result = "Nothing short of the float file satisfies the gate; these figures show the gain of each step."
    if findings.fixed is not None and chosen is not None:
        kept = f"{len(chosen.in_float)} of {len(found.fix.ranking)} operators"
        result = f"Found {findings.fixed}, which keeps {kept} in float."
    head = ["operators", "size", "time, x float32", "top-1", "delta, points", "agreement", "mean KL", "on validation"]
    speed = fill(
        "<h3>Speed</h3><p>Median of one picture on one thread of the machine that exported; on a camera, measure with "
        "trailcam benchmark.</p>{}",
        html_table(["", "invoke"], times),
    )
    return fill(
        "<p>{} Operators were ranked on calibration pictures, steps judged on validation pictures; test pictures "
        "judged the result alone.</p>{}<h3>Operators that hurt most</h3><p>Mean KL divergence when this operator alone "
        "is int8.</p>{}{}",
        *(result, html_table(head, rows), html_table(["layer", "operator", "nats"], worst), speed if times else ""),
    )
