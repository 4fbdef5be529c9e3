"""Calibration pictures come from the training split, whatever the split looks like."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.errors import ExportError
from trailcam_edge.manifest import InputSpec
from trailcam_edge.run_directory import Run, SplitRow, read_run
from trailcam_export.calibration import CalibrationSet, choose_calibration

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
            choose_calibration(run, count, seed)
        return
    chosen = choose_calibration(run, count, seed).rows
    assert set(chosen) <= set(training)
    assert len(chosen) == len(set(chosen)) == min(count, len(training))


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_set_with_a_foreign_row_cannot_be_made(split: str) -> None:
    rows = _rows([("train", "red"), (split, "red")])
    with pytest.raises(ValueError, match=rf"1\.png is of the {split} split"):
        CalibrationSet(tuple(rows))


def test_labels_are_balanced_and_rare_ones_give_all(tiny: Any) -> None:
    rows = _rows([("train", "red")] * 50 + [("train", "blue")] * 50 + [("train", "green")] * 3)
    counts = Counter(row.label for row in choose_calibration(_run(rows), 23).rows)
    assert counts == {"red": 10, "blue": 10, "green": 3}


def test_the_seed_fixes_the_choice() -> None:
    run = _run(_rows([("train", label) for label in LABELS] * 40))
    assert choose_calibration(run, 30, 4) == choose_calibration(run, 30, 4)
    assert choose_calibration(run, 30, 4) != choose_calibration(run, 30, 5)


def test_pictures_are_streamed_one_at_a_time_as_the_device_sees_them(tiny: Any) -> None:
    run = read_run(tiny.path)
    chosen = choose_calibration(run, 6)
    gone = CalibrationSet((*chosen.rows[:2], replace(chosen.rows[0], file="red/missing.png")))
    stream = gone.stream(tiny.data, SPEC)
    image = next(stream)
    assert image.shape == (32, 32, 3)
    assert image.dtype == "uint8"
    next(stream)
    with pytest.raises(Exception, match=r"missing\.png"):
        next(stream)
