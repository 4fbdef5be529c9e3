"""Rounds without a process, a model or a clock, for the tests of the benchmarks."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from trailcam_benchmarks.worker.spawn import WorkerError
from trailcam_benchmarks.worker.worker import Request, Round

Behaviour = Callable[[Request, int], Round]


def _make_round(
    ms: float = 20.0, scheme: str = "int8", name: str = "tiny 1.0.0", frames: int = 4, **changes: Any
) -> Round:
    fields: dict[str, Any] = {
        "name": name,
        "scheme": scheme,
        "sha256": "0" * 64,
        "size_bytes": 1_000_000,
        "runtime": "ai-edge-litert 2.1.0",
        "stated_top1": 0.9,
        "load_ms": 5.0,
        "first_ms": 2 * ms,
        "empty_mb": 40.0,
        "steady_mb": 50.0,
        "peak_mb": 60.0,
        "times_ms": [[2.0, 1.0, ms - 2 + 0.01 * frame, 1.0] for frame in range(frames)],
    }
    return Round(**(fields | changes))


class FakeRuns:
    """Stands for the processes: answers by bundle name, remembers what was asked, fails when told."""

    def __init__(
        self, schemes: dict[str, tuple[str, float]], machine_factor: Callable[[int], float] = lambda _: 1.0
    ) -> None:
        self.asked: list[Request] = []
        self.fail_after: dict[str, int] = {}  # bundle -> rounds that still work
        self.interrupt_at: int | None = None
        self.answers: dict[str, list[int | None]] = {}
        self.samples: list[dict[str, Any]] = []
        self._schemes = schemes
        self._factor = machine_factor

    def __call__(self, request: Request) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        if self.interrupt_at is not None and len(self.asked) > self.interrupt_at:
            raise KeyboardInterrupt
        if request.task == "predict":
            yield {"class_ids": self.answers[request.bundle], "labels": ["fox", "hare"]}
            return
        if request.task == "soak":
            yield from self.samples
            if self.interrupt_at is not None:
                raise KeyboardInterrupt
            return
        left = self.fail_after.get(request.bundle)
        if left is not None:
            if left <= 0:
                raise WorkerError("the process was ended by SIGABRT")
            self.fail_after[request.bundle] = left - 1
        scheme, ms = self._schemes[request.bundle]
        ms = (ms * (0.8 if request.baseline else 1.0)) * self._factor(len(self.asked))
        yield asdict(_make_round(ms, scheme, frames=request.frames))


@pytest.fixture
def make_round() -> Callable[..., Round]:
    """Makes a round of given milliseconds."""
    return _make_round


@pytest.fixture
def fake_runs() -> type[FakeRuns]:
    """The class of fake processes; it takes the scheme and the milliseconds of every bundle."""
    return FakeRuns
