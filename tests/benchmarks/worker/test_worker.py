"""What one process does for a round, in the order in which memory can be told from it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trailcam_benchmarks.worker import worker
from trailcam_benchmarks.worker.benchmarked_model import open_bundle_model
from trailcam_benchmarks.worker.stages import Stages
from trailcam_benchmarks.worker.worker import Request
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE

REQUEST = Request("round", str(BUILTIN_BUNDLE), 1, frames=2)


def test_what_belongs_to_no_model_is_made_before_memory_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    opened = replace(open_bundle_model(BUILTIN_BUNDLE, 1, baseline=False), stages=Stages(*[lambda *_: None] * 4))

    def remember(name: str, answer: Any = None) -> Any:
        def step(*_: object) -> Any:
            done.append(name)
            return answer

        return step

    memory: Iterator[tuple[float, float]] = iter([(10.0, 99.0), (20.0, 30.0)])
    monkeypatch.setattr(worker, "_import", remember("libraries"))
    monkeypatch.setattr(worker, "camera_frame", remember("frame"))
    monkeypatch.setattr(worker, "reset_peak_memory", remember("reset"))
    monkeypatch.setattr(worker, "read_memory_mb", lambda: (done.append("memory"), next(memory))[1])
    monkeypatch.setattr(worker, "_open", remember("model", opened))
    ticks = iter(np.arange(10_000) / 1e3)
    (answer,) = worker._round(REQUEST, lambda: float(next(ticks)))
    assert done == ["libraries", "frame", "reset", "memory", "model", "memory"]
    assert (answer["empty_mb"], answer["steady_mb"], answer["peak_mb"]) == (10.0, 20.0, 30.0)
    assert answer["source_sha256"] == open_bundle(BUILTIN_BUNDLE).manifest.provenance["source_sha256"]
