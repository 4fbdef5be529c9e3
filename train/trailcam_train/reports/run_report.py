"""``report.html`` of a training run: how good the model is, on how many pictures, and where it fails."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.inference.decision import probabilities
from trailcam_core.report import (
    Axis,
    Html,
    charts,
    fill,
    fraction,
    html_table,
    join,
    line_chart,
    paragraph,
    reliability_chart,
    render_page,
)
from trailcam_train.data.dataset import Unreadable
from trailcam_train.evaluation.ood import KNOWN_ACCEPT_RATE, SplitLogits
from trailcam_train.fitting.checkpoints import EpochRow
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import recipe_to_toml
from trailcam_train.reports.run_report_pictures import (
    Pictures,
    show_attention,
    show_first_layers,
    show_label_errors,
    show_mistakes,
)

__all__ = ["Page", "render_report"]

_LISTED = 100  # unreadable files shown; unreadable.csv has all
_TOP5_CLASSES = 5  # classes above which a label among five answers is an achievement


@dataclass(frozen=True)
class Page:
    """The content of a report.

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
    validation: SplitLogits
    test: SplitLogits
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
    sections = [
        ("Training", _curves(page) + _other_teachers(page)),
        ("Classes", _classes(page)),
        ("Confusion", _confusion(page)),
        ("Calibration", _reliability(page)),
        ("Unknown animals and empty scenes", _reject(page)),
        ("Most confident mistakes", show_mistakes(tested)),
        ("Likely label errors", show_label_errors(page.held_out)),
        ("Attention", show_attention(tested, page.model, spec)),
        ("First layers", show_first_layers(tested, page.model, spec)),
        (f"Unreadable pictures: {len(page.unreadable):,} left out", _unreadable(page)),
        ("Provenance", html_table(["", ""], list(page.provenance.items()), kind="texts")),
        ("Recipe", fill("<pre>{}</pre>", recipe_to_toml(page.recipe).decode("utf-8"))),
    ]
    return render_page("Training run", page.name, [_summary(page), _cautions(page.provenance)], sections)


def _interval(found: dict[str, Any], name: str) -> str:
    return f"{found[f'{name}_low']:.1%} to {found[f'{name}_high']:.1%}"


def _summary(page: Page) -> Html:
    test, validation = page.metrics["test"], page.metrics["validation"]
    worst = min(page.labels, key=lambda label: test["recall"][label])
    row = test["per_class"][worst]
    lead = fill(
        '<p class="lead">Right on <b>{:.1%}</b> of {:,} test pictures (95 % interval {}). The worst class is '
        "<b>{}</b>: {:.1%} of {:,} found ({}).</p>",
        *(test["top1"], test["n"], _interval(test, "top1")),
        *(worst, row["recall"], row["n"], _interval(row, "recall")),
    )
    macro_f1 = f"Macro-F1 {test['macro_f1']:.3f} ({test['macro_f1_low']:.3f} to {test['macro_f1_high']:.3f})"
    if len(page.labels) > _TOP5_CLASSES:
        macro_f1 += f"; the label is among the five likeliest on {test['top5']:.1%} ({_interval(test, 'top5')})"
    chosen = (
        f"Validation: {validation['top1']:.1%} of {validation['n']:,}. Validation pictures chose the best epoch, the "
        "temperature and the reject rule; test pictures chose nothing."
    )
    return join([lead, paragraph(f"{macro_f1}."), paragraph(chosen)])


def _cautions(provenance: dict[str, str]) -> Html:
    """Return reasons why the test is easier, or its intervals narrower, than the figures suggest."""
    cautions = []
    if "group_by" in provenance:
        cautions.append(
            "Pictures were grouped, for example by camera or site. The intervals assume independent pictures, which "
            "pictures of one group are not: the true intervals are wider."
        )
    if provenance.get("near_duplicates_across", "0") != "0":
        cautions.append(
            f"{provenance['near_duplicates_across']} groups of near-duplicates are in several splits of the given "
            "split: those test pictures resemble training pictures."
        )
    return join(fill("<p><b>Caution.</b> {}</p>", text) for text in cautions)


def _curves(page: Page) -> Html:
    def chart(title: str, axis: Axis, training: str, lines: list[list[float]]) -> Html:
        epochs = [row.epoch for row in page.history]
        named = zip((training, "validation"), ([*zip(epochs, line, strict=True)] for line in lines), strict=True)
        return line_chart(title, list(named), Axis("epoch", show=(1, 2), whole=True), axis)

    rows = page.history
    losses = [[row.loss for row in rows], [row.validation_loss for row in rows]]
    accuracies = [[row.accuracy for row in rows], [row.validation_accuracy for row in rows]]
    return charts(
        [
            chart("Loss", Axis("loss", 0.0, show=(0.0,)), "training", losses),
            chart("Accuracy", fraction("right", show=(0.9, 1.0)), "training, augmented", accuracies),
        ]
    )


