"""The tables of the documentation: made from result files and from nothing else."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_benchmarks.host.machine import Condition, describe_machine
from trailcam_benchmarks.results.schema import Accuracy, Result, read_result, to_text
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker.soak import Sample
from trailcam_core.errors import DataError
from trailcam_project.program_comparison.compare_programs import ProgramComparison, ProgramRow
from trailcam_project.results.__main__ import PARTS
from trailcam_project.results.docs_tables import TABLES, fill_page, main
from trailcam_project.results.repeatability import judge_agreement
from trailcam_project.results.script_parts import ScriptOutput

REPOSITORY = Path(__file__).parents[3]
SCHEMES = {"float32.bundle": ("float32", 20.0), "int8.bundle": ("int8", 30.0)}
NOTHING = Condition(None, None, None, None)


@pytest.fixture
def result(fake_runs: Any) -> Result:
    runs = fake_runs(SCHEMES)
    runs.samples = [asdict(Sample(10.0, 10.0, 100, 10.0, 50.0, None, None, None))]
    return measure(BenchmarkPlan(tuple(map(Path, SCHEMES)), frames=640, rounds=8, soak_s=10), runs)


def page_of(*parts: str) -> str:
    return "\n".join(["# Page", *(f"<!-- figures: {part} -->\nold\n<!-- end -->" for part in parts), "after"])


def test_the_tables_in_the_documentation_come_from_the_committed_files() -> None:
    page = REPOSITORY / "docs" / "benchmarks.md"
    results = REPOSITORY / "benchmarks" / "results"
    assert main(["--check", "--page", str(page), "--results", str(results)]) == 0
    marks = page.read_text(encoding="utf-8")
    assert all(f"<!-- figures: {part} -->" in marks for part in TABLES)
    assert TABLES.keys() | {"repeat"} == PARTS.keys()


def test_a_result_comes_back_from_its_file_as_it_was(tmp_path: Path, result: Result) -> None:
    (tmp_path / "bundles.json").write_bytes(to_text(result))
    assert asdict(read_result(tmp_path / "bundles.json")) == asdict(result)
    (tmp_path / "bundles.json").write_bytes(to_text(result).replace(b'"started"', b'"startled"'))
    with pytest.raises(DataError, match="Make the file again"):
        read_result(tmp_path / "bundles.json")


def test_a_table_shows_what_the_file_says_and_names_what_is_slower(tmp_path: Path, result: Result) -> None:
    (tmp_path / "bundles.json").write_bytes(to_text(result))
    page = fill_page(page_of("bundles", "soak"), tmp_path)
    assert "old" not in page.split("figures: soak")[0]
    assert "| int8.bundle | ai-edge-litert 2.1.0 | 1 | 1.49" in page
    assert "| float32.bundle | ai-edge-litert 2.1.0 | 1 | 1 | " in page
    assert "x LiteRT" not in page  # no other runtime has a row
    assert "| bundle | runtime | threads | size MB | steady MB | peak MB | stated top-1 |" in page
    assert "| 1.00 | 50 | 60 | 90.0% |" in page
    assert "**slower than float32**, 1.49 times its latency" in page
    assert page.count("slower than float32") == 1
    assert "floor)" not in page
    assert page.endswith("after")
    assert "Not measured yet." in page
    assert fill_page(page, tmp_path) == page


def test_measured_accuracy_takes_the_place_of_the_stated_one(tmp_path: Path, result: Result) -> None:
    accuracy = Accuracy(2000, 0, 0.967, 0.958, 0.974, 0.99, 0.98, 0.995)
    rows = tuple(replace(row, accuracy=accuracy if row.scheme == "int8" else None) for row in result.rows)
    (tmp_path / "bundles.json").write_bytes(to_text(replace(result, rows=rows)))
    page = fill_page(page_of("bundles"), tmp_path)
    assert "stated" not in page
    assert "| 96.7% (95.8% to 97.4%), n 2,000 | 99.0% |" in page
    assert "| 50 | 60 | - | - |" in page


def test_a_file_from_before_references_gets_its_ratios_from_its_rounds(tmp_path: Path, result: Result) -> None:
    onnx = [replace(row, runtime="onnxruntime 1.20.0", bundle=f"onnx-{row.bundle}") for row in result.rows]
    fields = asdict(replace(result, rows=(*onnx, *result.rows)))
    for row in fields["rows"]:
        del row["float32_reference"], row["litert_reference"], row["over_litert"], row["source_sha256"]
        row["over_float32"] = {"value": 7.777, "interval": {"low": 7.7, "high": 7.8}}
    (tmp_path / "bundles.json").write_text(json.dumps(fields))
    page = fill_page(page_of("bundles"), tmp_path)
    assert "7.777" not in page
    assert "| onnx-int8.bundle | onnxruntime 1.20.0 | 1 | 1.49" in page
    assert "| onnx-float32.bundle | onnxruntime 1.20.0 | 1 | 1 | 1.000 (1.000 to 1.000) |" in page


def test_a_mark_for_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'bundels'"):
        fill_page(page_of("bundels"), tmp_path)


def test_the_committed_agreement_is_that_of_the_committed_runs() -> None:
    results = REPOSITORY / "benchmarks" / "results"
    agreement = json.loads((results / "agreement.json").read_text())
    started = [read_result(results / f"{part}.json").started for part in ("bundles", "repeat")]
    assert [agreement["first"], agreement["second"]] == started


def noisy(seed: int) -> Any:
    random = np.random.default_rng(seed)
    return lambda _: 1 + 0.05 * random.random()


def test_a_second_run_lies_where_the_first_expects_it_or_not(tmp_path: Path, fake_runs: Any) -> None:
    plan = BenchmarkPlan(tuple(map(Path, SCHEMES)), frames=640, rounds=8)
    first = measure(plan, fake_runs(SCHEMES, noisy(1)))
    same = judge_agreement(first, measure(plan, fake_runs(SCHEMES, noisy(2))))
    assert [(item.measure, item.within) for item in same.ratios] == [
        ("x floor", True),  # float32 against itself says nothing
        ("x float32", True),
        ("x floor", True),
    ]
    assert [item.share for item in same.ratios] == pytest.approx([0.923] * 3, abs=1e-3)
    assert [item.within for item in same.p90s] == [True, True]
    slower = fake_runs(SCHEMES | {"int8.bundle": ("int8", 40.0)}, noisy(2))
    other = judge_agreement(first, measure(plan, slower))
    assert [item.within for item in other.ratios] == [True, False, True]
    assert [item.within for item in other.p90s] == [True, False]
    assert "slower" in {verdict.verdict for verdict in other.verdicts}
    (tmp_path / "agreement.json").write_bytes(to_text(other))
    page = fill_page(page_of("agreement"), tmp_path)
    assert page.count("**no**") == 2
    assert "Ratios: 2 of 3 lie in the interval of the first run; at least 2.8 are expected to." in page
    assert "p90: 1 of 2 lie in the interval of the first run; at least 1.8 are expected to." in page
    assert "1 slower" in page


def test_the_p90_of_a_round_is_expected_between_those_of_the_first_run(result: Result) -> None:
    row = result.rows[0]
    assert row.latency is not None
    latency = replace(row.latency, round_p90_ms=(95.0, 90.0, 110.0, 100.0, 99.0, 101.0, 98.0, 102.0))
    first = replace(result, rows=(replace(row, latency=latency),))

    def again(*rounds_ms: float) -> bool:
        second = replace(result, rows=(replace(row, latency=replace(latency, round_p90_ms=rounds_ms)),))
        (found,) = judge_agreement(first, second).p90s
        assert (found.first_ms, found.low_ms, found.high_ms) == (99.5, 90.0, 110.0)
        return found.within

    assert [again(1.0, ms, 900.0) for ms in (89.0, 91.0, 109.0, 111.0)] == [False, True, True, False]


def test_what_has_no_interval_or_no_twin_is_not_compared(fake_runs: Any, result: Result) -> None:
    assert judge_agreement(result, replace(result, rows=())).ratios == ()
    few = measure(BenchmarkPlan(tuple(map(Path, SCHEMES)), frames=8, rounds=2), fake_runs(SCHEMES))
    found = judge_agreement(few, few)
    assert (found.ratios, found.p90s) == ((), ())


def test_an_agreement_of_an_earlier_version_is_shown_without_what_it_lacks(tmp_path: Path, result: Result) -> None:
    content = json.loads(to_text(judge_agreement(result, result)))
    del content["p90s"]
    for ratio in content["ratios"]:
        del ratio["share"]
    (tmp_path / "agreement.json").write_text(json.dumps(content))
    page = fill_page(page_of("agreement"), tmp_path)
    assert "lie in the interval of the first run. p90: none compared." in page


def test_programs_on_one_core_and_on_two_stand_in_one_table_with_one_note_each(tmp_path: Path) -> None:
    rows = tuple(
        ProgramRow(
            name, "measured", "", f"{name} notes", {}, 900.0, 11.0, 12.0, 80.0, cores=cores, busy_cores=cores / 2
        )
        for cores in (1, 2)
        for name in ("trailcam classify", "label_image")
    )
    comparison = ProgramComparison(
        "today", True, describe_machine(), NOTHING, NOTHING, 2, 60, 6, "tiny", "0" * 64, rows
    )
    (tmp_path / "versus.json").write_bytes(to_text(comparison))
    page = fill_page(page_of("versus"), tmp_path)
    assert "| label_image | 1 | 0.5 | 900 |" in page
    assert "| label_image | 2 | 1.0 | 900 |" in page
    assert page.count("label_image notes") == 1


def test_programs_and_scripts_become_tables(tmp_path: Path) -> None:
    machine = describe_machine()
    rows = (
        ProgramRow("trailcam classify", "measured", "", "", {"trailcam": "0.1.0"}, 900.0, 11.0, 12.0, 80.0),
        ProgramRow("keras", "failed", "no keras", "slow", {}),
    )
    comparison = ProgramComparison(
        "today", True, machine, NOTHING, NOTHING, 2, 60, 6, "animals10 1.0.0 int8", "0" * 64, rows
    )
    (tmp_path / "versus.json").write_bytes(to_text(comparison))
    ratio = {"value": 1.25, "interval": {"low": 1.2, "high": None}}
    lines = ({"check_hz": 1234.5, "over_decode": ratio}, {"loop": "naive", "motion": True})
    printed = ScriptOutput("python -m x DATA", "today", machine, NOTHING, NOTHING, lines)
    (tmp_path / "data_tools.json").write_bytes(to_text(printed))
    page = fill_page(page_of("versus", "data_tools"), tmp_path)
    assert "| program | cores | start-up ms | p50 ms | p90 ms | peak MB |" in page
    assert "| trailcam classify | 2 | 900 | 11.00 | 12.00 | 80 |" in page
    assert "- keras: slow; failed, no keras" in page
    assert "| 1,234 | 1.250 |" in page
    assert "| naive | true |" in page
    json.loads((tmp_path / "versus.json").read_text())
