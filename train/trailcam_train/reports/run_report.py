"""``report.html``: a run for people, on one page that needs no network.

It says first what the model is worth and on how many pictures, then where it fails.
"""

import html
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.inference.decision import probabilities
from trailcam_train.data.dataset import Unreadable
from trailcam_train.evaluation.evaluate import KEEP, Answers
from trailcam_train.fitting.checkpoints import EpochRow
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import recipe_to_toml
from trailcam_train.reports.charts import line_chart, table
from trailcam_train.reports.page import render_page
from trailcam_train.reports.run_report_pictures import (
    Pictures,
    show_attention,
    show_first_layers,
    show_label_errors,
    show_mistakes,
)

__all__ = ["Page", "render_report"]

_LISTED = 100  # unreadable files shown; unreadable.csv has all


@dataclass(frozen=True)
class Page:
    """What a report is made of.

    ``rows`` are the validation and then the test pictures, relative to ``data``; ``validation`` and ``test`` answer
    them in that order. ``model`` is the network that did.
    """

    name: str
    recipe: Recipe
    labels: tuple[str, ...]
    metrics: dict[str, Any]
    history: tuple[EpochRow, ...]
    provenance: dict[str, str]
    unreadable: tuple[Unreadable, ...]
    data: Path
    rows: tuple[SplitRow, ...]
    validation: Answers
    test: Answers
    model: keras.Model

    @property
    def held_out(self) -> Pictures:
        """All pictures that the model was not trained on."""
        logits = np.concatenate([self.validation.logits, self.test.logits])
        class_ids = np.concatenate([self.validation.class_ids, self.test.class_ids])
        return Pictures(
            self.data, self.labels, self.rows, class_ids, probabilities(logits, self.metrics["temperature"])
        )

    @property
    def tested(self) -> Pictures:
        """The test pictures."""
        every, first = self.held_out, len(self.validation.class_ids)
        return Pictures(self.data, self.labels, every.rows[first:], every.class_ids[first:], every.shares[first:])


def render_report(page: Page) -> str:
    """Return the page as HTML text.

    Raises:
        SourceError: a picture that is shown can no longer be read.
    """
    tested, spec = page.tested, page.recipe.input.spec
    parts = [
        _summary(page),
        "<h2>Training</h2>",
        _curves(page),
        _lessons(page),
        "<h2>Classes</h2>",
        _classes(page),
        "<h2>Confusion</h2><p>Rows: what a picture shows. Columns: what was answered.</p>",
        _confusion(page),
        "<h2>Can its confidence be believed?</h2>",
        _reliability(page),
        "<h2>Unknown is an answer</h2>",
        _reject(page),
        "<h2>Its most confident mistakes</h2>",
        show_mistakes(tested),
        "<h2>Likely label errors</h2>",
        show_label_errors(page.held_out),
        "<h2>What it looks at</h2>",
        show_attention(tested, page.model, spec),
        "<h2>What its first layers see</h2>",
        show_first_layers(tested, page.model, spec),
        _unreadable(page),
        "<h2>Where it comes from</h2>",
        table(["", ""], [[key, value] for key, value in page.provenance.items()], texts=True),
        f"<h2>Recipe</h2><pre>{html.escape(recipe_to_toml(page.recipe).decode('utf-8'))}</pre>",
    ]
    return render_page(page.name, parts)


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
        f"(95 % interval {_interval(test['top1_low'], test['top1_high'])}). "
        f"Its worst class is <b>{html.escape(worst)}</b>: {_share(row['recall'])} of {row['n']:,} found "
        f"({_interval(row['recall_low'], row['recall_high'])}).</p>"
        f"<p>Among its five likeliest answers on {_share(test['top5'])} "
        f"({_interval(test['top5_low'], test['top5_high'])}); macro-F1 {test['macro_f1']:.3f} "
        f"({test['macro_f1_low']:.3f} to {test['macro_f1_high']:.3f}).</p>"
        f"<p>Validation: {_share(validation['top1'])} of {validation['n']:,}. Validation pictures chose the best "
        "epoch, the temperature and the reject rule; test pictures chose nothing.</p>"
        f"{_cautions(page.provenance)}"
    )


