import re
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.spec import FieldFigures, FieldRow, OutputSpec, Rate
from trailcam_train.data.dataset import Unreadable
from trailcam_train.evaluation.evaluate import compute_metrics
from trailcam_train.evaluation.ood import OodLogits, SplitLogits
from trailcam_train.evaluation.verdict import Training, judge
from trailcam_train.fitting.checkpoints import EpochRow
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import find_recipe
from trailcam_train.reports.run_report import Page, render_report

from ...html_pages import HtmlPage

pytestmark = pytest.mark.usefixtures("eager")

LABELS = ("fox & <hare>", "hare", "owl")
OUTPUT = OutputSpec(LABELS, 1.0, None)


def network(*body: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            *body,
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


@pytest.fixture
def page(tmp_path: Path) -> Page:
    rows = tuple(SplitRow(f"v{n}.png", "0" * 64, "validation", LABELS[n % 3]) for n in range(9))
    rows += tuple(SplitRow(f"{n}.png", "0" * 64, "test", LABELS[n % 3]) for n in range(9))
    for row in rows:
        noise = np.random.default_rng(len(row.file)).integers(0, 256, (40, 30, 3))
        cv2.imwrite(str(tmp_path / row.file), noise.astype(np.uint8))
    class_ids = np.array([n % 3 for n in range(9)], np.int32)
    logits = np.eye(3)[[0, 1, 2, 0, 1, 2, 1, 2, 0]] * 4.0  # the last three are wrong
    test = SplitLogits(logits, class_ids)
    # Answered unsurely, so that a class is usually met with less confidence than the mistakes on the test have.
    validation = SplitLogits(np.eye(3)[class_ids] * 1.0, class_ids)
    others = OodLogits({"cars": np.zeros((3, 3))}, {"cars": np.zeros((3, 3))})
    metrics = compute_metrics(OUTPUT, validation, test, others)
    return Page(
        name="cnn-1",
        recipe=override(find_recipe("cnn"), ["input.height=32", "input.width=32"]),
        labels=LABELS,
        metrics=metrics,
        history=tuple(EpochRow(n, "all", 0.1, 1 / n, 0.5, 1 / n, 0.6, 1.0) for n in (1, 2, 3)),
        provenance={"data": "/photos", "keras": "3"},
        unreadable=(Unreadable("fox/broken.jpg", "cut off"),),
        data=tmp_path,
        rows=rows,
        validation=validation,
        test=test,
        model=network(
            keras.layers.Conv2D(40, 3, name="edges"), keras.layers.MaxPooling2D(4), keras.layers.Conv2D(4, 3)
        ),
        verdict=judge(metrics["test"], Training("runs/cnn-1", "/photos", pretrained=False, training_pictures=30)),
    )


def section(text: str, heading: str) -> HtmlPage:
    """Return the part below a heading."""
    return HtmlPage(text).section(heading)


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(page: Page) -> None:
    HtmlPage(render_report(page)).assert_stands_alone()


def test_the_same_run_gives_the_same_page(page: Page) -> None:
    assert render_report(page) == render_report(page)


def test_every_mistake_is_shown_as_a_picture_with_both_labels(page: Page) -> None:
    mistakes = section(render_report(page), "Most confident mistakes")

    assert mistakes.tags["img"] == 3
    assert re.fullmatch(r"owl; answered fox & <hare> \d+%\s✗; 8\.png", mistakes.alts[2])


def test_confident_answers_against_the_label_are_shown_as_likely_label_errors(page: Page) -> None:
    errors = section(render_report(page), "Likely label errors")

    assert "3 of 18 validation and test pictures" in errors.text
    assert re.fullmatch(r"fox & <hare> \d+%; rather hare \d+%; 6\.png", errors.alts[0])


def test_wrong_answers_are_explained_for_the_answer_and_the_label_and_right_ones_for_the_answer(page: Page) -> None:
    attention = section(render_report(page), "Attention")

    assert len(attention.alts) == 3 * 3 + 6 * 2  # the picture itself, and one map per class asked for
    assert sum(alt.endswith(": for hare") for alt in attention.alts) == 2 + 2
    assert "from the surest to the least sure" in attention.text


def test_the_first_layers_are_shown_with_their_size(page: Page) -> None:
    layers = section(render_report(page), "First layers")

    assert layers.tags["img"] == 3
    assert "After the first convolution, layer edges: the first 32 of 40 channels of 30 x 30 px" in layers.text
    assert "channels of 7 x 7 px" in layers.text


def test_a_network_without_convolution_says_so_in_words(page: Page) -> None:
    text = render_report(replace(page, model=network()))

    assert "so there is no Grad-CAM" in text
    assert "so there are no feature maps" in text


def test_a_network_without_pooling_says_so_in_words(page: Page) -> None:
    layers = section(render_report(replace(page, model=network(keras.layers.Conv2D(2, 3)))), "First layers")

    assert "pools only just before its answer" in layers.text
    assert layers.tags["img"] == 2


def test_every_picture_has_words_in_its_place(page: Page) -> None:
    read = HtmlPage(render_report(page))

    assert len(read.alts) == read.tags["img"]
    assert all(read.alts)


def test_five_likeliest_answers_are_no_figure_of_three_classes(page: Page) -> None:
    assert "five likeliest" not in render_report(page)


def test_the_points_of_the_reliability_chart_come_with_their_counts(page: Page) -> None:
    many = SplitLogits(np.tile(page.test.logits, (12, 1)), np.tile(page.test.class_ids, 12))
    metrics = {**page.metrics, "test": compute_metrics(OUTPUT, page.validation, many)["test"]}

    calibration = section(render_report(replace(page, metrics=metrics)), "Calibration")

    assert {"as trained", "with temperature", "pictures"} <= set(calibration.texts)


def test_few_test_pictures_make_no_reliability_chart(page: Page) -> None:
    calibration = section(render_report(page), "Calibration")

    assert "9 test pictures are too few" in calibration.text
    assert calibration.tags["figure"] == 0


def test_a_class_that_is_never_answered_has_no_precision(page: Page) -> None:
    logits = np.eye(3)[[0, 1, 0, 0, 1, 0, 0, 1, 0]] * 4.0
    test = SplitLogits(logits, page.test.class_ids)
    metrics = compute_metrics(OUTPUT, page.validation, test)

    classes = section(render_report(replace(page, test=test, metrics=metrics)), "Classes")

    assert metrics["test"]["per_class"]["owl"]["precision"] is None
    assert classes.texts[-8:] == ["owl", "3", "0.0%", "0.0% to 56.1%", "0", "\N{EN DASH}", "\N{EN DASH}", "0.000"]


def test_a_label_without_a_test_picture_is_not_the_worst_class_and_has_no_recall(page: Page) -> None:
    class_ids = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0], np.int32)  # no owl
    test = SplitLogits(np.eye(3)[[0, 1, 0, 1, 0, 1, 1, 1, 2]] * 4.0, class_ids)
    text = render_report(replace(page, test=test, metrics=compute_metrics(OUTPUT, page.validation, test)))

    assert "The worst class is fox & <hare>: 60.0% of 5 found" in HtmlPage(text).text
    owl = section(text, "Classes").texts[-8:]
    assert owl[:5] == ["owl", "0", "\N{EN DASH}", "\N{EN DASH}", "1"]
    assert owl[-1] == "\N{EN DASH}"


