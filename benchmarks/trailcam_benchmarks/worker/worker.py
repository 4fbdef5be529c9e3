"""Measure one bundle in a process of its own: a JSON request on stdin, JSON lines on stdout.

    echo '{"task": "round", "bundle": "my.bundle", "threads": 1, "frames": 9}' | \
        python -m trailcam_benchmarks.worker.worker

    round    open, warm up, time frames; one line                      -> Round
    answers  the best class of every picture; one line                 -> {"class_ids": [...], "labels": [...]}
    soak     a line per sample until the time is up                    -> soak.Sample
    look     what this machine is and how it feels; one line           -> Look

``trailcam benchmark --child`` is the same program by another name: what a machine with the base install runs for
``--on``. A bundle that cannot be used gives one line ``{"error": ...}`` and exit code 1. One that takes the process
down with it ends only this process, and what it held in memory is what this model needed.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trailcam_benchmarks.host.machine import (
    Condition,
    Machine,
    describe_machine,
    read_condition,
    read_memory_mb,
    reset_peak_memory,
)
from trailcam_benchmarks.worker.benchmarked_model import Subject, import_runtime, open_bundle_subject
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS, import_keras, open_keras_subject
from trailcam_benchmarks.worker.latency import camera_frame
from trailcam_benchmarks.worker.soak import take_samples
from trailcam_benchmarks.worker.stages import WARMUP_FRAMES, Clock, latencies, time_frames
from trailcam_core.errors import SourceError, TrailcamError

__all__ = ["PROTOCOL", "Look", "Request", "Round", "main"]

PROTOCOL = 1  # of requests and answers, which must be the same at both ends of an SSH connection


@dataclass(frozen=True)
class Request:
    """What one process is asked to do.

    ``task`` is round, answers, soak or look. ``runtime`` is empty for the interpreter that is installed, or names
    another one of ``runs``; whoever starts the process has chosen its Python by it. ``floor`` asks for the bare
    interpreter loop. A round lasts until there are ``frames`` frames and ``seconds`` have passed; a soak lasts
    ``seconds`` and has a sample every ``sample_s``.
    """

    task: str
    bundle: str
    threads: int
    runtime: str = ""
    floor: bool = False
    frames: int = 0
    seconds: float = 0.0
    sample_s: float = 10.0
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """One round of one bundle, in milliseconds and megabytes; ``times_ms`` is (n, 4), columns as ``stages.STAGES``.

    ``stated_top1`` is the accuracy that the manifest claims, ``source_sha256`` see ``Subject``. ``empty_mb`` is what
    the process held before the model was opened; ``steady_mb`` after the round, ``peak_mb`` at most since it was.
    """

    name: str
    scheme: str
    sha256: str
    size_bytes: int
    runtime: str
    stated_top1: float | None
    load_ms: float
    first_ms: float
    empty_mb: float | None
    steady_mb: float | None
    peak_mb: float | None
    times_ms: list[list[float]]
    source_sha256: str = ""


@dataclass(frozen=True)
class Look:
    """The machine of this process, its state now, and the ``PROTOCOL`` that it speaks."""

    protocol: int
    machine: Machine
    condition: Condition


def main() -> int:
    """Do what stdin asks; 1 if the bundle cannot be used."""
    fields = json.load(sys.stdin)
    request = Request(**{**fields, "pictures": tuple(fields.get("pictures", ()))})
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # native code that prints must not write between the answers
    try:
        for answer in _TASKS[request.task](request, time.perf_counter):
            print(json.dumps(answer), file=answers, flush=True)
    except (TrailcamError, MemoryError, OSError, ModuleNotFoundError) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=answers, flush=True)
        return 1
    return 0


def _round(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    _import(request)  # the same for all, it belongs to no model
    camera_frame()  # nor do the arrays that the frame is made of
    reset_peak_memory()
    empty_mb, _ = read_memory_mb()
    subject = _open(request)
    first_ms = float(latencies(time_frames(subject.stages, 1, 0, clock))[0])
    time_frames(subject.stages, WARMUP_FRAMES, 0, clock)
    times_ms = time_frames(subject.stages, request.frames, request.seconds, clock)
    steady_mb, peak_mb = read_memory_mb()
    yield asdict(
        Round(
            name=subject.name,
            scheme=subject.scheme,
            sha256=subject.sha256,
            size_bytes=subject.size_bytes,
            runtime=subject.runtime,
            stated_top1=subject.stated_top1,
            load_ms=subject.load_ms,
            first_ms=first_ms,
            empty_mb=empty_mb,
            steady_mb=steady_mb,
            peak_mb=peak_mb,
            times_ms=times_ms.round(6).tolist(),
            source_sha256=subject.source_sha256,
        )
    )


def _answers(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - all tasks are called alike
    subject = _open(request)
    class_ids: list[int | None] = []
    for picture in request.pictures:
        try:
            class_ids.append(subject.best(Path(picture)))
        except SourceError:
            class_ids.append(None)  # the same for every model; the caller counts them
    yield {"class_ids": class_ids, "labels": list(subject.labels)}


def _soak(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    stages = _open(request).stages
    time_frames(stages, WARMUP_FRAMES, 0, clock)
    for sample in take_samples(stages, request.seconds, request.sample_s, clock, read_condition, read_memory_mb):
        yield asdict(sample)


def _look(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - all tasks are called alike
    yield asdict(Look(PROTOCOL, describe_machine(), read_condition()))


def _import(request: Request) -> None:
    if request.runtime in KERAS_WAYS:
        import_keras(request.threads)
    else:
        import_runtime(Path(request.bundle))


def _open(request: Request) -> Subject:
    if request.runtime in KERAS_WAYS:
        return open_keras_subject(Path(request.bundle), request.runtime, request.threads)
    return open_bundle_subject(Path(request.bundle), request.threads, request.floor)


_TASKS = {"round": _round, "answers": _answers, "soak": _soak, "look": _look}

if __name__ == "__main__":
    sys.exit(main())
