import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_train.data.dataset import Unreadable
from trailcam_train.evaluation.evaluate import Answers, Others, judge
from trailcam_train.fitting.checkpoints import EpochRow
from trailcam_train.recipe.schema import find_recipe
from trailcam_train.recipe.toml import override
from trailcam_train.reports.charts import _ticks, line_chart, picture, pictures_in_a_row, table
from trailcam_train.reports.run_report import Page, render_report

pytestmark = pytest.mark.usefixtures("eager")

LABELS = ("fox & <hare>", "hare", "owl")


class Tags(HTMLParser):
    """Collects what a page opens and closes, and what it points at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0
        self.addresses: list[str] = []
        self.texts: list[str] = []  # instead of each picture
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.pictures += tag == "img"
        self.texts += [value or "" for key, value in attributes if tag == "img" and key == "alt"]
        self.addresses += [value or "" for key, value in attributes if key in ("src", "href")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


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
    test = Answers(logits, class_ids)
    # Answered unsurely, so that a class is usually met with less confidence than the mistakes on the test have.
    validation = Answers(np.eye(3)[class_ids] * 1.0, class_ids)
    others = Others({"cars": np.zeros((3, 3))}, {"cars": np.zeros((3, 3))})
    return Page(
        name="cnn-1",
        recipe=override(find_recipe("cnn"), ["input.height=32", "input.width=32"]),
        labels=LABELS,
        metrics=judge(LABELS, validation, test, others),
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
    )


def section(text: str, title: str) -> str:
    """Return what stands under a heading."""
    return text.partition(f"<h2>{title}</h2>")[2].partition("<h2>")[0]


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(page: Page) -> None:
    text = render_report(page)
    tags = Tags(text)

    assert tags.open == []
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses)
    assert not re.search(r"https?://|<script|@import|url\(", text)


def test_every_mistake_is_shown_as_a_picture_with_both_labels(page: Page) -> None:
    text = section(render_report(page), "Its most confident mistakes")

    assert Tags(text).pictures == 3
    assert re.search(r"owl, answered fox &amp; &lt;hare&gt; \d+%: 8\.png", text)


def test_confident_answers_against_the_label_are_shown_as_likely_label_errors(page: Page) -> None:
    text = section(render_report(page), "Likely label errors")

    assert "3 of 18 validation and test pictures" in text
    assert Tags(text).texts[0].startswith("fox & <hare> ")
    assert re.search(r"rather hare \d+%: 6\.png", text)


def test_wrong_answers_are_explained_for_the_answer_and_the_label_and_right_ones_for_the_answer(page: Page) -> None:
    text = section(render_report(page), "What it looks at")

    texts = Tags(text).texts
    assert len(texts) == 3 * 3 + 6 * 2  # the picture itself, and one map per class asked for
    assert sum(t.endswith(": for hare") for t in texts) == 2 + 2
    assert "from the surest to the least sure" in text


def test_the_first_layers_are_shown_with_their_size(page: Page) -> None:
    text = section(render_report(page), "What its first layers see")

    assert Tags(text).pictures == 3
    assert "After the first convolution, layer edges: the first 32 of 40 channels of 30 x 30 px" in text
    assert "channels of 7 x 7 px" in text


def test_a_network_without_convolution_says_so_in_words(page: Page) -> None:
    text = render_report(replace(page, model=network()))

    assert "so there is no Grad-CAM" in text
    assert "so there are no feature maps" in text


def test_a_network_without_pooling_says_so_in_words(page: Page) -> None:
    text = render_report(replace(page, model=network(keras.layers.Conv2D(2, 3))))

    assert "no pooling layer but" in text
    assert Tags(section(text, "What its first layers see")).pictures == 2


def test_every_picture_has_words_in_its_place(page: Page) -> None:
    tags = Tags(render_report(page))

    assert len(tags.texts) == tags.pictures
    assert all(tags.texts)


def test_a_model_without_mistakes_says_so(page: Page) -> None:
    right = Answers(np.eye(3)[page.test.class_ids] * 4.0, page.test.class_ids)

    text = render_report(replace(page, validation=right, test=right, metrics=judge(LABELS, right, right)))

    assert "None on the test pictures" in text
    assert "0 of 18 validation and test pictures are suspected" in text
    assert "Wrong answers" not in text
    assert "was not measured" in text


def test_a_model_without_a_right_answer_can_be_drawn(page: Page) -> None:
    wrong = Answers(np.eye(3)[(page.test.class_ids + 1) % 3] * 4.0, page.test.class_ids)

    text = render_report(replace(page, test=wrong, metrics=judge(LABELS, page.validation, wrong)))

    assert Tags(text).open == []
    assert "Right answers" not in text


def test_labels_are_escaped(page: Page) -> None:
    assert "<hare>" not in render_report(page)


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
    assert Tags(render_report(replace(page, history=page.history[:1]))).open == []


def test_a_chart_keeps_its_points_inside() -> None:
    chart = line_chart("Loss", [("a", [(1, 0.0), (2, 99.0)])], "epoch", (0, 1), (1, 2))

    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', chart)]
    assert min(heights) == 26.0
    assert max(heights) == 224.0


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_an_axis_of_any_width_has_a_few_marks_inside(low: float, width: float) -> None:
    high = low + width
    marks = _ticks(low, high)
    assert len(marks) <= 7
    assert all(low - 1e-6 * width <= mark <= high + 1e-6 * width for mark in marks)


@pytest.mark.parametrize("most", [0.55, 5.5, 56.0])
def test_an_axis_between_5_and_6_can_be_drawn(most: float) -> None:
    assert len(_ticks(0, most)) >= 2


def test_a_table_shades_the_cells_it_is_told_to() -> None:
    text = table(["", "x", "y"], [["a", "1", "2"]], [[0.5, 0.0]])

    assert text.count("background") == 1


def test_a_dark_cell_has_light_letters() -> None:
    assert table(["", "x", "y"], [["a", "1", "2"]], [[0.9, 0.2]]).count('class="dark"') == 1


def test_captions_of_pictures_are_escaped() -> None:
    image = np.zeros((4, 4, 3), np.uint8)

    for text in (picture(image, "<b>"), pictures_in_a_row([(image, "<b>")], "<b>")):
        assert "<b>" not in text
        assert Tags(text).open == []


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
    page = replace(page, recipe=override(page.recipe, settings), metrics={**page.metrics, "blends": [blend]})

    text = section(render_report(page), "Training")

    assert "90% of the loss" in text
    assert "runs/&lt;big&gt;" in text
    assert "8 pictures of none of the classes" in text
    assert re.search(r"<td>70.0%</td>\s*<td>0.2500</td>\s*<td>90.0%</td>", text)
    assert Tags(text).open == []


def test_a_training_from_labels_alone_says_nothing_about_lessons(page: Page) -> None:
    text = section(render_report(page), "Training")

    assert "of the loss" not in text
    assert "none of the classes" not in text
