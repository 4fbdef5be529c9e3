"""The pool of a cluster with a Ray that runs in this process and can lose actors."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from trailcam_archive.batch.pool import Result
from trailcam_archive.batch.tasks import ROWS_VERSION, AnalysisSettings, Task
from trailcam_archive.cluster import ray_pool
from trailcam_archive.cluster.ray_pool import RayPool
from trailcam_archive.rows.record import Answer, PictureRecord, record_from_json, record_to_json
from trailcam_core.errors import DeviceError

RECORD = PictureRecord((Answer("fox", 0.9, "label", 3.0),))
TEXT = record_to_json(RECORD)


class RayError(Exception):
    """As in Ray: an actor or node is lost."""


class RayTaskError(RayError):
    """As in Ray: a method raised."""

    cause: Exception | None = None


class _Method:
    def __init__(self, call: Callable[..., Any]) -> None:
        self.remote = lambda *words: _Reference(call, words)


class _Reference:
    def __init__(self, call: Callable[..., Any], words: tuple[Any, ...]) -> None:
        self.call, self.words = call, words


class FakeRay(ModuleType):
    """Ray as far as the pool uses it; ``analyse`` and ``version`` are what its actors do."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.cpus = 2
        self.started = 0
        self.ended = False
        self.version: Callable[[], int] = lambda: ROWS_VERSION
        self.analyse: Callable[[list[str]], list[str]] = lambda tasks: [TEXT] * len(tasks)

    def init(self, address: str, **options: object) -> None:
        if address == "nowhere":
            raise ConnectionError("no node there")
        if address == "older":
            raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.11.2")

    def put(self, value: object) -> object:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cpus)}

    def remote(self, kind: type) -> Any:
        return self

    def options(self, **options: object) -> Any:
        def start(*words: object) -> SimpleNamespace:
            self.started += 1
            return SimpleNamespace(
                version=_Method(lambda: self.version()),
                analyse=_Method(lambda tasks: self.analyse(tasks)),
                end=_Method(lambda: None),
            )

        return SimpleNamespace(remote=start)

    def wait(self, references: list[Any], num_returns: int, timeout: float, fetch_local: bool) -> tuple[list[Any], Any]:
        return references[:num_returns], []

    def get(self, reference: _Reference) -> Any:
        return reference.call(*reference.words)

    def kill(self, handle: object) -> None:
        return

    def shutdown(self) -> None:
        self.ended = True


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def run_all(pool: RayPool, tasks: list[Task]) -> list[Result]:
    todo, found = list(tasks), []
    for _ in range(200):
        while todo and pool.wanted():
            pool.submit(todo.pop(0))
        found += pool.wait(0)
        if not todo and not pool.pending:
            break
    pool.close()
    return found


def tasks(count: int) -> list[Task]:
    return [Task(f"/card/{number}.jpg", "photograph") for number in range(count)]


def test_every_task_is_answered_once(ray: FakeRay) -> None:
    todo = tasks(37)
    found = run_all(RayPool(AnalysisSettings(), "auto"), todo)
    assert sorted(id(task) for task, _ in found) == sorted(id(task) for task in todo)
    assert all(record == TEXT for _, record in found)
    assert (ray.started, ray.ended) == (2, True)


@pytest.mark.parametrize(("actors", "in_work"), [(1, 16), (3, 48), (6, 48), (20, 160)])
def test_few_actors_have_few_files_in_work(actors: int, in_work: int, ray: FakeRay) -> None:
    assert RayPool(AnalysisSettings(), "auto", count=actors).wanted() == in_work


def test_tasks_of_a_lost_actor_go_to_others(ray: FakeRay) -> None:
    calls = []

    def lose_some(texts: list[str]) -> list[str]:
        calls.append(texts)
        if len(calls) in (2, 5):
            raise RayError("the node died")
        return [TEXT] * len(texts)

    ray.analyse = lose_some
    todo = tasks(40)
    found = run_all(RayPool(AnalysisSettings(), "auto"), todo)
    assert sorted(id(task) for task, _ in found) == sorted(id(task) for task in todo)
    assert all(record == TEXT for _, record in found)
    assert ray.started == 4


def test_a_file_with_which_actors_are_lost_again_and_again_is_given_up(ray: FakeRay) -> None:
    def lose_one(texts: list[str]) -> list[str]:
        if any("/3.jpg" in text for text in texts):
            raise RayError("the node died")
        return [TEXT] * len(texts)

    ray.analyse = lose_one
    found = run_all(RayPool(AnalysisSettings(), "auto"), tasks(8))
    errors = {task.reference: record_from_json(record).error for task, record in found if record != TEXT}
    assert "3 workers were lost" in (errors["/card/3.jpg"] or "")
    assert len(found) == 8


@pytest.mark.parametrize("fault", ["version", "start", "model", "nowhere", "older", "missing"])
def test_a_cluster_that_cannot_work_is_an_error(fault: str, ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose() -> int:
        raise RayError("x\nModuleNotFoundError: No module named 'trailcam_archive'")

    def fail(texts: list[str]) -> list[str]:
        raise RayTaskError("the model gives NaN")

    expected = {
        "version": "Install the same version",
        "start": "No module named 'trailcam_archive'",
        "model": "gives NaN",
        "nowhere": "no Ray cluster can be used",
        "older": r"cluster was started with: Ray: 2\.9\.0 Python: 3\.11\.2.*the same versions",
        "missing": "needs Ray",
    }
    if fault == "version":
        ray.version = lambda: ROWS_VERSION + 1
    if fault == "start":
        ray.version = lose
    if fault == "model":
        ray.analyse = fail
    if fault == "missing":
        monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DeviceError, match=expected[fault]):
        run_all(RayPool(AnalysisSettings(), fault if fault in ("nowhere", "older") else "auto"), tasks(4))


def test_an_address_at_which_nothing_answers_is_refused_at_once(ray: FakeRay) -> None:
    with pytest.raises(DeviceError, match=r"127.0.0.1:9: no Ray cluster can be used there .*refused"):
        RayPool(AnalysisSettings(), "127.0.0.1:9")


def test_a_cluster_without_a_free_core_is_reported(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ray, "wait", lambda *words, **options: ([], []))
    monkeypatch.setattr(ray_pool, "_START_S", 0.0)
    pool = RayPool(AnalysisSettings(), "auto")
    pool.submit(tasks(1)[0])
    assert pool.wait(0) == []
    assert "no free core" in caplog.text
    pool.close()
