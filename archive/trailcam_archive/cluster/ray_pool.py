"""A pool whose workers are actors on the nodes of a Ray cluster.

Actors, and not Ray Data: the driver knows the files in work, so each goes into the journal once, also when a node is
lost. docs/adr/0015-archives.md has the comparison.
"""

import logging
import signal
import socket
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from trailcam_archive.batch.pool import Result
from trailcam_archive.batch.references import shown
from trailcam_archive.batch.tasks import ROWS_VERSION, AnalysisSettings, Task
from trailcam_archive.cluster.ray_actor import ArchiveActor
from trailcam_archive.rows.record import failed, record_to_json
from trailcam_core.errors import DeviceError
from trailcam_core.errors.install_command import install_command
from trailcam_core.network.secrets import mask_address

_log = logging.getLogger(__name__)
# Files of one call, which costs 1 to 3 ms of processor time in Ray. A driver that is killed loses the files in work, so
# calls are short while that keeps them, and the rows that the journal has not committed, below 64.
_LEAST_CHUNK, _MOST_CHUNK = 4, 8
_FEW_IN_WORK = 48
_AHEAD = 2  # calls per actor: the one in work, and the next
_MOST_DEATHS = 3  # of actors: before the first is ready, and with the same file in work
_CONNECT_S = 10.0
_END_S = 5.0  # for actors to remove their copies of the model
_START_S = 120.0  # for the first worker; then a warning
_RESIZE_S = 20.0  # between two measurements of the size of the cluster


@dataclass
class _Actor:
    handle: Any
    ready: Any  # reference to its version
    calls: dict[Any, list[Task]] = field(default_factory=dict)  # tasks by reference

    @property
    def references(self) -> list[Any]:
        """What the actor will answer."""
        return [*self.calls, *([] if self.ready is None else [self.ready])]


