"""``report.html`` of an export: the verdicts, what stands behind them, and the pictures on which the answers differ.

One page that needs no network, is read on a phone as well as on a desk, and says first what may ship.
"""

import html

from trailcam_export.gate.gate import Verdict
from trailcam_export.report.findings import Findings, VariantFindings
from trailcam_export.report.html_charts import badge, size_text, table
from trailcam_export.report.html_pictures import show_pictures
from trailcam_export.report.html_sections import describe_fix, describe_variant
from trailcam_export.report.report_style import STYLE

__all__ = ["render_drift_report"]

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
)


def render_drift_report(findings: Findings) -> str:
    """Return the page as HTML text.

    Raises:
        SourceError: a test picture can no longer be read.
    """
    title = f"{findings.name} {findings.version}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _lead(findings),
        _doubt(findings.doubt),
        "<h2>Variants</h2>",
        _overview(findings),
        *(_verdict(findings, variant) for variant in findings.variants),
        describe_fix(findings.fix, findings.fixed) if findings.fix is not None else "",
        *(
            describe_variant(findings, variant)
            for variant in findings.variants
            if variant.gate.bars[0].name != "parity"
        ),
        "<h2>Pictures on which the answers differ</h2>",
        show_pictures(findings),
        "<h2>How to read this</h2>",
        _glossary(findings),
    ]
    return (
        f"{_HEAD}<title>{html.escape(title)}: drift</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _lead(findings: Findings) -> str:
    counts = dict.fromkeys(Verdict, 0)
    for variant in findings.variants:
        counts[variant.gate.verdict] += 1
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    trained = findings.variants[0].drift.reference
    return (
        f'<p class="lead">{len(findings.variants)} variants against the trained model on {trained.n:,} test pictures: '
        f"<b>{told}</b>.</p><p>The trained model is right on {trained.top1:.2%} of them (95 % interval "
        f"{trained.top1_low:.1%} to {trained.top1_high:.1%}). Gate <b>{html.escape(findings.preset.name)}</b>; no test "
        "picture took part in calibration, temperature or threshold.</p>"
    )


def _doubt(doubt: str | None) -> str:
    if doubt is None:
        return ""
    text = html.escape(_sentence(doubt))
    return f'<section class="verdict fail"><h3>Look at the trained model first</h3><p>{text}</p></section>'


def _overview(findings: Findings) -> str:
    first = findings.variants[0].drift
    trained = [
        "trained",
        "",
        "",
        f"{first.reference.top1:.2%}",
        "",
        "",
        "",
        f"{first.ece_reference:.3f}",
        _share(None if first.unknown is None else first.unknown.first),
        _share(None if first.unknown_others is None else first.unknown_others.first),
    ]
    rows = [trained]
    for variant in findings.variants:
        drift = variant.drift
        low, high = drift.right.interval()
        rows.append(
            [
                variant.name,
                f"!{variant.gate.verdict.value}",
                size_text(variant.size_bytes),
                f"{drift.variant.top1:.2%}",
                f"{drift.right.delta * 100:+.2f} ({low * 100:+.2f} to {high * 100:+.2f})",
                f"{drift.agreement:.2%}",
                f"{drift.kl.mean():.2g}",
                f"{drift.ece_variant:.3f}",
                _share(None if drift.unknown is None else drift.unknown.second),
                _share(None if drift.unknown_others is None else drift.unknown_others.second),
                f"!{variant.gate.verdict.value}",
            ]
        )
    head = ["", "verdict", "size", "top-1", "delta, points", "agreement", "mean KL", "ECE", "unknown", "of others"]
    return table(head, rows)


def _verdict(findings: Findings, variant: VariantFindings) -> str:
    gate = variant.gate
    warnings = "".join(f"<li>{html.escape(text)}</li>" for text in gate.warnings)
    note = ""
    if findings.fix is not None and findings.fix.of == variant.name and findings.fixed is not None:
        note = f"<p>{html.escape(findings.fixed)} stands in for it.</p>"
    return (
        f'<section class="verdict {gate.verdict.value}">'
        f"<h3>{html.escape(variant.name)} {badge(gate.verdict.value)}</h3>"
        f"<p>{html.escape(_sentence(gate.reason))}</p>{note}"
        + (f"<p>No bar failed, but:</p><ul>{warnings}</ul>" if warnings and gate.verdict is not Verdict.FAIL else "")
        + "</section>"
    )


def _glossary(findings: Findings) -> str:
    others = ", and of others" if findings.reference.others is not None else ""
    return (
        "<ul><li><b>pass</b>: the interval proves the bar. <b>fail</b>: it refutes it. <b>inconclusive</b>: too few "
        "pictures to tell.</li><li><b>delta</b>: top-1 of the variant minus the trained model's on the same pictures, "
        "95 % score interval (Tango 1998).</li><li><b>agreement</b>: share of pictures with the same answer, right or "
        "wrong.</li><li><b>KL</b>: how far the probabilities moved, in nats; below 0.01 nobody would notice.</li>"
        "<li><b>ECE</b>: how far confidence and accuracy lie apart on average; 0 is best.</li><li><b>unknown</b>: "
        f"share of test pictures that the reject rule turns away{others}.</li></ul>"
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
