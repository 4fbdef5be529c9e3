"""What is compared with what: by network, scheme and runtime, and not by the order of the arguments."""

from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Reference, Row
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker.worker import Request

BUNDLES = {
    "float32.bundle": ("float32", "ai-edge-litert 2.1.0", "1" * 64, 40.0),
    "int8.bundle": ("int8", "ai-edge-litert 2.1.0", "2" * 64, 20.0),
    "onnx-float32.bundle": ("float32", "onnxruntime 1.20.0", "3" * 64, 30.0),
    "onnx-int8.bundle": ("int8", "onnxruntime 1.20.0", "4" * 64, 24.0),
}
ANSWERS = {"float32.bundle": [0, 0], "int8.bundle": [0, 1], "onnx-float32.bundle": [1, 0], "onnx-int8.bundle": [0, 0]}


@pytest.fixture
def rows_of(make_round: Any) -> Any:
    """Return a function that measures bundles in a given order, each made from ``sources`` where that names it."""

    def measured(names: tuple[str, ...], sources: dict[str, str] | None = None) -> dict[str, Row]:
        def run(request: Request) -> Any:
            if request.task == "predict":
                yield {"class_ids": ANSWERS[request.bundle], "labels": ["fox", "hare"]}
                return
            scheme, runtime, sha256, ms = BUNDLES[request.bundle]
            source = (sources or {}).get(request.bundle, "")
            found = make_round(ms, scheme, runtime=runtime, sha256=sha256, source_sha256=source, frames=request.frames)
            yield asdict(found)

        pictures = (Picture(Path("a.jpg"), "fox"), Picture(Path("b.jpg"), "fox"))
        plan = BenchmarkPlan(tuple(map(Path, names)), frames=8, rounds=2, pictures=pictures)
        return {row.bundle: row for row in measure(plan, run).rows if row.kind == "model"}

    return measured


def test_the_order_of_the_bundles_changes_no_ratio_and_no_agreement(rows_of: Any) -> None:
    first = rows_of(tuple(BUNDLES))
    for names in permutations(BUNDLES):
        assert rows_of(names) == first


def test_quantising_is_told_from_the_runtime(rows_of: Any) -> None:
    rows = rows_of(tuple(BUNDLES))
    over_float32 = {name: row.over_float32 and round(row.over_float32.value, 2) for name, row in rows.items()}
    over_litert = {name: row.over_litert and round(row.over_litert.value, 2) for name, row in rows.items()}
    assert over_float32 == {
        "float32.bundle": None,
        "int8.bundle": 0.5,
        "onnx-float32.bundle": None,
        "onnx-int8.bundle": 0.8,
    }
    assert over_litert == {
        "float32.bundle": None,
        "int8.bundle": None,
        "onnx-float32.bundle": 0.75,
        "onnx-int8.bundle": 1.2,
    }
    row = rows["onnx-int8.bundle"]
    assert row.float32_reference == Reference("3" * 64, "float32", "onnxruntime 1.20.0")
    assert row.litert_reference == Reference("2" * 64, "int8", "ai-edge-litert 2.1.0")
    assert rows["onnx-float32.bundle"].float32_reference == rows["onnx-float32.bundle"].reference


def test_answers_are_compared_with_those_of_float32_on_litert(rows_of: Any) -> None:
    rows = rows_of(tuple(BUNDLES))
    assert {name: row.accuracy.agreement for name, row in rows.items()} == {
        "float32.bundle": None,
        "int8.bundle": 0.5,
        "onnx-float32.bundle": 0.5,
        "onnx-int8.bundle": 1.0,
    }
    assert rows["onnx-int8.bundle"].accuracy.agreement_with == rows["float32.bundle"].reference
    alone = rows_of(("onnx-int8.bundle", "onnx-float32.bundle"))
    assert alone["onnx-int8.bundle"].accuracy.agreement_with == alone["onnx-float32.bundle"].reference
    assert alone["onnx-float32.bundle"].accuracy.agreement_with is None


def test_without_a_reference_on_its_runtime_a_cell_stays_empty(rows_of: Any) -> None:
    rows = rows_of(("float32.bundle", "onnx-int8.bundle"))
    assert rows["onnx-int8.bundle"].over_float32 is None
    assert rows["onnx-int8.bundle"].over_litert is None


def test_bundles_of_one_name_from_two_trainings_are_not_compared(rows_of: Any) -> None:
    names = ("float32.bundle", "int8.bundle")
    assert rows_of(names, dict.fromkeys(names, "a" * 64))["int8.bundle"].over_float32 is not None
    assert rows_of(names, {"float32.bundle": "a" * 64})["int8.bundle"].over_float32 is not None  # by name
    assert rows_of(names, {"float32.bundle": "a" * 64, "int8.bundle": "b" * 64})["int8.bundle"].over_float32 is None
