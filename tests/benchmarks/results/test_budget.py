"""The bundle for a budget: fast enough, and the most accurate by accuracies of one kind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.results.budget import best_within, describe_budget
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Row
from trailcam_benchmarks.session.session import BenchmarkPlan, measure

FLOAT, INT8 = "float32.bundle", "int8.bundle"


@pytest.fixture
def rows(fake_runs: Any) -> tuple[Row, ...]:
    """float32 answers all of two pictures right in 40 ms, int8 one of them in 20 ms; both state 90 %."""
    runs = fake_runs({FLOAT: ("float32", 40.0), INT8: ("int8", 20.0)})
    runs.answers = {FLOAT: [0, 0], INT8: [0, 1]}
    pictures = (Picture(Path("a.jpg"), "fox"), Picture(Path("b.jpg"), "fox"))
    return measure(BenchmarkPlan((Path(FLOAT), Path(INT8)), frames=300, rounds=3, pictures=pictures), runs).rows


def row_of(rows: tuple[Row, ...], scheme: str) -> Row:
    return next(row for row in rows if row.scheme == scheme and row.kind == "model")


def stated(row: Row, top1: float | None) -> Row:
    return replace(row, accuracy=None, stated_top1=top1)


def test_the_best_within_a_budget_is_the_most_accurate_whose_p90_fits(rows: tuple[Row, ...]) -> None:
    slow, fast = best_within(rows, 100), best_within(rows, 30)
    assert slow is not None
    assert slow.scheme == "float32"  # 100 % against 50 %
    assert fast is not None
    assert (fast.scheme, fast.kind) == ("int8", "model")
    assert best_within(rows, 1) is None


def test_a_row_with_missing_rounds_or_an_interval_that_reaches_over_the_budget_does_not_fit(
    rows: tuple[Row, ...],
) -> None:
    row = row_of(rows, "int8")
    assert row.latency is not None
    assert best_within([replace(row, state="partial")], 1000) is None
    wide = replace(row, latency=replace(row.latency, p90_high_ms=31.0))
    assert best_within([wide], 30) is None
    endless = replace(row, latency=replace(row.latency, p90_high_ms=None, worst_ms=29.0))
    assert best_within([endless], 30) == endless


def test_a_claim_never_beats_a_measurement(rows: tuple[Row, ...]) -> None:
    boastful = stated(row_of(rows, "float32"), 0.99)
    measured = row_of(rows, "int8")  # 50 % on these pictures
    assert best_within([boastful, measured], 100) == measured
    assert "top-1 50.0%" in describe_budget([boastful, measured], 100)[0]
    assert "stated top-1 99.0%" in describe_budget([boastful, stated(measured, 0.5)], 100)[0]


def test_what_a_manifest_states_holds_for_the_runtime_it_was_tested_on(rows: tuple[Row, ...]) -> None:
    tested = stated(row_of(rows, "int8"), 0.8)
    untested = replace(stated(row_of(rows, "float32"), 0.9), runtime="tflite-runtime 2.14.0")
    assert best_within([untested, tested], 100) == tested
    sentence, fits = describe_budget([untested], 100)
    assert fits
    assert "float32.bundle on tflite-runtime 2.14.0 with 1 thread" in sentence
    assert "stated top-1 not known" in sentence


def test_a_keras_model_is_no_bundle_to_ship(rows: tuple[Row, ...]) -> None:
    keras = replace(row_of(rows, "float32"), runtime_wanted="keras.call", runtime="keras.call 3")
    assert best_within([keras], 100) is None
    int8 = stated(row_of(rows, "int8"), 0.7)
    assert "stated top-1 70.0%" in describe_budget([keras, int8], 100)[0]
    assert describe_budget([keras], 100) == (
        "budget 100 ms: no measured bundle fits, with p90 and its interval.",
        False,
    )
