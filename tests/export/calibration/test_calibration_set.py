"""Calibration pictures come from the training split, whatever the split looks like."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.datasets.run_directory import Run, SplitRow, read_run
from trailcam_core.errors import ExportError
from trailcam_core.spec import InputSpec
from trailcam_export.calibration.calibration_set import CalibrationSet, FieldFrame, choose_pool, select_diverse

LABELS = ("blue", "green", "red")
SPEC = InputSpec(32, 32, "crop")


def _run(rows: list[SplitRow]) -> Run:
    return Run(Path("run"), LABELS, InputSpec(32, 32, "crop"), tuple(rows), {}, {}, {})


def _rows(draws: list[tuple[str, str]]) -> list[SplitRow]:
    return [SplitRow(f"{number}.png", "0" * 64, split, label) for number, (split, label) in enumerate(draws)]


@given(
    st.lists(st.tuples(st.sampled_from(("train", "validation", "test")), st.sampled_from(LABELS)), max_size=60),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_no_picture_of_another_split_is_ever_chosen(draws: list[tuple[str, str]], count: int, seed: int) -> None:
    run = _run(_rows(draws))
    training = run.pictures("train")
    if not training:
        with pytest.raises(ExportError, match="no training picture"):
            choose_pool(run, count, seed)
        return
    chosen = choose_pool(run, count, seed)
    assert set(chosen) <= set(training)
    assert len(chosen) == len(set(chosen)) == min(count, len(training))


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_set_with_a_foreign_row_cannot_be_made(split: str) -> None:
    rows = _rows([("train", "red"), (split, "red")])
    with pytest.raises(ValueError, match=rf"1\.png is of the {split} split"):
        CalibrationSet(tuple(rows))


def test_labels_are_balanced_and_rare_ones_give_all(tiny: Any) -> None:
    rows = _rows([("train", "red")] * 50 + [("train", "blue")] * 50 + [("train", "green")] * 3)
    counts = Counter(row.label for row in choose_pool(_run(rows), 23))
    assert counts == {"red": 10, "blue": 10, "green": 3}


def test_the_seed_fixes_the_choice() -> None:
    run = _run(_rows([("train", label) for label in LABELS] * 40))
    assert choose_pool(run, 30, 4) == choose_pool(run, 30, 4)
    assert choose_pool(run, 30, 4) != choose_pool(run, 30, 5)


def test_pictures_are_streamed_one_at_a_time_as_the_device_sees_them(tiny: Any) -> None:
    run = read_run(tiny.path)
    chosen = choose_pool(run, 6)
    gone = CalibrationSet((*chosen[:2], replace(chosen[0], file="red/missing.png")))
    stream = gone.stream(tiny.data, SPEC)
    image = next(stream)
    assert image.shape == (32, 32, 3)
    assert image.dtype == "uint8"
    next(stream)
    with pytest.raises(Exception, match=r"missing\.png"):
        next(stream)


def test_field_frames_come_behind_the_rows_and_into_the_list(tiny: Any) -> None:
    row = choose_pool(read_run(tiny.path), 1)[0]
    frame = FieldFrame(tiny.data / "red" / "train-0.png", "f" * 64)
    pictures = CalibrationSet((row,), (frame,))
    assert len(list(pictures.stream(tiny.data, SPEC))) == len(pictures) == 2
    assert pictures.to_csv().decode() == (
        f"file,sha256,source\n{row.file},{row.sha256},train\ntrain-0.png,{'f' * 64},field\n"
    )


def test_the_farthest_pictures_of_each_label_are_taken_in_turn() -> None:
    features = np.array([[0.0], [1.0], [2.0], [10.0], [2.1], [100.0], [101.0], [150.0]], np.float32)
    labels = ["a"] * 5 + ["b"] * 3
    # a: nearest to its mean of 3.02 is 2.1, then 10, then 0; b: nearest to 117 is 101, then 150, then 100
    assert select_diverse(labels, features, 6) == [4, 6, 3, 7, 0, 5]
    assert select_diverse(labels, features, 100) == [4, 6, 3, 7, 0, 5, 1, 2]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(1, 40))
def test_pictures_that_look_the_same_are_still_different_pictures(labels: list[str], count: int) -> None:
    places = select_diverse(labels, np.zeros((len(labels), 2), np.float32), count)
    assert len(places) == len(set(places)) == min(count, len(labels))
    per_label = Counter(labels[place] for place in places)
    short = [label for label in per_label if per_label[label] < labels.count(label)]
    assert all(per_label[label] >= max(per_label.values()) - 1 for label in short)