def _cautions(provenance: dict[str, str]) -> str:
    """Return what makes the test easier, or its intervals narrower, than they look."""
    said = []
    if "group_by" in provenance:
        said.append(
            "Pictures were grouped, by camera or site say. The intervals take them as independent of each other, which "
            "pictures of one group are not: the true intervals are wider."
        )
    if provenance.get("near_duplicates_across", "0") != "0":
        said.append(
            f"{provenance['near_duplicates_across']} groups of near-duplicates are in several splits of the split that "
            "was handed in: on those pictures the test is no test."
        )
    return "".join(f"<p><b>Caution.</b> {text}</p>" for text in said)


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
    worst = min((min(row.accuracy, row.validation_accuracy) for row in page.history), default=0.0)
    accuracy = line_chart(
        "Accuracy",
        [
            ("training, augmented", [(row.epoch, row.accuracy) for row in page.history]),
            ("validation", [(row.epoch, row.validation_accuracy) for row in page.history]),
        ],
        "epoch",
        (min(0.9, math.floor(10 * worst) / 10), 1.0),
        epochs,
    )
    return f'<div class="charts">{loss}{accuracy}</div>'


def _lessons(page: Page) -> str:
    """What it learned from beside the labels of its pictures."""
    recipe, text = page.recipe, ""
    if recipe.distillation.teacher:
        lesson = recipe.distillation
        text += (
            f"<p>{lesson.weight:.0%} of the loss came from the answers of <b>{html.escape(lesson.teacher)}</b>, "
            f"softened with temperature {lesson.temperature:g}; the rest from the labels.</p>"
        )
    if recipe.outliers_weight:
        text += (
            f"<p>Each step also saw {recipe.outliers_per_batch} pictures of none of the classes, with weight "
            f"{recipe.outliers_weight:g}: outliers.csv has them, and no figure below counts them.</p>"
        )
    if page.metrics.get("blends"):
        rows = [
            [
                item["phase"],
                f"{item['epoch']}",
                _share(item["blend"]),
                f"{item['validation_loss']:.4f}",
                _share(item["validation_accuracy"]),
            ]
            for item in page.metrics["blends"]
        ]
        head = ["phase", "best epoch", "share of its weights", "validation loss", "validation accuracy"]
        text += "<p>Phases that ended between the weights they began with and their best:</p>" + table(head, rows)
    return text


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
        f"{_error(test, 'before')} as trained, {_error(test, 'after')} with the temperature. A point below the dashed "
        "line: surer than it is right.</p>"
        f'<div class="charts">{chart}</div>'
    )


def _error(test: dict[str, Any], when: str) -> str:
    return f"{test[f'ece_{when}']:.3f} ({test[f'ece_{when}_low']:.3f} to {test[f'ece_{when}_high']:.3f})"


def _reject(page: Page) -> str:
    rule = page.metrics["reject"]
    text = (
        f"<p>Below {rule['threshold']:.3f} of <b>{html.escape(rule['score'])}</b> the answer is unknown. The threshold "
        f"keeps {KEEP:.0%} of the validation pictures; it kept {_share(rule['animals_kept'])} of {rule['n_animals']:,} "
        f"test pictures ({_interval(rule['animals_kept_low'], rule['animals_kept_high'])}).</p>"
    )
    if "others" not in page.metrics:
        return text + '<p>How many other pictures it turns away was not measured: train with "--others DIR".</p>'
    rows = [
        [
            group,
            f"{found['n']:,}",
            _share(found["rejected"]),
            _interval(found["rejected_low"], found["rejected_high"]),
            _share(found["rejected_at_keep"]),
            _interval(found["rejected_at_keep_low"], found["rejected_at_keep_high"]),
            f"{found['auroc']:.3f}",
        ]
        for group, found in page.metrics["others"]["groups"].items()
    ]
    at_keep = f"at {KEEP:.0%} of test pictures kept"
    return text + table(["others", "pictures", "turned away", "95 % interval", at_keep, "95 % interval", "AUROC"], rows)


def _unreadable(page: Page) -> str:
    if not page.unreadable:
        return ""
    rows = [[item.file, item.reason] for item in page.unreadable[:_LISTED]]
    title = f"<h2>Left out: {len(page.unreadable):,} pictures that cannot be read</h2>"
    return title + table(["file", "reason"], rows, texts=True)
