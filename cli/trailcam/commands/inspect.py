"""``trailcam inspect``: describe a bundle, check its files and replay its golden vectors on this machine."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from trailcam.model_options import open_first
from trailcam.terminal import show_report
from trailcam_core.bundle.golden_replay import GoldenReport
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.records import encode
from trailcam_core.spec import FieldRow, Manifest, ModelEntry

_CHECK_FAILED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam inspect``."""
    parser.add_argument(
        "bundle", type=Path, nargs="?", default=BUILTIN_BUNDLE, metavar="BUNDLE", help="default: the built-in one"
    )
    parser.add_argument("--json", action="store_true", help="manifest and replay as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check a bundle and replay its golden vectors; exit code 3 if they give other answers here."""
    classifier = open_first(arguments.bundle, threads=1)
    manifest = classifier.bundle.manifest
    report = classifier.replay_golden()
    if arguments.json:
        record = {"manifest": encode(manifest), "golden": asdict(report) | {"passed": report.passed}}
        print(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        lines = _lines(manifest, report)
        width = max(len(name) for name, _ in lines) + 2
        show_report(f"{name:<{width}}{text}" for name, text in lines)
    if report.culprit is not None:
        print(
            f"trailcam: the golden vectors give other answers here. Likely culprit: {report.culprit}.", file=sys.stderr
        )
        return _CHECK_FAILED
    return 0


def _lines(manifest: Manifest, report: GoldenReport) -> list[tuple[str, str]]:
    model, spec, output, metrics, drift = (
        manifest.model,
        manifest.input,
        manifest.output,
        manifest.metrics,
        manifest.drift,
    )
    lines = [
        ("bundle", f"{manifest.name} {manifest.version}"),
        ("model", f"{model.file}, {model.scheme}, {model.size_bytes / 1e6:.2f} MB, sha256 {model.sha256[:16]}..."),
        ("runs on", _runtimes(model)),
        ("input", f"{spec.width}x{spec.height} px {spec.colour} {spec.dtype}, {spec.fit}, {spec.resize}"),
        ("labels", f"{len(output.labels)}: {', '.join(output.labels[:20])}{' ...' if len(output.labels) > 20 else ''}"),
    ]
    if output.blank_labels or output.unknown_labels:
        silent = [
            *(label if label == "nothing" else f"{label} (nothing)" for label in output.blank_labels),
            *(f"{x} (unknown)" for x in output.unknown_labels),
        ]
        lines.append(("never answered", ", ".join(silent)))
    if not output.blank_labels:
        lines.append(
            ("lacks", 'a class for "nothing there": empty scenes may be named; see "trailcam train --negatives"')
        )
    if output.feature_map is not None:
        lines.append(("zoom", f"feature map of {output.feature_map.height}x{output.feature_map.width} places"))
    if output.reject is None:
        lines.append(("unknown", "never answered: this bundle has no reject rule"))
    else:
        rule = output.reject
        risk = f"keeps {rule.known_accept_rate:.1%} of known pictures (n={rule.n_known:,})"
        if rule.ood_reject_rate is not None:
            risk += f", rejects {rule.ood_reject_rate:.1%} of others (n={rule.n_ood:,})"
        lines.append(("unknown", f"when {rule.score} is below {rule.threshold:.3f}: {risk}"))
    if metrics is not None:
        worst = min(range(len(output.labels)), key=lambda class_id: metrics.recall[class_id])
        interval = f"{metrics.top1_low:.1%} to {metrics.top1_high:.1%}"
        lines.append(("top-1", f"{metrics.top1:.2%} ({interval}, n={metrics.n:,}) on its test split"))
        lines.append(("worst", f"{output.labels[worst]}, {metrics.recall[worst]:.1%} recognised"))
    if drift is not None:
        gate = "no gate" if drift.gate is None else f"{drift.gate.verdict} by the gate {drift.gate.preset!r}"
        figures = f"{drift.top1_delta:+.2%} top-1 and {drift.top1_agreement:.2%} agreement with its float model"
        lines.append(("drift", f"{figures}: {gate}"))
    if manifest.field_figures is not None:
        lines += [("field", _field_text(row)) for row in manifest.field_figures.rows]
    lines += [(key, value) for key, value in sorted(manifest.provenance.items())]
    verdict = "reproduced" if report.passed else "NOT reproduced"
    lines.append(
        ("golden", f"{report.count} vectors {verdict}, worst {report.worst:.4g} of {report.tolerance:.4g} allowed")
    )
    return lines


def _field_text(row: FieldRow) -> str:
    right = "" if row.right is None or row.right.value is None else f"right {row.right.value:.0%}, "
    wrong = "-" if row.wrong.value is None else f"{row.wrong.value:.1%}"
    return f"{row.name}: {right}wrong {wrong} (n={row.n:,} {row.unit} of {row.groups:,} groups)"


def _runtimes(model: ModelEntry) -> str:
    if model.runtime_min is None:
        return "not stated"
    return ", ".join(
        f"{name} {least} or newer" if least is not None else f"not on {name}"
        for name, least in sorted(model.runtime_min.items())
    )