def _other_teachers(page: Page) -> Html:
    """Return sources of training beside the labels: a teacher, other pictures, and blended phases."""
    recipe, parts = page.recipe, []
    if recipe.distillation.teacher:
        lesson = recipe.distillation
        parts.append(
            fill(
                "<p>{:.0%} of the loss came from the answers of <b>{}</b>, softened with temperature {:g}; the rest "
                "from the labels.</p>",
                *(lesson.weight, lesson.teacher, lesson.temperature),
            )
        )
    if recipe.outliers_weight:
        parts.append(
            paragraph(
                f"Each step also used {recipe.outliers_per_batch} out-of-distribution pictures with weight "
                f"{recipe.outliers_weight:g}. outliers.csv lists them; no figure below counts them."
            )
        )
    if page.metrics.get("blends"):
        rows = [
            [
                *(item["phase"], f"{item['epoch']}", f"{item['blend']:.1%}"),
                *(f"{item['validation_loss']:.4f}", f"{item['validation_accuracy']:.1%}"),
            ]
            for item in page.metrics["blends"]
        ]
        head = ["phase", "best epoch", "fraction of its weights", "validation loss", "validation accuracy"]
        parts.append(paragraph("Phases that ended between their first and their best weights:"))
        parts.append(html_table(head, rows))
    return join(parts)


def _classes(page: Page) -> Html:
    rows = [
        [
            *(label, f"{found['n']:,}", f"{found['recall']:.1%}", _interval(found, "recall")),
            *(f"{found['answered']:,}", f"{found['precision']:.1%}", _interval(found, "precision")),
            f"{found['f1']:.3f}",
        ]
        for label, found in page.metrics["test"]["per_class"].items()
    ]
    head = ["class", "test pictures", "recall", "95 % interval", "answered", "precision", "95 % interval", "F1"]
    return html_table(head, rows)


def _confusion(page: Page) -> Html:
    counts = np.array(page.metrics["test"]["confusion"])
    fractions = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    rows = [[label, *(str(n) if n else "" for n in counts[number])] for number, label in enumerate(page.labels)]
    table = html_table(["", *page.labels], rows, np.sqrt(fractions).tolist(), kind="matrix")
    return paragraph("Rows: the label of a picture. Columns: the answer of the model.") + table


def _reliability(page: Page) -> Html:
    test = page.metrics["test"]
    lines = [
        (name, [(item["confidence"], item["accuracy"], item["n"]) for item in test[key]])
        for name, key in (("as trained", "reliability_before"), ("with temperature", "reliability_after"))
    ]
    text = (
        f"Temperature {page.metrics['temperature']:.3f}, fitted on validation. Calibration error on test: "
        f"{_error(test, 'before')} as trained, {_error(test, 'after')} with the temperature. A point below the dashed "
        "line: the model is surer than it is right. The columns count the test pictures behind each point with the "
        "temperature: a point of few pictures proves little."
    )
    return paragraph(text) + charts([reliability_chart("Accuracy by confidence", lines)])


def _error(test: dict[str, Any], when: str) -> str:
    return f"{test[f'ece_{when}']:.3f} ({test[f'ece_{when}_low']:.3f} to {test[f'ece_{when}_high']:.3f})"


def _reject(page: Page) -> Html:
    rule = page.metrics["reject"]
    text = fill(
        "<p>Below {:.3f} of <b>{}</b> the answer is unknown. The threshold keeps {:.0%} of the validation pictures; it "
        "kept {:.1%} of {:,} test pictures ({}).</p>",
        *(rule["threshold"], rule["score"], KNOWN_ACCEPT_RATE),
        *(rule["animals_kept"], rule["n_animals"], _interval(rule, "animals_kept")),
    )
    if "others" not in page.metrics:
        return text + paragraph('How many other pictures are rejected was not measured: train with "--others DIR".')
    rows = [
        [
            *(group, f"{found['n']:,}", f"{found['rejected']:.1%}", _interval(found, "rejected")),
            *(f"{found['rejected_at_keep']:.1%}", _interval(found, "rejected_at_keep"), f"{found['auroc']:.3f}"),
        ]
        for group, found in page.metrics["others"]["groups"].items()
    ]
    at_keep = f"at {KNOWN_ACCEPT_RATE:.0%} of test pictures kept"
    return text + html_table(
        ["others", "pictures", "rejected", "95 % interval", at_keep, "95 % interval", "AUROC"], rows
    )


def _unreadable(page: Page) -> Html:
    rows = [[item.file, item.reason] for item in page.unreadable[:_LISTED]]
    return html_table(["file", "reason"], rows, kind="texts") if rows else Html()
