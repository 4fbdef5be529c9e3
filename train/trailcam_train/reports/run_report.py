"""``report.html`` of a training run: how good the model is, on how many pictures, and where it fails."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.inference.decision import probabilities
from trailcam_core.report.axes import Axis, fraction
from trailcam_core.report.charts import charts, line_chart, reliability_chart
from trailcam_core.report.field_section import HEADING, field_part
from trailcam_core.report.markup import Html, fill, join, paragraph
from trailcam_core.report.page import render_page
from trailcam_core.report.tables import html_table
from trailcam_core.spec import FieldFigures
from trailcam_train.data.dataset import Unreadable
from trailcam_train.evaluation.ood import KNOWN_ACCEPT_RATE, SplitLogits
from trailcam_train.evaluation.verdict import Verdict
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

_LISTED = 100  # unreadable files shown; unreadable.csv has all
_NONE = "\N{EN DASH}"
_CHART_TESTS = 100  # test pictures below which most points of a reliability chart would be of a handful
_TOP5_CLASSES = 5  # classes above which a label among five answers is an achievement
_CLASS = (
    ("class", "{name}"),
    ("test pictures", "{n:,}"),
    ("recall", "{recall_text}"),
    ("95 % interval", "{recall_interval}"),
    ("answered", "{answered:,}"),
    ("precision", "{precision_text}"),
    ("95 % interval", "{precision_interval}"),
    ("F1", "{f1_text}"),
)
_OTHERS = (
    ("others", "{name}"),
    ("pictures", "{n:,}"),
    ("rejected", "{rejected:.1%}"),
    ("95 % interval", "{rejected_low:.1%} to {rejected_high:.1%}"),
    (f"at {KNOWN_ACCEPT_RATE:.0%} of test pictures kept", "{rejected_at_keep:.1%}"),
    ("95 % interval", "{rejected_at_keep_low:.1%} to {rejected_at_keep_high:.1%}"),
    ("AUROC", "{auroc:.3f}"),
)
_BLEND = (
    ("phase", "{phase}"),
    ("best epoch", "{epoch}"),
    ("fraction of its weights", "{blend:.1%}"),
    ("validation loss", "{validation_loss:.4f}"),
    ("validation accuracy", "{validation_accuracy:.1%}"),
)


@dataclass(frozen=True)
class Page:
    """The content of a report.

    ``rows`` are the validation and then the test pictures, relative to ``data``; ``validation`` and ``test`` answer
    them in that order. ``model`` is the network that did, ``verdict`` compares it with guessing.
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
    verdict: Verdict
    field_figures: FieldFigures | None = None

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
        ("Training", _curves(page) + _special_lessons(page)),
        ("Classes", _table(_CLASS, _class_rows(page.metrics["test"]["per_class"]))),
        ("Confusion", _confusion(page)),
        ("Calibration", _reliability(page)),
        ("Unknown pictures", _reject(page)),
        (HEADING, field_part(page.field_figures)),
        ("Most confident mistakes", show_mistakes(tested)),
        ("Likely label errors", show_label_errors(page.held_out)),
        ("Attention", show_attention(tested, page.model, spec)),
        ("First layers", show_first_layers(tested, page.model, spec)),
        (f"Unreadable pictures: {len(page.unreadable):,} left out", _unreadable(page)),
        ("Provenance", html_table(["", ""], list(page.provenance.items()), kind="texts")),
        ("Recipe", fill("<pre>{}</pre>", recipe_to_toml(page.recipe).decode("utf-8"))),
    ]
    return render_page("Training run", page.name, [_summary(page), _cautions(page.provenance)], sections)


def _summary(page: Page) -> Html:
    test, validation = page.metrics["test"], page.metrics["validation"]
    tested = [label for label in page.labels if test["per_class"][label]["n"]]
    worst = min(tested, key=lambda label: float(test["recall"][label]))
    top5 = "; the label is among the five likeliest on {top5:.1%} ({top5_low:.1%} to {top5_high:.1%})"
    parts = [
        '<p class="lead">Right on <b>{top1:.1%}</b> of {n:,} test pictures (95 % interval {top1_low:.1%} to '
        "{top1_high:.1%}). The worst class is <b>{}</b>: {worst[recall]:.1%} of {worst[n]:,} found "
        "({worst[recall_low]:.1%} to {worst[recall_high]:.1%}).</p>",
        "<p>Macro-F1 {macro_f1:.3f} ({macro_f1_low:.3f} to {macro_f1_high:.3f})",
        top5 if len(page.labels) > _TOP5_CLASSES else "",
        ".</p><p>Validation: {validation[top1]:.1%} of {validation[n]:,}. Validation pictures chose the best epoch, "
        "the temperature and the reject rule; test pictures chose nothing.</p>",
    ]
    lead = fill("".join(parts), worst, worst=test["per_class"][worst], validation=validation, **test)
    return lead + _verdict(page)


