"""Measure one bundle in a separate process: a JSON request on stdin, JSON lines on stdout.

    echo '{"task": "round", "bundle": "my.bundle", "threads": 1, "frames": 9}' | \
        python -m trailcam_benchmarks.worker.worker

    round    open, warm up, time frames; one line                      -> Round
    predict  the best class of every picture; one line                 -> {"class_ids": [...], "labels": [...]}
    soak     a line per sample until the time is up                    -> soak.Sample
    probe    description and condition of this machine; one line       -> HostReport

``trailcam benchmark --child`` is the same program; ``--on`` starts it on a machine with the base install. A bundle
that cannot be used gives one line ``{"error": ...}`` and exit code 1. A crash ends only this process, whose memory is
that of one model.
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
from trailcam_benchmarks.worker.baseline import camera_frame
from trailcam_benchmarks.worker.benchmarked_model import BenchmarkedModel, import_runtime, open_bundle_model
from trailcam_benchmarks.worker.keras_baseline import KERAS_WAYS, import_keras, open_keras_model
from trailcam_benchmarks.worker.soak import take_samples
from trailcam_benchmarks.worker.stages import WARMUP_FRAMES, Clock, latencies, time_frames
from trailcam_core.errors import SourceError, TrailcamError

PROTOCOL = 2  # of requests and replies, the same at both ends of an SSH connection


@dataclass(frozen=True)
class Request:
    """One task of a worker.

    ``task`` is round, predict, soak or probe. ``runtime`` is empty for the installed interpreter, or names another
    one of ``RUNTIMES``, for which the worker was started with its Python. ``baseline`` selects the raw interpreter
    loop. A round lasts until there are ``frames`` frames and ``seconds`` have passed; a soak lasts
    ``seconds`` and has a sample every ``sample_s``.
    """

    task: str
    bundle: str
    threads: int
    runtime: str = ""
    baseline: bool = False
    frames: int = 0
    seconds: float = 0.0
    sample_s: float = 10.0
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """One round of one bundle, in milliseconds and megabytes; ``times_ms`` is (n, 4), columns as ``stages.STAGES``.

    ``stated_top1`` is the accuracy in the manifest, ``source_sha256`` see ``BenchmarkedModel``. ``empty_mb`` is the
    memory before the model was opened, ``steady_mb`` after the round, ``peak_mb`` the peak since it was opened.
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
class HostReport:
    """The machine of this process, its condition, and its ``PROTOCOL``."""

    protocol: int
    machine: Machine
    condition: Condition


def main() -> int:
    """Run the request on stdin; return 1 if the bundle cannot be used."""
    fields = json.load(sys.stdin)
    request = Request(**{**fields, "pictures": tuple(fields.get("pictures", ()))})
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # native code that prints must not write between the replies
    try:
        for answer in _TASKS[request.task](request, time.perf_counter):
            print(json.dumps(answer), file=answers, flush=True)
    except (TrailcamError, MemoryError, OSError, ModuleNotFoundError) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=answers, flush=True)
        return 1
    return 0


def _round(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    _import(request)  # the same for all models
    camera_frame()  # so are the arrays of the frame
    reset_peak_memory()
    empty_mb, _ = read_memory_mb()
    model = _open(request)
    first_ms = float(latencies(time_frames(model.stages, 1, 0, clock))[0])
    time_frames(model.stages, WARMUP_FRAMES, 0, clock)
    times_ms = time_frames(model.stages, request.frames, request.seconds, clock)
    steady_mb, peak_mb = read_memory_mb()
    yield asdict(
        Round(
            name=model.name,
            scheme=model.scheme,
            sha256=model.sha256,
            size_bytes=model.size_bytes,
            runtime=model.runtime,
            stated_top1=model.stated_top1,
            load_ms=model.load_ms,
            first_ms=first_ms,
            empty_mb=empty_mb,
            steady_mb=steady_mb,
            peak_mb=peak_mb,
            times_ms=times_ms.round(6).tolist(),
            source_sha256=model.source_sha256,
        )
    )


def _predict(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - all tasks are called alike
    model = _open(request)
    class_ids: list[int | None] = []
    for picture in request.pictures:
        try:
            class_ids.append(model.best(Path(picture)))
        except SourceError:
            class_ids.append(None)  # the same for every model; the caller counts them
    yield {"class_ids": class_ids, "labels": list(model.labels)}


def _soak(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    stages = _open(request).stages
    time_frames(stages, WARMUP_FRAMES, 0, clock)
    for sample in take_samples(stages, request.seconds, request.sample_s, clock, read_condition, read_memory_mb):
        yield asdict(sample)


def _probe(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - all tasks are called alike
    yield asdict(HostReport(PROTOCOL, describe_machine(), read_condition()))


def _import(request: Request) -> None:
    if request.runtime in KERAS_WAYS:
        import_keras(request.threads)
    else:
        import_runtime(Path(request.bundle))


def _open(request: Request) -> BenchmarkedModel:
    if request.runtime in KERAS_WAYS:
        return open_keras_model(Path(request.bundle), request.runtime, request.threads)
    return open_bundle_model(Path(request.bundle), request.threads, request.baseline)


_TASKS = {"round": _round, "predict": _predict, "soak": _soak, "probe": _probe}

if __name__ == "__main__":
    sys.exit(main())