def test_a_model_that_is_often_wrong_itself_suspects_no_label(page: Page) -> None:
    wrong = SplitLogits(np.eye(3)[[1, 2, 0, 1, 1, 2, 0, 1, 2]] * 4.0, page.test.class_ids)

    errors = section(render_report(replace(page, test=wrong)), "Likely label errors")

    assert "itself wrong on 22% of the validation and test pictures" in errors.text
    assert not errors.alts


def test_the_summary_compares_with_guessing_and_says_what_to_do(page: Page) -> None:
    text = HtmlPage(render_report(page)).text

    assert "Always answering fox & <hare> would be right on 33.3% of the test pictures" in text
    assert page.verdict.advice[0] in text


def test_a_model_without_mistakes_says_so(page: Page) -> None:
    right = SplitLogits(np.eye(3)[page.test.class_ids] * 4.0, page.test.class_ids)

    text = render_report(replace(page, validation=right, test=right, metrics=compute_metrics(OUTPUT, right, right)))

    assert "None on the test pictures" in text
    assert "0 of 18 validation and test pictures are suspected" in text
    assert "Wrong answers" not in text
    assert "was not measured" in text


def test_a_model_without_a_right_answer_can_be_drawn(page: Page) -> None:
    wrong = SplitLogits(np.eye(3)[(page.test.class_ids + 1) % 3] * 4.0, page.test.class_ids)

    text = render_report(replace(page, test=wrong, metrics=compute_metrics(OUTPUT, page.validation, wrong)))

    assert HtmlPage(text).headings
    assert "Right answers" not in text


