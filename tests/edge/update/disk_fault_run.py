"""Let every write, flush, rename, opening and deletion of an update fail, one at a time, and look what is left.

Run under ``LD_PRELOAD=disk_fault.so`` (see ``disk_fault.c``); ``python disk_fault_run.py FOLDER [POINTS]`` prints one
JSON object. For each scenario, each of ENOSPC, EROFS and EIO is given at each call, once alone and once from there on;
with POINTS, so many random ones of them. What must hold after each:

    There was one error of a family that the command line turns into one sentence, or none and the work was done.
    The running bundle is the one of before, or the one of afterwards where the work had been done by then, and whole.
    While the disk fails there is a whole bundle to run, and later the device starts with one that reproduces its golden
    vectors.
    The same thing done again, on a disk that works, succeeds.
"""

import argparse
import contextlib
import ctypes
import errno
import json
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from device_under_test import LATEST, Operator, fresh, make_bundles, replay
from device_under_test import device as make_device

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import TrailcamError, UpdateError
from trailcam_edge.update.fetch.fetch_release import fetch_release
from trailcam_edge.update.install.journal import BUILTIN
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings

NEXT = "5.0.0"
CODES = {"ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS, "EIO": errno.EIO}
RULE = UpdateSettings(healthy_s=60, give_up_s=300, most_starts=5)  # those of the work, of a look and of a second try
_SHIM = ctypes.CDLL(None)
_SHIM.arm_fault.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
_SHIM.faults_counted.restype = ctypes.c_long
_FAILED = 3  # exit status of a child whose work was refused with a clear error


@dataclass(frozen=True)
class Scenario:
    """What a device was before, what it does, and which version runs afterwards."""

    before: Callable[[Updater, Path], None]
    does: Callable[[Updater, Path], None]
    runs_before: str
    runs_after: str


def device(folder: Path, bundles: Path) -> Updater:
    """Return the updater of a device whose built-in bundle is 1.0.0."""
    return make_device(folder, bundles, RULE)


def committed(updater: Updater, bundles: Path, version: str) -> None:
    """Bring a version all the way."""
    updater.install(bundles / version)
    watched(updater)


def watched(updater: Updater) -> None:
    """Start the camera with what is active and be well for long enough."""
    started = updater.start()
    updater.observe(RULE.healthy_s, RULE.healthy_s, started)


def settled(updater: Updater, bundles: Path) -> None:
    """Two updates lie behind it."""
    committed(updater, bundles, "2.0.0")
    committed(updater, bundles, "4.0.0")


def trying(updater: Updater, bundles: Path) -> None:
    """A third is active and has not been started."""
    settled(updater, bundles)
    updater.install(bundles / NEXT)


def given_up(updater: Updater, bundles: Path) -> None:
    """A third was started as often as is allowed."""
    trying(updater, bundles)
    for _ in range(RULE.most_starts):
        updater.start()


def without_health(updater: Updater, _: Path) -> None:
    """Start and never get healthy."""
    updater.observe(0, RULE.give_up_s, updater.start())


def fetched(updater: Updater, bundles: Path) -> None:
    """Fetch the newest release from the stick, and install it."""
    base = bundles.parent
    root = (base / "release" / "metadata" / "1.root.json").read_bytes()
    _, path = fetch_release(str(base / "release"), base / "device", root, "tiny", lambda: datetime.now(UTC))
    assert path is not None
    if not updater.installed(path):
        updater.install(path)


SCENARIOS = {
    "fetch": Scenario(settled, fetched, "4.0.0", "4.0.0"),
    "install": Scenario(settled, lambda updater, bundles: updater.install(bundles / NEXT) and None, "4.0.0", "4.0.0"),
    "commit": Scenario(trying, lambda updater, _: watched(updater), "4.0.0", NEXT),
    "roll-back by the watch": Scenario(trying, without_health, "4.0.0", "4.0.0"),
    "roll-back by starts": Scenario(given_up, lambda updater, _: updater.start() and None, "4.0.0", "4.0.0"),
    "roll-back by hand": Scenario(settled, lambda updater, _: updater.roll_back("x") and None, "4.0.0", "2.0.0"),
}


def in_child(folder: Path, bundles: Path, scenario: Scenario, fault: tuple[int, int, bool]) -> tuple[bool, str, int]:
    """Do it in a child whose disk fails there; return whether it was refused, how, and how many calls there were."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            updater = device(folder, bundles)
            at, code, lasts = fault
            _SHIM.arm_fault(str(folder).encode(), at, code, int(lasts))
            try:
                scenario.does(updater, bundles)
                said, status = "", 0
            except (TrailcamError, OSError) as error:
                open_bundle(updater.safe_bundle())  # what a camera runs whose disk goes on failing
                said, status = f"{type(error).__name__}: {error}", _FAILED
            counted = _SHIM.faults_counted()
            _SHIM.arm_fault(b"", 0, 0, 0)
            os.write(writer, json.dumps([said, counted]).encode())
        except BaseException:
            _SHIM.arm_fault(b"", 0, 0, 0)
            traceback.print_exc()
            status = 1
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, _FAILED), f"ended with {status}: no clear error, see its traceback"
    said, counted = json.loads(answer)
    return status == _FAILED, said, counted


def look(folder: Path, bundles: Path, scenario: Scenario, refused: bool, said: str) -> None:
    """Assert what must hold, on a disk that works again, and that the work can be done then."""
    if refused:
        assert "\n" not in said, said
    updater = device(folder, bundles)
    journal = updater.status()
    runs = [scenario.runs_before, scenario.runs_after]
    running = version_of(folder, journal.running, bundles)
    assert running in (runs if refused else runs[1:]), (journal, said)
    started = updater.start()
    assert replay(started) is None
    assert replay(folder / "current") is None
    done = scenario.runs_after != scenario.runs_before and running == scenario.runs_after
    if not done:  # a roll-back by hand that was done but for its last flush is not done twice
        with contextlib.suppress(UpdateError):  # it is being tried or was refused already
            scenario.does(updater, bundles)
    with contextlib.suppress(UpdateError):
        updater.resume()
    if scenario.runs_after != scenario.runs_before:
        assert version_of(folder, updater.status().running, bundles) == scenario.runs_after, updater.status()
    if updater.status().candidate is not None:
        watched(updater)
    committed(updater, bundles, LATEST)
    assert version_of(folder, updater.status().running, bundles) == LATEST
    assert len(list((folder / "slots").iterdir())) <= 3


def version_of(folder: Path, slot: str, bundles: Path) -> str:
    """Return the version of a bundle that is whole, or fail."""
    bundle = open_bundle(bundles / "1.0.0" if slot == BUILTIN else folder / "slots" / slot)
    assert replay(bundle.path) is None, slot
    return bundle.manifest.version


def plans(points: int | None, calls: dict[tuple[str, str], int]) -> Iterator[tuple[str, str, int, bool]]:
    """Yield scenario, errno, call and whether it lasts."""
    everything = [
        (name, code, at, lasts)
        for (name, code), total in calls.items()
        for at in range(1, total + 1)
        for lasts in (False, True)
    ]
    yield from everything if points is None else random.Random(0).sample(everything, points)


def rehearse(base: Path, points: int | None) -> dict[str, object]:
    """Make every call fail; return what happened."""
    bundles, folder = base / "bundles", base / "device"
    make_bundles(bundles)
    with contextlib.redirect_stdout(sys.stderr):
        Operator(base).release(bundles / NEXT)
    calls: dict[tuple[str, str], int] = {}
    for name, scenario in SCENARIOS.items():
        scenario.before(device(base / name, bundles), bundles)
        for code, number in CODES.items():
            fresh(base / name, folder)
            refused, said, calls[name, code] = in_child(folder, bundles, scenario, (0, number, False))
            assert not refused, said
    refusals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    planned = list(plans(points, calls))
    for number, (name, code, at, lasts) in enumerate(planned):
        if number % 100 == 0:
            print(f"{number} of {len(planned)} faults", file=sys.stderr)
        fresh(base / name, folder)
        try:
            refused, said, _ = in_child(folder, bundles, SCENARIOS[name], (at, CODES[code], lasts))
            look(folder, bundles, SCENARIOS[name], refused, said)
        except BaseException:
            print(f"{name}: {code} at call {at} of {calls[name, code]}, lasting: {lasts}; {folder}", file=sys.stderr)
            raise
        faults[code] += 1
        refusals[code] += refused
    return {
        "calls": {f"{name}, {code}": total for (name, code), total in calls.items()},
        "faults": dict(faults),
        "clear_errors": dict(refusals),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", type=int, nargs="?")
    arguments = parser.parse_args()
    start = time.monotonic()
    print(json.dumps(rehearse(arguments.folder.absolute(), arguments.points) | {"seconds": time.monotonic() - start}))
