"""``report.html`` of an export: verdicts, the evidence behind them, and the pictures on which the answers differ."""

from trailcam_core.files.names import counted
from trailcam_core.report.markup import Html, badge, bullets, fill, join, paragraph
from trailcam_core.report.page import box, render_page
from trailcam_core.report.tables import html_table
from trailcam_export.gate.criteria import Verdict
from trailcam_export.report.findings import Findings, VariantFindings
from trailcam_export.report.html_pictures import show_pictures
from trailcam_export.report.html_sections import describe_fix, describe_variant, size_text
from trailcam_export.report.verdict import describe_findings


def render_drift_report(findings: Findings) -> str:
    """Return the page as HTML text.

    Raises:
        SourceError: a test picture can no longer be read.
    """
    measured = [variant for variant in findings.variants if variant.gate.criteria[0].name != "parity"]
    sections = [
        ("Variants", _overview(findings) + join(_verdict(findings, variant) for variant in findings.variants)),
        (f"Fixing {findings.fix.of}" if findings.fix else "", describe_fix(findings)),
        *((variant.name, describe_variant(findings, variant)) for variant in measured),
        ("Pictures on which the answers differ", show_pictures(findings)),
        ("Terms", _glossary(findings)),
    ]
    return render_page("Drift report", f"{findings.name} {findings.version}", _lead(findings), sections)


def _lead(findings: Findings) -> list[Html]:
    counts = dict.fromkeys(Verdict, 0)
    for variant in findings.variants:
        counts[variant.gate.verdict] += 1
    verdicts = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    trained = findings.variants[0].drift.reference
    lead = [
        fill('<p class="lead">{}</p>', describe_findings(findings)),
        fill(
            "<p>{} against the trained model on {:,} test pictures: <b>{}</b>.</p>",
            *(counted(len(findings.variants), "variant"), trained.n, verdicts),
        ),
        fill(
            "<p>The trained model is right on {:.2%} of them (95 % interval {:.1%} to {:.1%}). Gate <b>{}</b>; no test "
            "picture took part in calibration, temperature or threshold.</p>",
            *(trained.top1, trained.top1_low, trained.top1_high, findings.preset.name),
        ),
    ]
    if findings.reference_warning is not None:
        lead.append(box("Check the trained model first", [paragraph(_sentence(findings.reference_warning))], "fail"))
    return lead


def _overview(findings: Findings) -> Html:
    first = findings.variants[0].drift
    rows = [
        [
            *("trained", "", "", f"{first.reference.top1:.2%}", "", "", "", f"{first.ece_reference:.3f}"),
            *("" if pair is None else f"{pair.first:.1%}" for pair in (first.unknown, first.unknown_ood)),
        ]
    ]
    for variant in findings.variants:
        drift = variant.drift
        low, high = drift.right.interval()
        rows.append(
            [
                *(variant.name, badge(variant.gate.verdict.value), size_text(variant.size_bytes)),
                f"{drift.variant.top1:.2%}",
                f"{drift.right.delta * 100:+.2f} ({low * 100:+.2f} to {high * 100:+.2f})",
                *(f"{drift.agreement:.2%}", f"{drift.kl.mean():.2g}", f"{drift.ece_variant:.3f}"),
                *("" if pair is None else f"{pair.second:.1%}" for pair in (drift.unknown, drift.unknown_ood)),
            ]
        )
    head = ["", "verdict", "size", "top-1", "delta, points", "agreement", "mean KL", "ECE", "unknown", "of others"]
    used = [column for column in range(len(head)) if not column or any(row[column] for row in rows)]
    return html_table([head[column] for column in used], [[row[column] for column in used] for row in rows])


def _verdict(findings: Findings, variant: VariantFindings) -> Html:
    gate = variant.gate
    parts = [paragraph(_sentence(gate.reason))]
    if findings.fix is not None and findings.fix.of == variant.name and findings.fixed is not None:
        parts.append(paragraph(f"{findings.fixed} replaces it."))
    if gate.warnings and gate.verdict is not Verdict.FAIL:
        parts += [paragraph("No criterion failed, but:"), bullets(gate.warnings)]
    return box(variant.name, parts, gate.verdict.value, mark=True)


def _glossary(findings: Findings) -> Html:
    others = ", and of others" if findings.reference.ood_logits is not None else ""
    terms = (
        (
            "pass",
            "the interval proves the criterion; a variant also passes if no answer differs on 35 pictures or more",
        ),
        ("fail", "the interval refutes the criterion"),
        ("inconclusive", "too few pictures to prove or refute the criterion"),
        (
            "delta",
            "top-1 of the variant minus the trained model's on the same pictures, 95 % score interval (Tango 1998)",
        ),
        ("agreement", "fraction of pictures with the same answer, right or wrong"),
        ("KL", "distance of the probabilities from the trained model's, in nats; differences below 0.01 are invisible"),
        ("ECE", "average gap between confidence and accuracy; 0 is best"),
        ("unknown", f"fraction of test pictures that the reject rule rejects{others}"),
    )
    return bullets(fill("<b>{}</b>: {}.", term, meaning) for term, meaning in terms)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
