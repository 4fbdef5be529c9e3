"""Kill ``trailcam update`` in every state of an update, and again while it recovers, and look what the device runs.

``python kill_run.py FOLDER [POINTS]`` prints one JSON object. An update from a signed repository, the camera that
watches it, and a roll-back run as processes of their own, with the real command and a real self-test. Each kills itself
with SIGKILL when it enters or leaves a step of the update, counted over the whole run: once alone, and followed by
another kill of the same command in a step of the recovery. With POINTS, so many random pairs, and a self-test without a
child process, which is quicker. Nothing of the product is replaced: the interpreter tells when a step is entered.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from device_under_test import Operator, fresh, make_bundles, replay

import trailcam_edge.update.fetch.fetch_release  # noqa: F401 - here and not in each child
from trailcam.commands import update as command
from trailcam.main import main
from trailcam_core.bundle.folder import open_bundle
from trailcam_edge.update.install.journal import BUILTIN, Journal
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

STEPS = {  # what the interpreter calls them, and the state of an update that they belong to
    "fetch_release": "fetch",
    "_checked_floor": "fetch",
    "write_floor": "fetch",
    "ResumingFetcher._resume": "fetch",
    "_write_flushed": "fetch",
    "_download": "fetch",
    "_read_bundle": "verify",
    "open_bundle": "verify",
    "Slots.remove": "stage",
    "Slots.stage": "stage",
    "_copy": "stage",
    "run_self_test": "self_test",
    "Popen.communicate": "self_test",
    "Slots.point_to": "activate",
    "Updater.start": "watch",
    "Updater.observe": "watch",
    "after_commit": "commit",
    "after_roll_back": "roll_back",
    "operator_rollback": "roll_back",
    "write_journal": "",  # that of the journal
}
RULE = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=5)  # two that are killed, a look, and those that go well
VERSIONS = ("2.0.0", "4.0.0")
Job = Callable[[], object]


class Killer:
    """Counts the steps that are entered and left, and ends the process at one of them; says in which state."""

    def __init__(self, at: int, line: int) -> None:
        self._at = at
        self._line = line
        self.steps = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Take what ``sys.setprofile`` tells."""
        state = STEPS.get(frame.f_code.co_qualname)
        if state is None or event not in ("call", "return"):
            return
        self.steps += 1
        if self.steps == self._at:
            os.write(self._line, (state or frame.f_locals["journal"].state).encode())
            os.kill(os.getpid(), signal.SIGKILL)


def in_child(job: Job, at: int = 0) -> tuple[str | None, int]:
    """Run a job in a process that kills itself at that step; return in which state it was killed, and its steps."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            killer = Killer(at, writer)
            sys.setprofile(killer)
            job()
            sys.setprofile(None)
            os.write(writer, str(killer.steps).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"ended with {status}, see its traceback"
    return (answer, at) if status else (None, int(answer))


class Device:
    """A camera with a stick in it: commands as a person types them, and a watch that needs no camera."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self.words = ["update", str(repository), "--channel", "tiny", "--folder", str(folder)]
        self.words += ["--max-latency-ms", "60000", "--max-memory-mb", "10000"]

    def updater(self) -> Updater:
        return Updater(replace(RULE, folder=self.folder))

    def update(self) -> None:
        assert main(self.words) == 0

    def watch(self) -> None:
        updater = self.updater()
        updater.observe(RULE.healthy_s, RULE.healthy_s, updater.start())

    def roll_back(self) -> None:
        main(["update", "--folder", str(self.folder), "--roll-back", "by hand"])

    def journal(self) -> Journal:
        return self.updater().status()

    def version(self) -> str:
        running = self.journal().running
        return BUILTIN if running == BUILTIN else open_bundle(self.folder / "slots" / running).manifest.version


def recover(device: Device, job: str, before: str, after: str) -> str:
    """Assert what must hold after a kill, and that the job can be done then; return what the device started with."""
    started = device.updater().start()
    assert replay(started) is None
    assert (device.folder / "current").resolve() == started.resolve()
    assert device.version() in (before, after)
    found = open_bundle(started).manifest.version
    if job == "roll-back":
        if device.version() == before:
            device.roll_back()
    else:
        in_child(device.update)  # also after the watch: nothing is new then
        device.watch()
    assert device.version() == after, device.journal()
    assert replay(device.updater().start()) is None
    assert device.journal().state == "idle"
    return found


def prepare(base: Path) -> dict[str, tuple[Device, Job, str, str]]:
    """Make a repository and, for each job, a device that is ready for it; give its versions before and after."""
    bundles = base / "bundles"
    make_bundles(bundles)
    operator = Operator(base)
    device = Device(base / "device", operator.repository)
    device.folder.mkdir()
    (device.folder / "root.json").write_bytes(operator.root)
    operator.release(bundles / VERSIONS[0])
    in_child(device.update)
    device.watch()
    operator.release(bundles / VERSIONS[1])
    jobs: dict[str, tuple[Device, Job, str, str]] = {}
    for name, job, after in (
        ("update", device.update, VERSIONS[1]),
        ("watch", device.watch, VERSIONS[1]),
        ("roll-back", device.roll_back, VERSIONS[0]),
    ):
        shutil.copytree(device.folder, base / name, symlinks=True)
        jobs[name] = (device, job, device.version(), after)
        in_child(job)
    return jobs


def rehearse(base: Path, points: int | None) -> dict[str, Any]:
    """Kill, kill again, recover and look; return what happened."""
    if points is not None:
        command.run_self_test = lambda bundle, settings: replay(bundle)
    base.mkdir(parents=True)
    chance = random.Random(0)
    jobs = prepare(base)
    plan: list[tuple[str, int, int]] = []
    for name, (device, job, _, _) in jobs.items():
        fresh(base / name, device.folder)
        _, steps = in_child(job)
        plan += [(name, at, again) for at in range(1, steps + 1) for again in (0, chance.randint(1, steps))]
    total = len(plan)
    if points is not None:
        plan = chance.sample(plan, points)
    killed: Counter[str] = Counter()
    started: Counter[str] = Counter()
    twice = 0
    for number, (name, at, again) in enumerate(plan):
        if number % 20 == 0:
            print(f"{number} of {len(plan)} kills", file=sys.stderr)
        device, job, before, after = jobs[name]
        fresh(base / name, device.folder)
        try:
            state, _ = in_child(job, at)
            assert state is not None, f"step {at} was not reached"
            killed[f"{name}, in {state}"] += 1
            if again:  # a person looks at the status before rolling back a second time; the camera just starts
                twice += in_child(device.watch if name == "roll-back" else job, again)[0] is not None
            started[recover(device, name, before, after)] += 1
        except BaseException:
            print(f"{name}: killed at step {at}, then {again}; {device.folder}", file=sys.stderr)
            raise
    return {
        "plans": total,
        "kills": dict(sorted(killed.items())),
        "killed_again": twice,
        "started_with": dict(sorted(started.items())),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", type=int, nargs="?")
    arguments = parser.parse_args()
    start = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):  # what the command says is not the result
        result = rehearse(arguments.folder.absolute(), arguments.points)
    print(json.dumps(result | {"seconds": time.monotonic() - start}))