class RayPool:
    """Actors of one core each; as many as the cluster has cores, also when nodes join it.

    Args:
        settings: of the analysis.
        address: of the cluster, "auto" for the one of this machine.
        count: of actors, by default the cores of the cluster.

    Raises:
        DeviceError: Ray is not installed, there is no such cluster, or it has another version.
    """

    def __init__(self, settings: AnalysisSettings, address: str, count: int | None = None) -> None:
        self._ray = _connect(address)
        self._settings = settings.to_json()
        self._files = self._ray.put({name: path.read_bytes() for name, path in settings.model.files().items()})
        self._class = self._ray.remote(ArchiveActor).options(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        self._fixed_count = count
        self._actors: list[_Actor] = []
        self._waiting: deque[Task] = deque()
        self._finished: list[Result] = []
        self._deaths: Counter[int] = Counter()  # of actors that had a task in work, by its identity
        self._early_deaths = 0
        self._resize_due_s = 0.0
        self._warn_due_s = time.monotonic() + _START_S
        self._resize()

    @property
    def pending(self) -> int:
        """Tasks that were submitted and are not returned yet."""
        in_work = sum(len(tasks) for actor in self._actors for tasks in actor.calls.values())
        return len(self._waiting) + len(self._finished) + in_work

    def wanted(self) -> int:
        """Return how many more tasks keep every actor busy."""
        return max(0, self._chunk() * _AHEAD * max(1, len(self._actors)) - self.pending)

    def _chunk(self) -> int:
        """Return the number of files of one call."""
        fitting = _FEW_IN_WORK // (_AHEAD * max(1, len(self._actors)))
        return max(_LEAST_CHUNK, min(_MOST_CHUNK, fitting))

    def submit(self, task: Task) -> None:
        """Take a task; it is sent with the next call."""
        self._waiting.append(task)

    def wait(self, timeout_s: float) -> list[Result]:
        """Return finished tasks; see ``Pool``.

        Raises:
            DeviceError: no actor can start, or the model fails.
        """
        self._resize()
        self._warn_if_idle()
        self._send()
        references = [reference for actor in self._actors for reference in actor.references]
        if references:
            done, _ = self._ray.wait(references, num_returns=1, timeout=timeout_s, fetch_local=True)
            if done:
                done, _ = self._ray.wait(references, num_returns=len(references), timeout=0, fetch_local=True)
            for reference in done:
                self._take(reference)
        self._send()
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        """End the actors and leave the cluster; an actor that is busy is killed after some seconds."""
        endings = [actor.handle.end.remote() for actor in self._actors if actor.ready is None]
        if endings:
            self._ray.wait(endings, num_returns=len(endings), timeout=_END_S, fetch_local=False)
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()
        self._ray.shutdown()

    def _resize(self) -> None:
        """Start actors where the cluster has more cores than actors."""
        now_s = time.monotonic()
        if now_s < self._resize_due_s:
            return
        self._resize_due_s = now_s + _RESIZE_S
        count = self._fixed_count or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        while len(self._actors) < count:
            self._start()

    def _warn_if_idle(self) -> None:
        """Report that the cluster gives no core: its other jobs may have them all."""
        now_s = time.monotonic()
        if any(actor.ready is None for actor in self._actors):
            self._warn_due_s = now_s + _START_S
        elif now_s >= self._warn_due_s:
            self._warn_due_s = now_s + _START_S
            _log.warning("No worker has started on the cluster: it has no free core, or its nodes are busy.")

    def _start(self) -> None:
        handle = self._class.remote(self._settings, self._files)
        self._actors.append(_Actor(handle, handle.version.remote()))

    def _send(self) -> None:
        """Fill the actors evenly: each gets a second call only when all have a first one."""
        chunk = self._chunk()
        for calls in range(_AHEAD):
            for actor in self._actors:
                if not self._waiting:
                    return
                if actor.ready is None and len(actor.calls) == calls:
                    tasks = [self._waiting.popleft() for _ in range(min(chunk, len(self._waiting)))]
                    actor.calls[actor.handle.analyse.remote([task.to_json() for task in tasks])] = tasks

    def _take(self, reference: Any) -> None:
        """Take the answer of one call; an actor that is lost gives its tasks to the others."""
        actor = next((actor for actor in self._actors if reference in actor.references), None)
        if actor is None:  # it was lost with another call
            return
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise DeviceError(f"a worker of the cluster fails: {_first_line(error.cause or error)}") from error
        except self._ray.exceptions.RayError as error:
            self._lose(actor, error)
            return
        if reference in actor.calls:
            self._finished += zip(actor.calls.pop(reference), answer, strict=True)
            return
        if answer != ROWS_VERSION:
            raise DeviceError(
                f"a node of the cluster makes rows of version {answer}, this machine {ROWS_VERSION}. Install the same "
                "version of Trailcam on all of them."
            )
        actor.ready = None
        self._early_deaths = 0

    def _lose(self, actor: _Actor, error: Exception) -> None:
        self._actors.remove(actor)
        if actor.ready is not None:
            self._early_deaths += 1
            if self._early_deaths >= _MOST_DEATHS:
                raise DeviceError(
                    f"no worker starts on the cluster: {_first_line(error)}. Install Trailcam on every node."
                )
        tasks = [task for tasks in actor.calls.values() for task in tasks]
        _log.warning("A worker of the cluster is lost; its %d files go to others.", len(tasks))
        for task in reversed(tasks):
            self._deaths[id(task)] += 1
            if self._deaths[id(task)] >= _MOST_DEATHS:
                message = f"{shown(task.reference)}: {_MOST_DEATHS} workers were lost with this file."
                self._finished.append((task, record_to_json(failed(message))))
            else:
                self._waiting.appendleft(task)
        self._resize_due_s = 0.0


def _connect(address: str) -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DeviceError(f"--ray needs Ray: {install_command('cluster')}") from error
    former = signal.getsignal(signal.SIGTERM)
    try:
        _check_reachable(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise DeviceError(
            f"{mask_address(address)}: no Ray cluster can be used there ({_first_line(error)}). Start one with "
            '"ray start --head", with the same versions of Ray and Python on every machine.'
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, former)  # Ray has put its own in place, which exits at once
    return ray


def _check_reachable(address: str) -> None:
    """Connect once: Ray waits for minutes for a head node that is not there.

    Raises:
        OSError: nothing answers at the address.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Error" in line]
    if lines and lines[0].endswith(":"):  # as "Version mismatch: The cluster was started with:", and a list
        return " ".join(lines).rstrip(".")[:300]
    return (causes or lines or [type(error).__name__])[-1 if causes else 0].rstrip(".")[:300]
