"""Measure bundles side by side: rounds in turns, one process at a time, each round in a fresh process.

Turns make a machine that drifts hurt all alike; every second round goes backwards, so that a steady drift cancels. A
fresh process per round keeps memory apart, lets a board with 512 MB compare any number of bundles, and makes the luck
of one process start (where its memory lies) part of the noise that is stated.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trailcam_benchmarks.child import Request, Round
from trailcam_benchmarks.machine import describe_machine, read_condition
from trailcam_benchmarks.processes import ChildError, Run, ask
from trailcam_benchmarks.result import Result, Soak
from trailcam_benchmarks.rows import Picture, Variant, make_rows
from trailcam_benchmarks.soak import Sample, summarise_soak
from trailcam_edge.progress import Progress, silent

__all__ = ["MLPERF_FRAMES", "Plan", "measure"]

MLPERF_FRAMES = 1024  # of the scenario single_stream. Source: MLPerf Inference Rules, section "Scenarios"


@dataclass(frozen=True)
class Plan:
    """What to measure: every bundle with every number of threads, ``frames`` and ``min_time_s`` in all, in rounds."""

    bundles: tuple[Path, ...]
    threads: tuple[int, ...] = (1,)
    frames: int = MLPERF_FRAMES
    min_time_s: float = 10.0
    rounds: int = 8
    pictures: tuple[Picture, ...] = ()
    soak_s: float = 0.0
    sample_s: float = 10.0


def measure(plan: Plan, run: Run, progress: Progress = silent) -> Result:
    """Measure everything in ``plan``; what fails becomes a row that says why, and an interruption keeps what is there.

    Args:
        plan: with at least one bundle, number of threads and round.
        run: starts a process, see ``processes.run_child``.
        progress: told after every round.
    """
    started, before = datetime.now().astimezone().isoformat(timespec="seconds"), read_condition()
    machine = describe_machine()
    variants = [Variant(b, t, floor, []) for t in plan.threads for b in plan.bundles for floor in (False, True)]
    for variant in variants:
        if variant.threads > machine.cores:
            variant.reason = f"{variant.threads} threads on {machine.cores} core(s) would only wait for each other"
    answers: dict[Path, list[str | None]] = {}
    soaks: list[Soak] = []
    complete = True
    try:
        _run_rounds(plan, variants, run, progress)
        _run_pictures(plan, variants, answers, run, progress)
        _run_soaks(plan, variants, soaks, run, progress)
    except KeyboardInterrupt:
        complete = False
        for variant in variants:
            if len(variant.rounds) < plan.rounds and not variant.reason:
                variant.reason = "interrupted"
    return Result(
        started=started,
        complete=complete,
        machine=machine,
        before=before,
        after=read_condition(),
        frames_wanted=plan.frames,
        min_time_s=plan.min_time_s,
        rounds=plan.rounds,
        rows=make_rows(variants, plan.rounds, plan.pictures, answers),
        soaks=tuple(soaks),
    )


def _run_rounds(plan: Plan, variants: list[Variant], run: Run, progress: Progress) -> None:
    done, total = 0, plan.rounds * len(variants)
    for number in range(plan.rounds):
        for variant in variants if number % 2 == 0 else variants[::-1]:
            if not variant.reason:
                request = Request(
                    task="round",
                    bundle=str(variant.bundle),
                    threads=variant.threads,
                    floor=variant.floor,
                    frames=-(-plan.frames // plan.rounds),
                    seconds=plan.min_time_s / plan.rounds,
                )
                try:
                    variant.rounds.append(Round(**ask(run, request)))
                except ChildError as error:
                    variant.reason = str(error)
            done += 1
            progress("measuring", done, total)


def _run_pictures(
    plan: Plan, variants: list[Variant], answers: dict[Path, list[str | None]], run: Run, progress: Progress
) -> None:
    measured = list(dict.fromkeys(v.bundle for v in variants if v.rounds and not v.floor)) if plan.pictures else []
    for done, bundle in enumerate(measured):
        progress("answering", done, len(measured))
        threads = min(v.threads for v in variants if v.bundle == bundle and v.rounds)
        files = tuple(str(picture.path) for picture in plan.pictures)
        try:
            found = ask(run, Request(task="answers", bundle=str(bundle), threads=threads, pictures=files))
            foreign = sorted({picture.label for picture in plan.pictures} - set(found["labels"]))
            if foreign:
                raise ChildError(f"--data has a folder {foreign[0]!r}, which is no label of this bundle")
        except ChildError as error:
            for variant in variants:
                if variant.bundle == bundle and not variant.floor:
                    variant.reason = variant.reason or f"no accuracy: {error}"
            continue
        labels = found["labels"]
        answers[bundle] = [None if class_id is None else labels[class_id] for class_id in found["class_ids"]]


def _run_soaks(plan: Plan, variants: list[Variant], soaks: list[Soak], run: Run, progress: Progress) -> None:
    if not plan.soak_s:
        return
    for variant in variants:
        if variant.floor or not variant.rounds or variant.threads != plan.threads[0]:
            continue
        samples: list[Sample] = []
        request = Request(
            task="soak",
            bundle=str(variant.bundle),
            threads=variant.threads,
            seconds=plan.soak_s,
            sample_s=plan.sample_s,
        )
        reason = "interrupted"
        try:
            with closing(run(request)) as found:
                for answer in found:
                    samples.append(Sample(**answer))
                    rate = f"{samples[-1].rate_hz:.1f} frames/s"
                    progress(f"soak {variant.bundle.name}", int(samples[-1].at_s), int(plan.soak_s), rate)
            reason = ""
        except ChildError as error:
            reason = str(error)
        finally:  # what was sampled before an interruption is kept
            summary = summarise_soak(samples) if samples else None
            soaks.append(Soak(str(variant.bundle), variant.threads, not reason, reason, summary, tuple(samples)))
