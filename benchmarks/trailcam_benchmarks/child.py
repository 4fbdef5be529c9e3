"""Measure one bundle in a process of its own: a JSON request on stdin, JSON lines on stdout.

    echo '{"task": "round", "bundle": "my.bundle", "threads": 1, "frames": 9}' | python -m trailcam_benchmarks.child

    round    open, warm up, time frames; one line                      -> Round
    answers  the best class of every picture; one line                 -> {"class_ids": [...], "labels": [...]}
    soak     a line per sample until the time is up                    -> soak.Sample

A bundle that cannot be used gives one line ``{"error": ...}`` and exit code 1. One that takes the process down with it
ends only this process, and what it held in memory is what this model needed.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trailcam_benchmarks.machine import read_condition, read_memory_mb
from trailcam_benchmarks.soak import take_samples
from trailcam_benchmarks.stages import WARMUP_FRAMES, Clock, Stages, floor_stages, latencies, model_stages, time_frames
from trailcam_edge.classifier import Classifier
from trailcam_edge.errors import SourceError, TrailcamError
from trailcam_edge.preprocessing import read_image
from trailcam_edge.runtimes import load_runtime

__all__ = ["Request", "Round", "main"]

_PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class Request:
    """What one process is asked to do.

    ``task`` is round, answers or soak. ``floor`` asks for the bare interpreter loop. A round lasts until there are
    ``frames`` frames and ``seconds`` have passed; a soak lasts ``seconds`` and has a sample every ``sample_s``.
    """

    task: str
    bundle: str
    threads: int
    floor: bool = False
    frames: int = 0
    seconds: float = 0.0
    sample_s: float = 10.0
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """One round of one bundle, in milliseconds and megabytes; ``times_ms`` is (n, 4), columns as ``stages.STAGES``.

    ``stated_top1`` is the accuracy that the manifest claims. ``empty_mb`` is what the process held before the model was
    opened; ``steady_mb`` and ``peak_mb`` after the round.
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


def main() -> int:
    """Do what stdin asks; 1 if the bundle cannot be used."""
    fields = json.load(sys.stdin)
    request = Request(**{**fields, "pictures": tuple(fields.get("pictures", ()))})
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # native code that prints must not write between the answers
    try:
        for answer in _TASKS[request.task](request, time.perf_counter):
            print(json.dumps(answer), file=answers, flush=True)
    except (TrailcamError, MemoryError, OSError) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=answers, flush=True)
        return 1
    return 0


def _round(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    load_runtime()  # its import is the same for all and belongs to no model
    empty_mb, _ = read_memory_mb()
    classifier, stages, load_ms = _open(request, clock)
    first_ms = float(latencies(time_frames(stages, 1, 0, clock))[0])
    time_frames(stages, WARMUP_FRAMES, 0, clock)
    times_ms = time_frames(stages, request.frames, request.seconds, clock)
    manifest = classifier.bundle.manifest
    steady_mb, peak_mb = read_memory_mb()
    yield asdict(
        Round(
            name=f"{manifest.name} {manifest.version}",
            scheme=manifest.model.scheme,
            sha256=manifest.model.sha256,
            size_bytes=manifest.model.size_bytes,
            runtime=_runtime(manifest.model.format),
            stated_top1=None if manifest.metrics is None else manifest.metrics.top1,
            load_ms=load_ms,
            first_ms=first_ms,
            empty_mb=empty_mb,
            steady_mb=steady_mb,
            peak_mb=peak_mb,
            times_ms=times_ms.round(6).tolist(),
        )
    )


def _answers(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    classifier, _, _ = _open(request, clock)
    class_ids: list[int | None] = []
    for picture in request.pictures:
        try:
            class_ids.append(int(classifier.logits(read_image(Path(picture), classifier.input)).argmax()))
        except SourceError:
            class_ids.append(None)  # the same for every model; the caller counts them
    yield {"class_ids": class_ids, "labels": list(classifier.output.labels)}


def _soak(request: Request, clock: Clock) -> Iterator[dict[str, Any]]:
    _, stages, _ = _open(request, clock)
    time_frames(stages, WARMUP_FRAMES, 0, clock)
    for sample in take_samples(stages, request.seconds, request.sample_s, clock, read_condition, read_memory_mb):
        yield asdict(sample)


def _open(request: Request, clock: Clock) -> tuple[Classifier, Stages, float]:
    start_s = clock()
    classifier = Classifier.open(Path(request.bundle), request.threads)
    load_ms = (clock() - start_s) * 1e3
    stages = floor_stages(classifier, request.threads) if request.floor else model_stages(classifier)
    return classifier, stages, load_ms


def _runtime(model_format: str) -> str:
    module = "onnxruntime" if model_format == "onnx" else load_runtime().__name__.split(".")[0]
    try:
        return f"{_PACKAGES[module]} {importlib.metadata.version(_PACKAGES[module])}"
    except importlib.metadata.PackageNotFoundError:  # built from source, or a nightly build under another name
        return _PACKAGES[module]


_TASKS = {"round": _round, "answers": _answers, "soak": _soak}

if __name__ == "__main__":
    sys.exit(main())
