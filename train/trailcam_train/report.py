"""``report.html``: a run for people, on one page that needs no network.

It says first what the model is worth and on how many pictures, then where it fails.
"""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_edge.decision import probabilities
from trailcam_edge.manifest import InputSpec
from trailcam_edge.preprocessing import fit_image, read_image
from trailcam_edge.run_directory import SplitRow
from trailcam_train.charts import line_chart, picture, table
from trailcam_train.checkpoints import EpochRow
from trailcam_train.dataset import Unreadable
from trailcam_train.evaluate import KEEP, Answers
from trailcam_train.recipe import Recipe, recipe_to_toml

__all__ = ["Page", "render_report"]

_THUMBNAIL = InputSpec(128, 128, "letterbox")
_MISTAKES = 24
_LISTED = 100  # unreadable files shown; unreadable.csv has all
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
h1{margin-bottom:0}h2{margin-top:2em;border-bottom:1px solid #ccc}
table{border-collapse:collapse;font-size:13px}th,td{padding:3px 8px;text-align:right}th:first-child{text-align:left}
tbody tr:nth-child(odd){background:#f6f6f4}
.charts{display:flex;flex-wrap:wrap;gap:16px}svg{width:460px;max-width:100%;font:11px system-ui,sans-serif}
svg .title{font-weight:bold;font-size:13px}svg .grid{stroke:#e2e2e2}svg .ideal{stroke:#999;stroke-dasharray:4 4}
figure{display:inline-block;width:140px;margin:6px;vertical-align:top;font-size:12px}
figcaption{overflow-wrap:anywhere}img{max-width:100%}
.lead{font-size:19px}pre{background:#f6f6f4;padding:1em;overflow:auto}.scroll{overflow-x:auto}
"""


@dataclass(frozen=True)
class Page:
    """What a report is made of; ``test`` answers ``rows``, in order, which are relative to ``data``."""

    name: str
    recipe: Recipe
    labels: tuple[str, ...]
    metrics: dict[str, Any]
    history: tuple[EpochRow, ...]
    provenance: dict[str, str]
    unreadable: tuple[Unreadable, ...]
    data: Path
    rows: tuple[SplitRow, ...]
    test: Answers


def render_report(page: Page) -> str:
    """Return the page as HTML text.

    Raises:
        SourceError: a picture that was a mistake can no longer be read.
    """
    parts = [
        f"<h1>{html.escape(page.name)}</h1>",
        _summary(page),
        "<h2>Training</h2>",
        _curves(page),
        "<h2>Classes</h2>",
        _classes(page),
        "<h2>Confusion</h2><p>Rows: what a picture shows. Columns: what was answered.</p>",
        f'<div class="scroll">{_confusion(page)}</div>',
        "<h2>Can its confidence be believed?</h2>",
        _reliability(page),
        "<h2>Unknown is an answer</h2>",
        _reject(page),
        "<h2>Its most confident mistakes</h2>",
        _mistakes(page),
        _unreadable(page),
        "<h2>Where it comes from</h2>",
        table(["", ""], [[key, value] for key, value in page.provenance.items()]),
        f"<h2>Recipe</h2><pre>{html.escape(recipe_to_toml(page.recipe).decode('utf-8'))}</pre>",
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(page.name)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _share(value: float) -> str:
    return f"{value:.1%}"


def _interval(low: float, high: float) -> str:
    return f"{low:.1%} to {high:.1%}"


def _summary(page: Page) -> str:
    test, validation = page.metrics["test"], page.metrics["validation"]
    worst = min(page.labels, key=lambda label: test["recall"][label])
    row = test["per_class"][worst]
    return (
        f'<p class="lead">Right on <b>{_share(test["top1"])}</b> of {test["n"]:,} test pictures '
        f"(95 % interval {_interval(test['top1_low'], test['top1_high'])}); macro-F1 {test['macro_f1']:.3f}. "
        f"Its worst class is <b>{html.escape(worst)}</b>: {_share(row['recall'])} of {row['n']:,} found "
        f"({_interval(row['recall_low'], row['recall_high'])}).</p>"
        f"<p>Validation: {_share(validation['top1'])} of {validation['n']:,}. Validation pictures chose the best "
        "epoch, the temperature and the reject rule; test pictures chose nothing.</p>"
    )


def _curves(page: Page) -> str:
    epochs = (1.0, float(max(2, len(page.history))))
    top = max((max(row.loss, row.validation_loss) for row in page.history), default=1.0)
    loss = line_chart(
        "Loss",
        [
            ("training", [(row.epoch, row.loss) for row in page.history]),
            ("validation", [(row.epoch, row.validation_loss) for row in page.history]),
        ],
        "epoch",
        (0.0, top),
        epochs,
    )
    accuracy = line_chart(
        "Accuracy",
        [
            ("training, augmented", [(row.epoch, row.accuracy) for row in page.history]),
            ("validation", [(row.epoch, row.validation_accuracy) for row in page.history]),
        ],
        "epoch",
        (0.0, 1.0),
        epochs,
    )
    return f'<div class="charts">{loss}{accuracy}</div>'


def _classes(page: Page) -> str:
    rows = []
    for label, found in page.metrics["test"]["per_class"].items():
        rows.append(
            [
                label,
                f"{found['n']:,}",
                _share(found["recall"]),
                _interval(found["recall_low"], found["recall_high"]),
                f"{found['answered']:,}",
                _share(found["precision"]),
                _interval(found["precision_low"], found["precision_high"]),
                f"{found['f1']:.3f}",
            ]
        )
    head = ["class", "test pictures", "recall", "95 % interval", "answered", "precision", "95 % interval", "F1"]
    return table(head, rows)


def _confusion(page: Page) -> str:
    counts = np.array(page.metrics["test"]["confusion"])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    rows = [[label, *(str(n) if n else "" for n in counts[number])] for number, label in enumerate(page.labels)]
    return table(["", *page.labels], rows, np.sqrt(shares).tolist())


def _reliability(page: Page) -> str:
    test = page.metrics["test"]
    series = [
        (name, [(item["confidence"], item["accuracy"]) for item in test[key]])
        for name, key in (("as trained", "reliability_before"), ("with temperature", "reliability_after"))
    ]
    chart = line_chart("Accuracy by confidence", series, "confidence", (0, 1), (0, 1), diagonal=True)
    return (
        f"<p>Temperature {page.metrics['temperature']:.3f}, fitted on validation. Calibration error on test: "
        f"{test['ece_before']:.3f} as trained, {test['ece_after']:.3f} with the temperature.</p>"
        f'<div class="charts">{chart}</div>'
    )


def _reject(page: Page) -> str:
    rule = page.metrics["reject"]
    text = (
        f"<p>Below {rule['threshold']:.3f} of <b>{html.escape(rule['score'])}</b> the answer is unknown. The threshold "
        f"keeps {KEEP:.0%} of the validation pictures; it kept {_share(rule['animals_kept'])} of {rule['n_animals']:,} "
        "test pictures.</p>"
    )
    if "others" not in page.metrics:
        return text + '<p>How many other pictures it turns away was not measured: train with "--others DIR".</p>'
    rows = [
        [
            group,
            f"{found['n']:,}",
            _share(found["rejected"]),
            _interval(found["rejected_low"], found["rejected_high"]),
            f"{found['auroc']:.3f}",
        ]
        for group, found in page.metrics["others"]["groups"].items()
    ]
    return text + table(["others", "pictures", "turned away", "95 % interval", "AUROC"], rows)


def _mistakes(page: Page) -> str:
    shares = probabilities(page.test.logits, page.metrics["temperature"])
    confidence = shares.max(axis=1)
    wrong = np.flatnonzero(~page.test.right)
    if not len(wrong):
        return "<p>None on the test pictures.</p>"
    figures = []
    for position in wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]:
        row = page.rows[position]
        answer = page.labels[int(shares[position].argmax())]
        image = fit_image(read_image(page.data / row.file, _THUMBNAIL), _THUMBNAIL)
        figures.append(picture(image, f"{row.label}, answered {answer} {confidence[position]:.0%}: {row.file}"))
    return "".join(figures)


def _unreadable(page: Page) -> str:
    if not page.unreadable:
        return ""
    rows = [[item.file, item.reason] for item in page.unreadable[:_LISTED]]
    return f"<h2>Left out: {len(page.unreadable):,} pictures that cannot be read</h2>" + table(["file", "reason"], rows)