def test_labels_are_escaped(page: Page) -> None:
    assert "<hare>" not in render_report(page)
    assert "fox & <hare>" in HtmlPage(render_report(page)).texts


def test_figures_come_with_their_counts_and_files_left_out_are_listed(page: Page) -> None:
    text = render_report(page)

    assert "66.7%</b> of 9 test pictures" in text
    assert "fox/broken.jpg" in text
    assert "cars" in text


def test_what_makes_a_test_easier_than_it_looks_is_said(page: Page) -> None:
    assert "Caution" not in render_report(page)
    provenance = {**page.provenance, "group_by": "folder", "near_duplicates_across": "7"}
    text = render_report(replace(page, provenance=provenance))
    assert "the true intervals are wider" in text
    assert "7 groups of near-duplicates" in text


def test_a_training_of_one_epoch_can_be_drawn(page: Page) -> None:
    assert section(render_report(replace(page, history=page.history[:1])), "Training").tags["figure"] == 2


def test_what_it_learned_from_beside_its_labels_is_said(page: Page) -> None:
    blend = {
        "epoch": 2,
        "after": 3,
        "phase": "top",
        "blend": 0.7,
        "validation_loss": 0.25,
        "validation_accuracy": 0.9,
    }
    settings = ["distillation.teacher=runs/<big>", "distillation.weight=0.9", "outliers_weight=0.5"]
    settings.append("distillation.features=3")
    page = replace(page, recipe=override(page.recipe, settings), metrics={**page.metrics, "blends": [blend]})

    training = section(render_report(page), "Training")

    assert "90% of the loss" in training.text
    assert "runs/<big>" in training.texts
    assert "teacher's last layer, with weight 3;" in training.text
    assert "8 out-of-distribution pictures" in training.text
    assert re.search(r"<td>70.0%</td>\s*<td>0.2500</td>\s*<td>90.0%</td>", training.source)


def test_a_training_from_labels_alone_says_nothing_about_lessons(page: Page) -> None:
    training = section(render_report(page), "Training")

    assert "of the loss" not in training.text
    assert "out-of-distribution" not in training.text


def test_the_field_section_states_n_and_interval_of_every_kind_of_view(page: Page) -> None:
    assert "In the field" not in render_report(page)
    row = FieldRow("device crops", "pictures", 40, 8, Rate(0.75, 0.6, 0.9, 40.0), Rate(0.05, 0.0, 0.1, 40.0))
    text = render_report(replace(page, field_figures=FieldFigures((row,))))
    assert '<h2 id="s' in text
    assert "In the field</h2>" in text
    for shown in ("device crops", "75.0%", "60.0% to 90.0%", "<td>50</td>", "not a week in a forest"):
        assert shown in text