def _verdict(page: Page) -> Html:
    verdict = page.verdict
    chance = f"Always answering {verdict.commonest} would be right on {verdict.chance:.1%} of the test pictures."
    return join(paragraph(text) for text in (chance, *verdict.advice))


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
    rows, epoch = page.history, Axis("epoch", show=(1.0, 2.0), whole=True)
    losses = [
        ("training", [(row.epoch, row.loss) for row in rows]),
        ("validation", [(row.epoch, row.validation_loss) for row in rows]),
    ]
    accuracies = [
        ("training, augmented", [(row.epoch, row.accuracy) for row in rows]),
        ("validation", [(row.epoch, row.validation_accuracy) for row in rows]),
    ]
    loss = line_chart("Loss", losses, epoch, Axis("loss", 0.0, show=(0.0,)))
    return charts([loss, line_chart("Accuracy", accuracies, epoch, fraction("right", show=(0.9, 1.0)))])


def _special_lessons(page: Page) -> Html:
    """Return what is special in a training: small pictures, a teacher, other pictures, and blended phases."""
    recipe, parts = page.recipe, []
    for phase in recipe.phases:
        if phase.epochs and phase.scale < 1:
            size = recipe.at_scale(phase.scale).input
            parts.append(
                paragraph(
                    f"Phase {phase.name} learned from, and was validated on, pictures of {size.width}x{size.height} px."
                )
            )
    if recipe.distillation.teacher:
        lesson = recipe.distillation
        parts.append(
            fill(
                "<p>{:.0%} of the loss came from the answers of <b>{}</b>, softened with temperature {:g}; the rest "
                "from the labels.</p>",
                *(lesson.weight, lesson.teacher, lesson.temperature),
            )
        )
        if lesson.features:
            parts.append(
                paragraph(
                    f"The network also learned to predict the inputs of the teacher's last layer, with weight "
                    f"{lesson.features:g}; the loss of the training includes that."
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
        parts.append(paragraph("Phases that ended between their first and their best weights:"))
        parts.append(_table(_BLEND, page.metrics["blends"]))
    return join(parts)


def _table(columns: Sequence[tuple[str, str]], records: Iterable[dict[str, Any]]) -> Html:
    """Return a table of records; a column has a name and the template of its cells."""
    rows = [[template.format_map(record) for _, template in columns] for record in records]
    return html_table([name for name, _ in columns], rows)


def _confusion(page: Page) -> Html:
    counts = np.array(page.metrics["test"]["confusion"])
    fractions = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    rows = [[label, *(str(n) if n else "" for n in counts[number])] for number, label in enumerate(page.labels)]
    table = html_table(["", *page.labels], rows, np.sqrt(fractions).tolist(), kind="matrix")
    return paragraph("Rows: the label of a picture. Columns: the answer of the model.") + table


def _reliability(page: Page) -> Html:
    test = page.metrics["test"]
    if test["n"] < _CHART_TESTS:
        return paragraph(
            f"Temperature {page.metrics['temperature']:.3f}, fitted on validation. {test['n']} test pictures are too "
            f"few to compare confidence with accuracy: {_CHART_TESTS} are needed."
        )
    lines = [
        (name, [(item["confidence"], item["accuracy"], item["n"]) for item in test[key]])
        for name, key in (("as trained", "reliability_before"), ("with temperature", "reliability_after"))
    ]
    text = fill(
        "<p>Temperature {:.3f}, fitted on validation. Calibration error on test: {ece_before:.3f} "
        "({ece_before_low:.3f} to {ece_before_high:.3f}) as trained, {ece_after:.3f} ({ece_after_low:.3f} to "
        "{ece_after_high:.3f}) with the temperature. A point below the dashed line: the model is surer than it is "
        "right. The columns count the test pictures behind each point with the temperature: a point of few pictures "
        "proves little.</p>",
        page.metrics["temperature"],
        **test,
    )
    return text + charts([reliability_chart("Accuracy by confidence", lines)])


def _reject(page: Page) -> Html:
    text = fill(
        "<p>Below {threshold:.3f} of <b>{score}</b> the answer is unknown. The threshold keeps {:.0%} of the "
        "validation pictures of animals; it kept {animals_kept:.1%} of {n_animals:,} test pictures of them "
        "({animals_kept_low:.1%} to {animals_kept_high:.1%}).</p>",
        KNOWN_ACCEPT_RATE,
        **page.metrics["reject"],
    )
    if page.field_figures is not None and page.metrics["reject"]["n_others"]:
        text += fill(
            "<p>It turned away {others_rejected:.1%} of {n_others:,} test pictures of nothing and of others.</p>",
            **page.metrics["reject"],
        )
    if "others" not in page.metrics:
        return text + paragraph('How many other pictures are rejected was not measured: train with "--others DIR".')
    return text + _table(_OTHERS, _named(page.metrics["others"]["groups"]))


def _class_rows(per_class: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    rows = _named(per_class)
    for row in rows:
        row["f1_text"] = f"{row['f1']:.3f}" if row["n"] else _NONE
        for key, count in (("recall", row["n"]), ("precision", row["answered"])):
            row[f"{key}_text"] = f"{row[key]:.1%}" if count else _NONE
            row[f"{key}_interval"] = f"{row[f'{key}_low']:.1%} to {row[f'{key}_high']:.1%}" if count else _NONE
    return rows


def _named(records: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **record} for name, record in records.items()]


def _unreadable(page: Page) -> Html:
    rows = [[item.file, item.reason] for item in page.unreadable[:_LISTED]]
    return html_table(["file", "reason"], rows, kind="texts") if rows else Html()
