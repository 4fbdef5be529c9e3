"""Figures of a test split by kind of view."""

import json
from pathlib import Path

import numpy as np
import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError
from trailcam_core.field.views import field_figures, is_crop, read_groups
from trailcam_core.report.field_section import field_part, put_field_part
from trailcam_core.spec import OutputSpec

LABELS = ("cow", "nothing", "other animal")
OUTPUT = OutputSpec(LABELS, 1.0, None, blank_labels=("nothing",), unknown_labels=("other animal",))
COW, NOTHING, OTHER = np.eye(3, dtype=np.float32) * 5


def row(file: str) -> SplitRow:
    return SplitRow(file, "0" * 64, "test", file.split("/")[0])


ROWS = [
    row("cow/photos/a.jpg"),
    row("cow/crops/a-0.jpg"),
    row("cow/crops/b-0.jpg"),
    row("other animal/photos/wolf.jpg"),
    row("other animal/crops/wolf-0.jpg"),
    row("nothing/pictures/x.jpg"),
    row("nothing/crops/x-0.jpg"),
    row("nothing/crops/x-1.jpg"),
]
LOGITS = np.stack([COW, COW, NOTHING, COW, OTHER, NOTHING, COW, 0.1 * COW])


def test_every_kind_of_view_has_its_row_with_right_and_wrong() -> None:
    groups = {"cow/crops/a-0.jpg": "s", "cow/crops/b-0.jpg": "s"}
    figures = field_figures(ROWS, LOGITS, OUTPUT, ("max_logit", 1.0), groups)
    assert figures is not None
    found = {item.name: item for item in figures.rows}
    assert list(found) == [
        "photographs",
        "device crops",
        "other animals: photographs",
        "other animals: device crops",
        "nothing: whole pictures",
        "nothing: crops",
    ]
    crops = found["device crops"]
    assert (crops.n, crops.groups) == (2, 1)
    assert crops.right is not None
    assert (crops.right.value, crops.right.low, crops.wrong.value) == (0.5, None, 0.0)
    assert found["other animals: photographs"].right is None
    assert found["other animals: photographs"].wrong.value == 1.0
    assert found["nothing: crops"].wrong.value == 0.5  # the second is below the threshold


def test_a_run_whose_labels_are_all_answers_has_none() -> None:
    assert field_figures(ROWS, LOGITS, OutputSpec(LABELS, 1.0, None), ("max_logit", 1.0), {}) is None


def test_groups_are_read_and_anything_else_is_refused(tmp_path: Path) -> None:
    assert read_groups(tmp_path) == {}
    (tmp_path / "groups.json").write_text(json.dumps({"a": "b"}))
    assert read_groups(tmp_path) == {"a": "b"}
    for text in ("[1]", "{", '{"a": 1}'):
        (tmp_path / "groups.json").write_text(text)
        with pytest.raises(DataError, match=r"groups\.json"):
            read_groups(tmp_path)


def test_a_crop_is_known_by_its_folder() -> None:
    assert [is_crop(item) for item in ROWS] == [False, True, True, False, True, False, True, True]


def test_figures_are_put_into_a_page_once_and_replaced_afterwards() -> None:
    figures = field_figures(ROWS, LOGITS, OUTPUT, ("max_logit", 1.0), {})
    other = field_figures(ROWS[:2], LOGITS[:2], OUTPUT, ("max_logit", 1.0), {})
    assert figures is not None
    assert other is not None
    assert field_part(None) == ""
    once = put_field_part("<html><body><p>x</p></body></html>", figures)
    assert once.count("other animals: device crops") >= 1
    assert once.endswith("</body></html>")
    twice = put_field_part(once, other)
    assert "other animals" not in twice.replace("empties or other animals", "")
    assert twice.count("<h2>In the field</h2>") == 1
