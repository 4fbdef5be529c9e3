"""Rows of the result from the rounds of every variant: figures, ratios within the run, accuracy, agreement."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from trailcam_benchmarks.results.ratios import find_original, with_ratios
from trailcam_benchmarks.results.schema import Accuracy, Latency, Memory, Row
from trailcam_benchmarks.statistics import p90_interval, quantile
from trailcam_benchmarks.worker.stages import STAGES, latencies
from trailcam_benchmarks.worker.worker import Round
from trailcam_core.statistics.wilson import wilson_interval

Key = tuple[Path, str]  # bundle and runtime
Predictions = dict[Key, list[str | None]]  # a label per picture, None for an unreadable picture


@dataclass(frozen=True)
class Picture:
    """A picture file and the label it should get."""

    path: Path
    label: str


@dataclass
class BenchmarkVariant:
    """A bundle with a number of threads, or its baseline: the rounds so far, and the reason if there are no more.

    ``runtime`` is empty for the installed interpreter, else a value of ``RUNTIMES``.
    """

    bundle: Path
    threads: int
    baseline: bool
    runtime: str = ""
    rounds: list[Round] = field(default_factory=list)
    reason: str = ""

    @property
    def key(self) -> Key:
        """Return bundle and runtime, on which its predictions depend."""
        return self.bundle, self.runtime


def make_rows(
    variants: Sequence[BenchmarkVariant], rounds_wanted: int, pictures: Sequence[Picture], predictions: Predictions
) -> tuple[Row, ...]:
    """Return a row for every variant, in their order."""
    rows = with_ratios([_figures(variant, rounds_wanted) for variant in variants])
    whole = []
    for variant, row in zip(variants, rows, strict=True):
        own = None if variant.baseline else predictions.get(variant.key)
        if own is not None:
            number = find_original(row, rows)
            original = None if number is None else predictions.get(variants[number].key)
            accuracy = _accuracy(pictures, own, original)
            if number is not None and original is not None:
                accuracy = replace(accuracy, agreement_with=rows[number].reference)
            row = replace(row, accuracy=accuracy)
        whole.append(row)
    return tuple(whole)


def _figures(variant: BenchmarkVariant, rounds_wanted: int) -> Row:
    kind = "floor" if variant.baseline else "model"
    if not variant.rounds:
        return Row(str(variant.bundle), kind, variant.threads, "failed", variant.reason, runtime_wanted=variant.runtime)
    first = variant.rounds[0]
    times = [np.array(found.times_ms, np.float64) for found in variant.rounds]  # (n, 4) each
    every = np.concatenate(times)
    return Row(
        bundle=str(variant.bundle),
        kind=kind,
        threads=variant.threads,
        state="measured" if len(variant.rounds) == rounds_wanted else "partial",
        reason=variant.reason,
        runtime_wanted=variant.runtime,
        name=first.name,
        scheme=first.scheme,
        runtime=first.runtime,
        sha256=first.sha256,
        size_bytes=first.size_bytes,
        source_sha256=first.source_sha256,
        stated_top1=first.stated_top1,
        load_ms=None if variant.baseline else statistics.median(found.load_ms for found in variant.rounds),
        first_ms=statistics.median(found.first_ms for found in variant.rounds),
        latency=_latency([latencies(found) for found in times]),
        stages_ms=None
        if variant.baseline
        else {name: float(np.median(every[:, column])) for column, name in enumerate(STAGES)},
        rate_hz=None if variant.baseline else len(every) / float(every.sum()) * 1e3,
        memory=None if variant.baseline else _memory(variant.rounds),
    )


def _latency(rounds: Sequence[np.ndarray]) -> Latency:
    every = np.concatenate(rounds)
    interval = p90_interval(rounds)
    return Latency(
        frames=len(every),
        p50_ms=quantile(every, 0.5),
        p90_ms=quantile(every, 0.9),
        p90_low_ms=interval.low,
        p90_high_ms=interval.high,
        p99_ms=quantile(every, 0.99),
        worst_ms=float(every.max()),
        percentiles_ms=tuple(quantile(every, percent / 100) for percent in range(101)),
        round_p50_ms=tuple(quantile(found, 0.5) for found in rounds),
        round_p90_ms=tuple(quantile(found, 0.9) for found in rounds),
    )


def _memory(rounds: Sequence[Round]) -> Memory | None:
    found = [(r.empty_mb, r.steady_mb, r.peak_mb) for r in rounds]
    known = [(e, s, p) for e, s, p in found if e is not None and s is not None and p is not None]
    if not known:
        return None
    empty, steady, peak = zip(*known, strict=True)
    return Memory(statistics.median(empty), statistics.median(steady), max(peak))


def _accuracy(pictures: Sequence[Picture], own: list[str | None], original: list[str | None] | None) -> Accuracy:
    read = [(answer, picture.label) for answer, picture in zip(own, pictures, strict=True) if answer is not None]
    right = sum(answer == label for answer, label in read)
    low, high = wilson_interval(right, len(read))
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    if original is not None:
        pairs = [(a, b) for a, b in zip(own, original, strict=True) if a is not None and b is not None]
        same = sum(a == b for a, b in pairs)
        agreement = same / len(pairs) if pairs else None
        agreement_low, agreement_high = wilson_interval(same, len(pairs))
    return Accuracy(
        n=len(read),
        unreadable=len(pictures) - len(read),
        top1=right / len(read) if read else 0.0,
        top1_low=low,
        top1_high=high,
        agreement=agreement,
        agreement_low=agreement_low,
        agreement_high=agreement_high,
    )
