"""A session with processes that obey: what is asked, what becomes of failures, and what the figures mean."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.host.machine import Condition, Machine, describe_machine
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, Row
from trailcam_benchmarks.session.session import BenchmarkPlan, measure
from trailcam_benchmarks.worker.soak import Sample

FLOAT, INT8 = "float32.bundle", "int8.bundle"
SCHEMES = {FLOAT: ("float32", 40.0), INT8: ("int8", 20.0)}
PLAN = BenchmarkPlan((Path(FLOAT), Path(INT8)), frames=16, min_time_s=0.4, rounds=4)


@pytest.fixture
def runs(fake_runs: Any) -> Any:
    return fake_runs(SCHEMES)


def row_of(rows: tuple[Row, ...], bundle: str, kind: str = "model") -> Row:
    return next(row for row in rows if (row.bundle, row.kind) == (bundle, kind))


def test_rounds_are_taken_in_turns_and_every_second_goes_backwards(runs: Any) -> None:
    measure(PLAN, runs)
    order = [(request.bundle, request.baseline) for request in runs.asked]
    forth = [(FLOAT, False), (FLOAT, True), (INT8, False), (INT8, True)]
    assert order == [*forth, *forth[::-1], *forth, *forth[::-1]]
    assert {request.frames for request in runs.asked} == {4}
    assert {request.seconds for request in runs.asked} == {0.1}


def test_figures_and_ratios_of_the_same_run(runs: Any) -> None:
    result = measure(PLAN, runs)
    row = row_of(result.rows, INT8)
    assert result.complete
    assert row.state == "measured"
    assert row.latency is not None
    assert row.latency.frames == 16
    assert row.latency.p50_ms == pytest.approx(20.01)
    assert len(row.latency.round_p50_ms) == 4
    assert row.over_float32 is not None
    assert row.over_floor is not None
    assert row.over_float32.value == pytest.approx(0.5, rel=1e-2)
    assert row.over_floor.value == pytest.approx(1.25, rel=1e-2)
    assert row.rate_hz == pytest.approx(1000 / 22, rel=1e-2)  # decoding is part of the loop
    assert row.stages_ms is not None
    assert row.stages_ms["decode"] == 2.0
    assert row.memory is not None
    assert (row.memory.empty_mb, row.memory.steady_mb, row.memory.peak_mb) == (40, 50, 60)


def test_a_machine_that_is_slower_round_by_round_does_not_change_the_ratio(fake_runs: Any) -> None:
    runs = fake_runs(SCHEMES, lambda asked: 1.0 + (asked - 1) // 4)  # four requests make a round
    row = row_of(measure(PLAN, runs).rows, INT8)
    assert row.latency is not None
    assert row.over_float32 is not None
    assert max(row.latency.round_p50_ms) > 3 * min(row.latency.round_p50_ms)
    assert row.over_float32.value == pytest.approx(0.5, rel=0.05)


def test_a_bundle_that_crashes_becomes_a_row_and_the_rest_goes_on(runs: Any) -> None:
    runs.fail_after[INT8] = 0
    rows = measure(PLAN, runs).rows
    assert row_of(rows, INT8).state == "failed"
    assert "SIGABRT" in row_of(rows, INT8).reason
    assert row_of(rows, FLOAT).state == "measured"
    asked = [request for request in runs.asked if request.bundle == INT8 and not request.baseline]
    assert len(asked) == 1  # it is not tried again


def test_a_bundle_that_crashes_later_keeps_its_rounds_and_is_marked(runs: Any) -> None:
    runs.fail_after[INT8] = 3  # of model and floor together
    row = row_of(measure(PLAN, runs).rows, INT8)
    assert row.state == "partial"
    assert row.latency is not None
    assert len(row.latency.round_p50_ms) < 4


def test_an_interruption_keeps_what_is_there(runs: Any) -> None:
    runs.interrupt_at = 6
    result = measure(PLAN, runs)
    assert not result.complete
    assert {row.state for row in result.rows} == {"partial"}
    assert row_of(result.rows, INT8).reason == "interrupted"


def test_an_interruption_before_anything_leaves_rows_that_say_so(runs: Any) -> None:
    runs.interrupt_at = 0
    assert {(row.state, row.reason) for row in measure(PLAN, runs).rows} == {("failed", "interrupted")}


def test_more_threads_than_cores_are_not_tried(runs: Any) -> None:
    rows = measure(BenchmarkPlan((Path(INT8),), threads=(1, 100_000), frames=4, rounds=1), runs).rows
    assert [row.state for row in rows] == ["measured", "measured", "failed", "failed"]
    assert "100000 threads on" in rows[2].reason
    assert {request.threads for request in runs.asked} == {1}


def test_accuracy_and_agreement_are_counted_on_pictures_that_can_be_read(runs: Any) -> None:
    runs.answers = {FLOAT: [0, 0, 1, None], INT8: [0, 1, 1, None]}
    pictures = tuple(
        Picture(Path(f"{number}.jpg"), label) for number, label in enumerate(["fox", "fox", "fox", "hare"])
    )
    rows = measure(BenchmarkPlan((Path(FLOAT), Path(INT8)), frames=4, rounds=1, pictures=pictures), runs).rows
    accuracy = row_of(rows, INT8).accuracy
    assert accuracy is not None
    assert (accuracy.n, accuracy.unreadable) == (3, 1)
    assert accuracy.top1 == pytest.approx(1 / 3)
    assert accuracy.agreement == pytest.approx(2 / 3)
    assert accuracy.top1_low < accuracy.top1 < accuracy.top1_high
    assert row_of(rows, INT8, "floor").accuracy is None


def test_pictures_of_a_label_that_the_bundle_lacks_cost_the_accuracy_and_not_the_latency(runs: Any) -> None:
    runs.answers = {INT8: [0]}
    pictures = (Picture(Path("a.jpg"), "badger"),)
    row = row_of(measure(BenchmarkPlan((Path(INT8),), frames=4, rounds=1, pictures=pictures), runs).rows, INT8)
    assert (row.state, row.accuracy) == ("measured", None)
    assert "'badger'" in row.reason


def test_without_float32_of_the_same_network_there_is_no_ratio(runs: Any) -> None:
    row = row_of(measure(BenchmarkPlan((Path(INT8),), frames=4, rounds=1), runs).rows, INT8)
    assert row.over_float32 is None
    assert row.over_floor is not None


def test_what_there_is_is_kept_after_every_round_of_turns_and_marked(runs: Any) -> None:
    kept: list[Result] = []
    result = measure(PLAN, runs, keep=kept.append)
    assert [(found.complete, found.cut) for found in kept] == [(False, "not finished")] * 4
    assert [{(row.state, row.reason) for row in found.rows} for found in kept] == [
        *[{("partial", "not finished")}] * 3,
        {("measured", "")},
    ]
    assert result.complete
    assert {row.reason for row in result.rows} == {""}


def sample(at_s: float, degrees: float | None = None) -> dict[str, object]:
    return asdict(Sample(at_s, 10.0, 100, 10.0, 50.0, degrees, 1500.0, 0))


class Thermometer:
    """A machine of two cores with the temperatures that are given, the last one from then on."""

    def __init__(self, *degrees: float | None) -> None:
        self.degrees = list(degrees)
        self.rested_s = 0.0

    def probe(self) -> tuple[Machine, Condition]:
        now = self.degrees.pop(0) if len(self.degrees) > 1 else self.degrees[0]
        return replace(describe_machine(), cores=2), Condition(now, None, 0, 0.1)

    def sleep(self, seconds: float) -> None:
        self.rested_s += seconds


def test_a_soak_waits_until_the_machine_is_near_its_first_temperature(runs: Any) -> None:
    runs.samples = [sample(10.0)]
    machine = Thermometer(45.0, 70.0, 60.0, 47.5)
    result = measure(
        BenchmarkPlan((Path(INT8),), frames=4, rounds=1, soak_s=10), runs, probe=machine.probe, sleep=machine.sleep
    )
    assert machine.rested_s == 20.0
    assert result.soaks[0].start == Condition(47.5, None, 0, 0.1)
    assert result.soaks[0].runtime == "ai-edge-litert 2.1.0"


@pytest.mark.parametrize(("degrees", "rested_s"), [((45.0, 80.0), 600.0), ((None,), 0.0), ((45.0, None), 0.0)])
def test_a_machine_that_stays_warm_or_has_no_thermometer_is_soaked_all_the_same(
    runs: Any, degrees: tuple[float | None, ...], rested_s: float
) -> None:
    runs.samples = [sample(10.0)]
    machine = Thermometer(*degrees)
    result = measure(
        BenchmarkPlan((Path(INT8),), frames=4, rounds=1, soak_s=10), runs, probe=machine.probe, sleep=machine.sleep
    )
    assert machine.rested_s == rested_s
    assert result.soaks[0].complete
    assert result.soaks[0].start is not None
    assert result.soaks[0].start.temperature_c == degrees[-1]


def test_the_first_number_of_threads_that_was_measured_is_soaked(runs: Any) -> None:
    runs.samples = [sample(10.0)]
    machine = Thermometer(None)
    plan = BenchmarkPlan((Path(INT8),), threads=(4, 2, 1), frames=4, rounds=1, soak_s=10)
    (soak,) = measure(plan, runs, probe=machine.probe).soaks
    assert (soak.threads, soak.complete) == (2, True)
    assert [request.threads for request in runs.asked if request.task == "soak"] == [2]


def test_a_bundle_that_was_not_measured_is_a_soak_that_says_so(runs: Any) -> None:
    runs.samples = [sample(10.0)]
    runs.fail_after[FLOAT] = 0
    plan = BenchmarkPlan((Path(FLOAT), Path(INT8)), frames=4, rounds=1, soak_s=10)
    failed, whole = measure(plan, runs, probe=Thermometer(None).probe).soaks
    assert (failed.bundle, failed.complete, failed.summary) == (FLOAT, False, None)
    assert "SIGABRT" in failed.reason
    assert (whole.bundle, whole.complete) == (INT8, True)


def test_samples_of_a_soak_are_kept_every_minute(runs: Any) -> None:
    runs.samples = [sample(10.0 * number) for number in range(1, 14)]
    kept: list[Result] = []
    plan = BenchmarkPlan((Path(INT8),), frames=4, rounds=1, soak_s=130)
    result = measure(plan, runs, probe=Thermometer(None).probe, keep=kept.append)
    soaks = [found.soaks for found in kept if found.soaks]
    assert [[(len(soak.samples), soak.complete) for soak in found] for found in soaks] == [
        [(6, False)],
        [(12, False)],
        [(13, True)],
    ]
    assert soaks[0][0].reason == "not finished"
    assert len(result.soaks) == 1


def test_an_onnx_file_is_not_tried_on_tflite_runtime(fake_runs: Any, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    runs = fake_runs({str(tmp_path): ("int8", 20.0)})
    rows = measure(BenchmarkPlan((tmp_path,), runtimes=("", "tflite-runtime"), frames=4, rounds=1), runs).rows
    assert [row.state for row in rows] == ["measured", "measured", "failed", "failed"]
    assert "does not run an ONNX file" in rows[2].reason


def test_a_soak_that_is_interrupted_keeps_its_samples_and_is_marked(runs: Any) -> None:
    runs.samples = [sample(10.0), sample(20.0)]
    runs.interrupt_at = 3
    result = measure(BenchmarkPlan((Path(INT8),), frames=4, rounds=1, soak_s=60), runs, probe=Thermometer(None).probe)
    assert not result.complete
    (soak,) = result.soaks
    assert (soak.complete, soak.reason, len(soak.samples)) == (False, "interrupted", 2)
    assert soak.summary is not None
    assert soak.summary.seconds == 20.0


def test_a_soak_that_ends_is_complete(runs: Any) -> None:
    runs.samples = [sample(10.0)]
    result = measure(BenchmarkPlan((Path(INT8),), frames=4, rounds=1, soak_s=10), runs, probe=Thermometer(None).probe)
    assert result.complete
    assert result.soaks[0].complete
