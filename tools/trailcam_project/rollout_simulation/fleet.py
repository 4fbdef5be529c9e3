"""Contacts of many cameras with one host, one after the other; the same seed gives the same fleet."""

import heapq
import random
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from trailcam_core.release.index import ReleaseIndex
from trailcam_core.release.rollout import choose
from trailcam_project.rollout_simulation.contacts import Costs


@dataclass(frozen=True)
class Fleet:
    """Contacts of the cameras: each at a fixed time of the week, some weeks none, and links that break.

    A fraction ``cut`` of the links breaks at a random byte; complete files are kept.
    """

    cameras: int = 1000
    every_days: float = 7.0
    no_contact: float = 0.05
    cut: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class RolloutStep:
    """The releases that the host offers from a day on."""

    day: float
    index: ReleaseIndex


@dataclass
class SimulationResult:
    """Requests and bytes by hour, and the changes of versions on cameras (day, camera, version)."""

    requests: Counter[int] = field(default_factory=Counter)
    sent_bytes: Counter[int] = field(default_factory=Counter)
    changes: list[tuple[float, int, str]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def days_until(self, version: str, count: int) -> float | None:
        """Return the day on which ``count`` cameras had installed a version."""
        days = [day for day, _, taken in self.changes if taken == version]
        return days[count - 1] if 0 < count <= len(days) else None


@dataclass
class _Camera:
    name: str
    runs: str
    previous: str = ""
    seen: int = 0  # the index' number
    fetched: int = 0  # files of the release that it is on its way to
    wanted: str = ""


def simulate(fleet: Fleet, costs: Costs, steps: list[RolloutStep], days: float, runs: str) -> SimulationResult:
    """Simulate the contacts of cameras that all run a version and have seen the first step, for ``days``."""
    chance = random.Random(fleet.seed)  # noqa: S311
    cameras = [_Camera(f"cam-{number:04}", runs, seen=steps[0].index.number) for number in range(fleet.cameras)]
    queue = [(chance.uniform(0, fleet.every_days), number) for number in range(fleet.cameras)]
    heapq.heapify(queue)
    outcome = SimulationResult()
    while queue and queue[0][0] < days:
        day, number = heapq.heappop(queue)
        heapq.heappush(queue, (day + fleet.every_days, number))
        if chance.random() < fleet.no_contact:
            continue
        index = steps[bisect_right([step.day for step in steps], day) - 1].index
        camera = cameras[number]
        before = camera.runs
        share = chance.random() if chance.random() < fleet.cut else 1.0
        requests, sent = _contact(camera, index, costs, share)
        outcome.requests[int(day * 24)] += requests
        outcome.sent_bytes[int(day * 24)] += sent
        if camera.runs != before:
            outcome.changes.append((day, number, camera.runs))
    outcome.runs = [camera.runs for camera in cameras]
    return outcome


def _contact(camera: _Camera, index: ReleaseIndex, costs: Costs, share: float) -> tuple[int, int]:
    """Apply a contact of which a fraction of the bytes arrives to a camera; return requests and bytes."""
    offered = {offer.version for offer in index.offers}
    wanted = choose(index, camera.name, {camera.runs} & offered).version or camera.runs
    if wanted != camera.wanted:
        camera.wanted, camera.fetched = wanted, 0
    metadata = costs.unchanged if camera.seen == index.number else costs.changed
    release: tuple[int, ...] = ()
    if wanted != camera.runs:
        release = (costs.back if wanted == camera.previous else costs.delta)[camera.fetched :]
    left = share * sum(metadata + release)
    sent = requests = 0
    for position, size in enumerate(metadata + release):
        requests += 1
        if share < 1 and size > left:
            return requests, sent + int(left)
        left -= size
        sent += size
        if position == len(metadata) - 1:
            camera.seen = index.number
        camera.fetched += position >= len(metadata)
    if wanted != camera.runs:
        camera.previous, camera.runs, camera.fetched = camera.runs, wanted, 0
    return requests, sent
