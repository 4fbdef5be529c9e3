"""Worker processes: a file that kills its worker costs this one file."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_archive.batch import pool as pool_module
from trailcam_archive.batch.model_choice import ModelChoice
from trailcam_archive.batch.pool import WorkerPool
from trailcam_archive.batch.tasks import AnalysisSettings, Task
from trailcam_archive.rows.record import PictureRecord, record_from_json
from trailcam_core.errors import DeviceError

# A worker whose decoder aborts, hangs or ends at pictures of these names.
CODE = """
import os, time
from trailcam_archive.batch import analysis, worker
decode = analysis.decode_photograph
def fail(content, name, spec=None):
    if "abort" in name: os.abort()
    if "exit" in name: os._exit(3)
    if "hang" in name: time.sleep(60)
    return decode(content, name, spec)
analysis.decode_photograph = fail
worker.main()
"""


def collect(pool: WorkerPool, tasks: list[Task]) -> dict[str, PictureRecord]:
    found: dict[str, PictureRecord] = {}
    todo = list(tasks)
    deadline_s = time.monotonic() + 120
    while len(found) < len(tasks) and time.monotonic() < deadline_s:
        while todo and pool.wanted():
            pool.submit(todo.pop(0))
        found |= {Path(task.reference).name: record_from_json(record) for task, record in pool.wait(0.5)}
    assert pool.pending == 0
    return found


def wait_a_minute(pool: WorkerPool) -> None:
    for _ in range(60):
        pool.wait(1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "abort", "b", "exit", "c", "hang", "d"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 40, 3), 90, np.uint8))
    (tmp_path / "e.png").write_bytes(b"no picture")
    return tmp_path


def test_files_that_kill_their_worker_cost_themselves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "CODE", CODE)
    monkeypatch.setitem(pool_module._LONGEST_S, "photograph", 5.0)
    pool = WorkerPool(AnalysisSettings(), 2)
    try:
        found = collect(pool, [Task(str(path), "photograph") for path in sorted(folder.iterdir())])
    finally:
        pool.close()
    assert all(found[f"{name}.png"].answers for name in "abcd")
    assert "abort (SIGABRT)" in (found["abort.png"].error or "")
    assert "exit code 3" in (found["exit.png"].error or "")
    assert "hang for" in (found["hang.png"].error or "")
    assert "cannot be read as a picture" in (found["e.png"].error or "")


def test_a_pause_of_the_job_is_no_fault_of_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = [time.monotonic()]
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: clock_s[0])
    pool = WorkerPool(AnalysisSettings(), 1)
    try:
        task = Task(str(folder / "a.png"), "photograph")
        while not pool._workers[0].ready:
            pool.wait(0.2)
        pool.submit(task)
        pool._selector.select(60)  # the answer is there, and then the job is stopped for a night
        clock_s[0] += 40_000
        monkeypatch.setattr(pool._selector, "select", lambda timeout_s: [])
        assert pool.wait(0.2) == []
        monkeypatch.undo()
        ((_, record),) = pool.wait(60)
    finally:
        pool.close()
    assert record_from_json(record).answers


def test_a_model_that_does_not_open_is_an_error(tmp_path: Path) -> None:
    pool = WorkerPool(AnalysisSettings(ModelChoice(str(tmp_path / "no.bundle"))), 1)
    try:
        with pytest.raises(DeviceError, match="no such bundle"):
            wait_a_minute(pool)
    finally:
        pool.close()


def test_workers_that_die_at_their_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "CODE", "raise SystemExit('no module')")
    pool = WorkerPool(AnalysisSettings(), 1)
    try:
        with pytest.raises(DeviceError, match=r"cannot start.*no module"):
            wait_a_minute(pool)
    finally:
        pool.close()
