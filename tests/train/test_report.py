import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.run_directory import SplitRow
from trailcam_train.charts import line_chart, table
from trailcam_train.checkpoints import EpochRow
from trailcam_train.dataset import Unreadable
from trailcam_train.evaluate import Answers, Others, judge
from trailcam_train.recipe import find_recipe
from trailcam_train.report import Page, render_report

LABELS = ("fox & <hare>", "hare", "owl")


class Tags(HTMLParser):
    """Collects what a page opens and closes, and what it points at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.pictures += tag == "img"
        self.addresses += [value or "" for key, value in attributes if key in ("src", "href")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path: Path) -> Page:
    rows = tuple(SplitRow(f"{n}.png", "0" * 64, "test", LABELS[n % 3]) for n in range(9))
    for row in rows:
        cv2.imwrite(str(tmp_path / row.file), np.full((40, 30, 3), 99, np.uint8))
    logits = np.eye(3)[[0, 1, 2, 0, 1, 2, 1, 2, 0]] * 4.0  # the last three are wrong
    test = Answers(logits, np.array([n % 3 for n in range(9)], np.int32))
    others = Others({"cars": np.zeros((3, 3))}, {"cars": np.zeros((3, 3))})
    return Page(
        name="cnn-1",
        recipe=find_recipe("cnn"),
        labels=LABELS,
        metrics=judge(LABELS, test, test, others),
        history=tuple(EpochRow(n, "all", 0.1, 1 / n, 0.5, 1 / n, 0.6, 1.0) for n in (1, 2, 3)),
        provenance={"data": "/photos", "keras": "3"},
        unreadable=(Unreadable("fox/broken.jpg", "cut off"),),
        data=tmp_path,
        rows=rows,
        test=test,
    )


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(page: Page) -> None:
    text = render_report(page)
    tags = Tags(text)

    assert tags.open == []
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses)
    assert not re.search(r"https?://|<script|@import|url\(", text)


def test_every_mistake_is_shown_as_a_picture_with_both_labels(page: Page) -> None:
    text = render_report(page)

    assert Tags(text).pictures == 3
    assert re.search(r"owl, answered fox &amp; &lt;hare&gt; \d+%: 8\.png", text)


def test_a_model_without_mistakes_says_so(page: Page) -> None:
    right = Answers(np.eye(3)[page.test.class_ids] * 4.0, page.test.class_ids)

    text = render_report(replace(page, test=right, metrics=judge(LABELS, right, right)))

    assert "None on the test pictures" in text
    assert "was not measured" in text


def test_labels_are_escaped(page: Page) -> None:
    assert "<hare>" not in render_report(page)


def test_figures_come_with_their_counts_and_files_left_out_are_listed(page: Page) -> None:
    text = render_report(page)

    assert "66.7%</b> of 9 test pictures" in text
    assert "fox/broken.jpg" in text
    assert "cars" in text


def test_a_training_of_one_epoch_can_be_drawn(page: Page) -> None:
    assert Tags(render_report(replace(page, history=page.history[:1]))).open == []


def test_a_chart_keeps_its_points_inside() -> None:
    chart = line_chart("Loss", [("a", [(1, 0.0), (2, 99.0)])], "epoch", (0, 1), (1, 2))

    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', chart)]
    assert min(heights) == 26.0
    assert max(heights) == 224.0


def test_a_table_shades_the_cells_it_is_told_to() -> None:
    text = table(["", "x", "y"], [["a", "1", "2"]], [[0.5, 0.0]])

    assert text.count("background") == 1
