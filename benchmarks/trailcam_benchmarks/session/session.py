"""Measure bundles side by side: rounds in turns, one process at a time, each round in a fresh process.

Turns spread the drift of a machine over all bundles; every second round goes backwards, so that a steady drift
cancels. A fresh process per round separates memory, lets a board with 512 MB compare any number of bundles, and
includes the memory layout of a process, which differs from start to start, in the noise.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trailcam_benchmarks.host.machine import Condition, Machine, describe_machine, read_condition
from trailcam_benchmarks.host.signals import INTERRUPTED, UNFINISHED
from trailcam_benchmarks.host.virtual_environments import TFLITE_RUNTIME
from trailcam_benchmarks.results.rows import BenchmarkVariant, Picture, Predictions, make_rows
from trailcam_benchmarks.results.schema import Result, Row, Soak
from trailcam_benchmarks.session.soak_runs import choose_soaked, cool_down, run_soak
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS
from trailcam_benchmarks.worker.spawn import LostError, Run, WorkerError, request_one
from trailcam_benchmarks.worker.worker import Request, Round
from trailcam_core.files.names import counted
from trailcam_core.jobs.progress import Progress, silent

Probe = Callable[[], tuple[Machine, Condition]]
Keep = Callable[[Result], None]

_UNKNOWN = Condition(None, None, None, None)
MLPERF_FRAMES = 1024  # of the scenario single_stream. Source: MLPerf Inference Rules, section "Scenarios"


@dataclass(frozen=True)
class BenchmarkPlan:
    """Measurements: every bundle with every number of threads on every runtime, and every Keras run.

    A row has at least ``frames`` frames and ``min_time_s`` seconds in all, in ``rounds``; a baseline has
    ``baseline_fraction`` of both. A runtime is empty for the installed interpreter, or a value of ``RUNTIMES``.
    Before a soak the machine may cool down for at most ``cool_s``.
    """

    bundles: tuple[Path, ...]
    threads: tuple[int, ...] = (1,)
    runtimes: tuple[str, ...] = ("",)
    keras_runs: tuple[Path, ...] = ()
    baseline_fraction: float = 1.0
    frames: int = MLPERF_FRAMES
    min_time_s: float = 10.0
    rounds: int = 8
    pictures: tuple[Picture, ...] = ()
    soak_s: float = 0.0
    sample_s: float = 10.0
    cool_s: float = 600.0


def probe_here() -> tuple[Machine, Condition]:
    """HostReport at this machine."""
    return describe_machine(), read_condition()


def measure(
    plan: BenchmarkPlan,
    run: Run,
    progress: Progress = silent,
    probe: Probe = probe_here,
    keep: Keep | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Measure everything in ``plan``; a failure becomes a row, an interruption keeps the figures so far.

    Args:
        plan: with at least one bundle, number of threads and round.
        run: starts a worker, see ``spawn.run_worker``.
        progress: called after every round.
        probe: reads the condition of the machine of the workers.
        keep: called with the result so far, marked as not complete: after each round of turns, after each bundle's
            predictions, and every minute of a soak. Only a soak is timed at the same time.
        sleep: called with a time in seconds.

    Raises:
        LostError: the machine is out of reach from the start; later it is an interruption.
    """
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    machine, before = probe()
    session = _Session(plan, started, machine, before, keep)
    for variant in session.variants:
        if variant.threads > machine.cores:
            variant.reason = (
                f"{variant.threads} threads on {counted(machine.cores, 'core')} would only wait for each other"
            )
        elif variant.runtime == TFLITE_RUNTIME.name and (variant.bundle / "model.onnx").is_file():
            variant.reason = f"{TFLITE_RUNTIME.name} does not run an ONNX file"
    cut = ""
    try:
        _run_rounds(session, run, progress)
        _run_pictures(session, run, progress)
        _run_soaks(session, run, progress, probe, sleep)
    except KeyboardInterrupt:
        cut = INTERRUPTED
    except LostError as error:
        cut = str(error)
    after = _UNKNOWN
    with contextlib.suppress(LostError):
        after = probe()[1]
    return session.result(cut, after)


def variants_of(plan: BenchmarkPlan) -> list[BenchmarkVariant]:
    """Return everything that ``plan`` measures, in its order."""
    found = []
    for threads in plan.threads:
        for bundle in plan.bundles:
            found += [
                BenchmarkVariant(bundle, threads, floor, runtime)
                for runtime in plan.runtimes
                for floor in (False, True)
            ]
        found += [BenchmarkVariant(run, threads, False, way) for run in plan.keras_runs for way in KERAS_WAYS]
    return found


