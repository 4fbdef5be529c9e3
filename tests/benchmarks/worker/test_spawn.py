"""Real processes that answer, refuse, crash or hang."""

import errno
import sys
from pathlib import Path

import pytest

from trailcam_benchmarks.worker import spawn as processes
from trailcam_benchmarks.worker.soak import Sample
from trailcam_benchmarks.worker.spawn import WorkerError, request_one, run_worker
from trailcam_benchmarks.worker.worker import Request, Round
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_edge.sources import demo_pictures

REQUEST = Request("round", "some.bundle", 1)


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_the_built_in_bundle_is_measured_in_a_process_of_its_own() -> None:
    found = Round(**request_one(run_worker, Request("round", str(BUILTIN_BUNDLE), 1, frames=2)))
    assert found.name.startswith("animals10 ")
    assert found.runtime.startswith(("ai-edge-litert ", "tflite-runtime "))
    assert len(found.times_ms) == 2
    assert all(time > 0 for row in found.times_ms for time in row)
    if found.peak_mb is not None and found.steady_mb is not None and found.empty_mb is not None:
        assert found.peak_mb >= found.steady_mb > found.empty_mb > 0


def test_the_floor_and_the_soak_and_the_answers_come_from_the_same_program(tmp_path: Path) -> None:
    floor = Round(**request_one(run_worker, Request("round", str(BUILTIN_BUNDLE), 1, baseline=True, frames=2)))
    assert floor.times_ms[0][2] > 0
    soak = Request("soak", str(BUILTIN_BUNDLE), 1, seconds=0.2, sample_s=0.1)
    samples = [Sample(**answer) for answer in run_worker(soak)]
    assert samples
    assert samples[-1].at_s >= 0.2
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    pictures = (str(demo_pictures()[0]), str(tmp_path / "broken.jpg"))
    answers = request_one(run_worker, Request("predict", str(BUILTIN_BUNDLE), 1, pictures=pictures))
    assert answers["class_ids"][0] in range(10)
    assert answers["class_ids"][1] is None


def test_a_bundle_that_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(WorkerError, match="no such bundle"):
        request_one(run_worker, Request("round", "nowhere.bundle", 1, frames=1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory runs out"),
        ("raise SystemExit('no such operator')", "exit code 1: no such operator"),
        ("print('hello')", "'hello.*expected a reply"),
        ("print('[1]')", "expected a reply in JSON"),
        ("pass", "without a reply"),
    ],
)
def test_a_process_that_ends_badly_says_why(text: str, reason: str) -> None:
    with pytest.raises(WorkerError, match=reason):
        request_one(lambda request: run_worker(request, program(text)), REQUEST)


def test_a_process_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"could not be started: .*nowhere"):
        request_one(lambda request: run_worker(request, (str(tmp_path / "nowhere"),)), REQUEST)
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(processes.tempfile, "TemporaryFile", lambda: (_ for _ in ()).throw(full))
    with pytest.raises(WorkerError, match="No space left"):
        request_one(lambda request: run_worker(request, program("pass")), REQUEST)


def test_what_native_code_prints_does_not_come_between_the_answers() -> None:
    noisy = (
        "import os, sys; from trailcam_benchmarks.worker import worker\n"
        "def task(request, clock):\n    os.write(1, b'delegate created\\n')\n    yield {'done': True}\n"
        "worker._TASKS['round'] = task; sys.exit(worker.main())"
    )
    assert request_one(lambda request: run_worker(request, program(noisy)), REQUEST) == {"done": True}


def test_a_process_that_hangs_is_ended() -> None:
    with pytest.raises(WorkerError, match="no reply within"):
        request_one(lambda request: run_worker(request, program("import time; time.sleep(60)"), limit_s=0.3), REQUEST)
