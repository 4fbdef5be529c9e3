"""Measure bundles side by side: rounds in turns, one process at a time, each round in a fresh process.

Turns make a machine that drifts hurt all alike; every second round goes backwards, so that a steady drift cancels. A
fresh process per round keeps memory apart, lets a board with 512 MB compare any number of bundles, and makes the luck
of one process start (where its memory lies) part of the noise that is stated.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trailcam_benchmarks.child import Request, Round
from trailcam_benchmarks.keras_baseline import KERAS_WAYS
from trailcam_benchmarks.machine import Condition, Machine, describe_machine, read_condition
from trailcam_benchmarks.processes import ChildError, LostError, Run, ask
from trailcam_benchmarks.result import Result, Soak
from trailcam_benchmarks.rows import Answers, Picture, Variant, make_rows
from trailcam_benchmarks.soak import Sample, summarise_soak
from trailcam_edge.progress import Progress, silent

__all__ = ["INTERRUPTED", "MLPERF_FRAMES", "LookAt", "Plan", "look_here", "measure"]

LookAt = Callable[[], tuple[Machine, Condition]]

INTERRUPTED = "interrupted"  # what a result says of Ctrl-C
MLPERF_FRAMES = 1024  # of the scenario single_stream. Source: MLPerf Inference Rules, section "Scenarios"


@dataclass(frozen=True)
class Plan:
    """What to measure: every bundle with every number of threads on every runtime, and every Keras run.

    A row has at least ``frames`` frames and ``min_time_s`` seconds in all, in ``rounds``; a floor has ``floor_share``
    of both. A runtime is empty for the interpreter that is installed, or one of ``runs``.
    """

    bundles: tuple[Path, ...]
    threads: tuple[int, ...] = (1,)
    runtimes: tuple[str, ...] = ("",)
    keras_runs: tuple[Path, ...] = ()
    floor_share: float = 1.0
    frames: int = MLPERF_FRAMES
    min_time_s: float = 10.0
    rounds: int = 8
    pictures: tuple[Picture, ...] = ()
    soak_s: float = 0.0
    sample_s: float = 10.0


def look_here() -> tuple[Machine, Condition]:
    """Look at this machine."""
    return describe_machine(), read_condition()


def measure(plan: Plan, run: Run, progress: Progress = silent, look: LookAt = look_here) -> Result:
    """Measure everything in ``plan``; what fails becomes a row that says why, and an interruption keeps what is there.

    Args:
        plan: with at least one bundle, number of threads and round.
        run: starts a process, see ``processes.run_child``.
        progress: told after every round.
        look: looks at the machine that the processes run on.

    Raises:
        LostError: that machine is out of reach from the start; later it is an interruption.
    """
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    machine, before = look()
    variants = _variants(plan)
    for variant in variants:
        if variant.threads > machine.cores:
            variant.reason = f"{variant.threads} threads on {machine.cores} core(s) would only wait for each other"
    answers: Answers = {}
    soaks: list[Soak] = []
    cut, after = "", None
    try:
        _run_rounds(plan, variants, run, progress)
        _run_pictures(plan, variants, answers, run, progress)
        _run_soaks(plan, variants, soaks, run, progress)
    except KeyboardInterrupt:
        cut = INTERRUPTED
    except LostError as error:
        cut = str(error)
    for variant in variants:
        if cut and len(variant.rounds) < plan.rounds and not variant.reason:
            variant.reason = cut
    with contextlib.suppress(LostError):
        after = look()[1]
    return Result(
        started=started,
        complete=not cut,
        cut=cut,
        machine=machine,
        before=before,
        after=after or Condition(None, None, None, None),
        frames_wanted=plan.frames,
        min_time_s=plan.min_time_s,
        rounds=plan.rounds,
        rows=make_rows(variants, plan.rounds, plan.pictures, answers),
        soaks=tuple(soaks),
    )


def _variants(plan: Plan) -> list[Variant]:
    found = []
    for threads in plan.threads:
        for bundle in plan.bundles:
            found += [Variant(bundle, threads, floor, runtime) for runtime in plan.runtimes for floor in (False, True)]
        found += [Variant(run, threads, False, way) for run in plan.keras_runs for way in KERAS_WAYS]
    return found


def _run_rounds(plan: Plan, variants: list[Variant], run: Run, progress: Progress) -> None:
    done, total = 0, plan.rounds * len(variants)
    for number in range(plan.rounds):
        for variant in variants if number % 2 == 0 else variants[::-1]:
            if not variant.reason:
                share = plan.floor_share if variant.floor else 1.0
                request = Request(
                    task="round",
                    bundle=str(variant.bundle),
                    threads=variant.threads,
                    runtime=variant.runtime,
                    floor=variant.floor,
                    frames=math.ceil(share * plan.frames / plan.rounds),
                    seconds=share * plan.min_time_s / plan.rounds,
                )
                try:
                    variant.rounds.append(Round(**ask(run, request)))
                except ChildError as error:
                    variant.reason = str(error)
            done += 1
            progress("measuring", done, total)


def _run_pictures(plan: Plan, variants: list[Variant], answers: Answers, run: Run, progress: Progress) -> None:
    measured = list(dict.fromkeys(v.key for v in variants if v.rounds and not v.floor)) if plan.pictures else []
    for done, key in enumerate(measured):
        progress("answering", done, len(measured))
        bundle, runtime = key
        threads = min(v.threads for v in variants if v.key == key and v.rounds)
        files = tuple(str(picture.path) for picture in plan.pictures)
        try:
            found = ask(run, Request("answers", str(bundle), threads, runtime, pictures=files))
            foreign = sorted({picture.label for picture in plan.pictures} - set(found["labels"]))
            if foreign:
                raise ChildError(f"--data has a folder {foreign[0]!r}, which is no label of this bundle")
        except ChildError as error:
            for variant in variants:
                if variant.key == key and not variant.floor:
                    variant.reason = variant.reason or f"no accuracy: {error}"
            continue
        labels = found["labels"]
        answers[key] = [None if class_id is None else labels[class_id] for class_id in found["class_ids"]]


def _run_soaks(plan: Plan, variants: list[Variant], soaks: list[Soak], run: Run, progress: Progress) -> None:
    if not plan.soak_s:
        return
    for variant in variants:
        if variant.floor or variant.runtime or not variant.rounds or variant.threads != plan.threads[0]:
            continue
        samples: list[Sample] = []
        request = Request(
            task="soak",
            bundle=str(variant.bundle),
            threads=variant.threads,
            seconds=plan.soak_s,
            sample_s=plan.sample_s,
        )
        reason = INTERRUPTED
        try:
            with contextlib.closing(run(request)) as found:
                for answer in found:
                    samples.append(Sample(**answer))
                    rate = f"{samples[-1].rate_hz:.1f} frames/s"
                    progress(f"soak {variant.bundle.name}", int(samples[-1].at_s), int(plan.soak_s), rate)
            reason = ""
        except ChildError as error:
            reason = str(error)
        except LostError as error:
            reason = str(error)
            raise
        finally:  # what was sampled before an interruption is kept
            summary = summarise_soak(samples) if samples else None
            soaks.append(Soak(str(variant.bundle), variant.threads, not reason, reason, summary, tuple(samples)))