class _Session:
    """A measurement in progress, which gives its result so far at any time."""

    def __init__(
        self, plan: BenchmarkPlan, started: str, machine: Machine, before: Condition, keep: Keep | None
    ) -> None:
        self.plan, self.before = plan, before
        self.variants = variants_of(plan)
        self.predictions: Predictions = {}
        self.soaks: list[Soak] = []
        self._started, self._machine, self._keep = started, machine, keep
        self.final_rows: tuple[Row, ...] | None = None

    def result(self, cut: str, after: Condition) -> Result:
        return Result(
            started=self._started,
            complete=not cut,
            cut=cut,
            machine=self._machine,
            before=self.before,
            after=after,
            frames_wanted=self.plan.frames,
            min_time_s=self.plan.min_time_s,
            rounds=self.plan.rounds,
            rows=self.make_rows(cut) if self.final_rows is None else self.final_rows,
            soaks=tuple(self.soaks),
        )

    def keep(self) -> None:
        if self._keep is not None:
            self._keep(self.result(UNFINISHED, _UNKNOWN))

    def update_soak(self, soak: Soak) -> None:
        """Replace the unfinished soak of a bundle by a later state of it."""
        if self.soaks and (self.soaks[-1].bundle, self.soaks[-1].complete) == (soak.bundle, False):
            self.soaks.pop()
        self.soaks.append(soak)
        self.keep()

    def make_rows(self, cut: str) -> tuple[Row, ...]:
        """Return the rows so far; ``cut`` is the reason of those that lack rounds."""
        rounds = self.plan.rounds
        marked = [v if v.reason or len(v.rounds) == rounds else replace(v, reason=cut) for v in self.variants]
        return make_rows(marked, rounds, self.plan.pictures, self.predictions)


def _run_rounds(session: _Session, run: Run, progress: Progress) -> None:
    plan, variants = session.plan, session.variants
    done, total = 0, plan.rounds * len(variants)
    for number in range(plan.rounds):
        for variant in variants if number % 2 == 0 else variants[::-1]:
            if not variant.reason:
                fraction = plan.baseline_fraction if variant.baseline else 1.0
                request = Request(
                    task="round",
                    bundle=str(variant.bundle),
                    threads=variant.threads,
                    runtime=variant.runtime,
                    baseline=variant.baseline,
                    frames=math.ceil(fraction * plan.frames / plan.rounds),
                    seconds=fraction * plan.min_time_s / plan.rounds,
                )
                try:
                    variant.rounds.append(Round(**request_one(run, request)))
                except WorkerError as error:
                    variant.reason = str(error)
            done += 1
            progress("measuring", done, total)
        session.keep()


def _run_pictures(session: _Session, run: Run, progress: Progress) -> None:
    plan, variants = session.plan, session.variants
    measured = list(dict.fromkeys(v.key for v in variants if v.rounds and not v.baseline)) if plan.pictures else []
    for done, key in enumerate(measured):
        progress("answering", done, len(measured))
        bundle, runtime = key
        threads = min(v.threads for v in variants if v.key == key and v.rounds)
        files = tuple(str(picture.path) for picture in plan.pictures)
        try:
            found = request_one(run, Request("predict", str(bundle), threads, runtime, pictures=files))
            foreign = sorted({picture.label for picture in plan.pictures} - set(found["labels"]))
            if foreign:
                raise WorkerError(f"--data has a folder {foreign[0]!r}, which is no label of this bundle")
        except WorkerError as error:
            for variant in variants:
                if variant.key == key and not variant.baseline:
                    variant.reason = variant.reason or f"no accuracy: {error}"
            continue
        labels = found["labels"]
        session.predictions[key] = [None if class_id is None else labels[class_id] for class_id in found["class_ids"]]
        session.keep()


def _run_soaks(session: _Session, run: Run, progress: Progress, probe: Probe, sleep: Callable[[float], None]) -> None:
    plan = session.plan
    if not plan.soak_s:
        return
    session.final_rows = session.make_rows("")  # computing them every minute would be a load besides the soak
    for bundle in plan.bundles:
        chosen = choose_soaked(session.variants, bundle)
        if isinstance(chosen, Soak):
            session.update_soak(chosen)
            continue
        start = cool_down(lambda: probe()[1], session.before.temperature_c, plan.cool_s, progress, sleep)
        run_soak(chosen, plan.soak_s, plan.sample_s, start, run, progress, session.update_soak)
