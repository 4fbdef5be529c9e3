"""Comparing two runs: what counts, what is paired with what, and what a file must hold to be compared with."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.results.regression_check import Verdict, compare
from trailcam_benchmarks.results.schema import Result, read_earlier, write_result
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_core.errors import DataError

FLOAT, INT8 = "float32.bundle", "int8.bundle"
WOBBLE = (1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01)


@pytest.fixture
def make_result(fake_runs: Any) -> Any:
    """Return a function that makes a result from the milliseconds of float32 and int8, on a machine so much slower."""

    def make(float_ms: float | None, int8_ms: float, machine: float = 1.0) -> Result:
        schemes = {INT8: ("int8", int8_ms)} | ({} if float_ms is None else {FLOAT: ("float32", float_ms)})
        per_round = 2 * len(schemes)
        asked = iter(range(10_000))

        def factor(_: int) -> float:
            number = next(asked)
            return machine * WOBBLE[number // per_round] * (1 + 0.002 * (number % 3))

        return measure(
            BenchmarkPlan(tuple(map(Path, schemes)), frames=8, min_time_s=0, rounds=8), fake_runs(schemes, factor)
        )

    return make


def verdicts(old: Result, new: Result) -> dict[tuple[str, str], Verdict]:
    found = compare(json.loads(json.dumps(asdict(old))), new)
    return {(verdict.row.split(",")[0], verdict.measure): verdict for verdict in found}


def test_the_same_twice_is_the_same(make_result: Any) -> None:
    found = verdicts(make_result(40, 20), make_result(40, 20))
    assert {verdict.verdict for verdict in found.values()} == {"same"}
    assert ("tiny int8", "over float32") in found
    assert ("tiny float32", "latency") in found


def test_a_slower_int8_is_found_though_the_machine_is_faster_today(make_result: Any) -> None:
    found = verdicts(make_result(40, 20), make_result(40, 26, machine=0.5))
    slower = found["tiny int8", "over float32"]
    assert (slower.verdict, slower.failed) == ("slower", True)
    assert slower.change == pytest.approx(0.3, abs=0.03)


def test_each_runtime_is_divided_by_its_own_float32_and_float32_by_that_of_litert(make_result: Any) -> None:
    def run(onnx_ms: float) -> Result:
        litert, onnx = make_result(40, 20), make_result(30, onnx_ms)
        rows = (replace(row, runtime="onnxruntime 1.20.0") for row in onnx.rows)
        return replace(litert, rows=(*rows, *litert.rows))

    found = {
        (v.row.split(",")[0], v.row.split(", ")[1], v.measure): v.verdict
        for v in compare(json.loads(json.dumps(asdict(run(20)))), run(26))
        if not v.measure.endswith("floor")
    }
    assert found == {
        ("tiny int8", "onnxruntime", "over float32"): "slower",
        ("tiny float32", "onnxruntime", "over float32 on ai-edge-litert"): "same",
        ("tiny int8", "ai-edge-litert", "over float32"): "same",
        ("tiny float32", "ai-edge-litert", "latency"): "same",
    }


def test_a_slower_machine_alone_is_no_regression_of_int8(make_result: Any) -> None:
    found = verdicts(make_result(40, 20), make_result(40, 20, machine=1.5))
    assert found["tiny int8", "over float32"].verdict == "same"


def test_milliseconds_of_two_machines_are_not_compared(make_result: Any) -> None:
    old = make_result(None, 20)
    new = make_result(None, 40)
    assert verdicts(old, new)["tiny int8", "latency"].verdict == "slower"
    elsewhere = replace(new, machine=replace(new.machine, board="another"))
    found = verdicts(old, elsewhere)["tiny int8", "latency"]
    assert (found.verdict, found.failed) == ("inconclusive", False)
    assert "another machine" in found.note


def test_what_was_measured_and_is_gone_fails(make_result: Any) -> None:
    both, alone = make_result(40, 20), make_result(None, 20)
    found = verdicts(both, alone)
    assert found["tiny float32", "latency"].verdict == "missing"
    assert found["tiny float32", "latency"].failed
    assert found["tiny int8", "latency"].verdict == "same"  # without float32 on both sides it is milliseconds


def test_a_new_version_of_bundle_and_runtime_is_compared_with_the_old(make_result: Any) -> None:
    old, new = make_result(40, 20), make_result(40, 20)
    rows = tuple(replace(row, name="tiny 2.0.0", runtime="ai-edge-litert 9.9") for row in new.rows)
    assert {v.verdict for v in verdicts(old, replace(new, rows=rows)).values()} == {"same"}


def test_a_result_is_read_back(tmp_path: Path, make_result: Any) -> None:
    result = make_result(40, 20)
    write_result(tmp_path / "benchmark.json", result)
    assert read_earlier(tmp_path / "benchmark.json") == json.loads(json.dumps(asdict(result)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "schema_version is None"),
        ('{"schema_version": 2}', "schema_version is 2, expected 1"),
        ('{"schema_version": 1}', "machine or rows"),
        ('{"schema_version": 1, "machine": {}, "rows": [{"name": "x"}]}', "machine or rows"),
        ('{"schema_version": 1, "machine": {}, "rows": [7]}', "machine or rows"),
    ],
)
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_earlier(path)


def test_a_round_without_a_time_is_refused(tmp_path: Path, make_result: Any) -> None:
    path = tmp_path / "old.json"
    write_result(path, make_result(40, 20))
    fields = json.loads(path.read_text())
    fields["rows"][0]["latency"]["round_p50_ms"][0] = "fast"
    path.write_text(json.dumps(fields))
    with pytest.raises(DataError, match="damaged"):
        read_earlier(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_earlier(tmp_path / "missing.json")
