"""Cut the power of a device at every write of its updates, and look which bundle it starts with.

Run as ``tests/edge/power_cut/dying.py`` says; ``python power_cut_run.py FOLDER [POINTS]`` prints one JSON object. Every
point is tried in every way of dying, once alone and once followed by a second cut during the recovery; with POINTS,
that many random ones. What cannot be undone, because the shim does not see it: links, folders and empty files that were
made and not flushed.
"""

import argparse
import contextlib
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from device_under_test import BAD, LATEST, RULE, device, make_bundles, replay
from dying import MODES, Say, counted, in_child

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import UpdateError
from trailcam_edge.update.install.journal import BUILTIN, read_journal


def work(folder: Path, bundles: Path, say: Say) -> None:
    """What a device lives through: commits, a failed self-test, a crash loop, no health, a roll-back by hand."""
    updater = device(folder, bundles)

    def committed(version: str) -> None:
        updater.install(bundles / version)
        updater.start()
        updater.observe(60, 60)
        say(f"running {version}")

    updater.start()
    say("running 1.0.0")
    committed("2.0.0")
    with contextlib.suppress(UpdateError):
        updater.install(bundles / BAD)
    committed("4.0.0")
    updater.install(bundles / "5.0.0")
    for _ in range(RULE.most_starts + 1):
        updater.start()
    updater.install(bundles / "6.0.0")
    updater.start()
    updater.observe(0, RULE.give_up_s)
    updater.install(bundles / "6.0.0", again=True)
    updater.start()
    updater.observe(60, 60)
    say("running 6.0.0")
    updater.roll_back("by hand")
    say("running 4.0.0")


ORDER = ("1.0.0", "2.0.0", "4.0.0", "6.0.0", "4.0.0")  # as the lines of ``work`` say them


def inspect(folder: Path, bundles: Path, said: list[str]) -> str:
    """Assert what must hold after a cut, and that work goes on; return the version that the device started with."""
    updater = device(folder, bundles)
    started = updater.start()
    version = open_bundle(started).manifest.version
    assert replay(started) is None, version
    assert version != BAD
    assert (folder / "current").resolve() == started.resolve()
    journal = read_journal(folder / "journal.json")
    for slot in {journal.running, journal.previous} - {BUILTIN}:
        assert replay(open_bundle(folder / "slots" / slot).path) is None, slot
    running = (
        "1.0.0" if journal.running == BUILTIN else open_bundle(folder / "slots" / journal.running).manifest.version
    )
    assert running in ORDER[max(len(said) - 1, 0) : len(said) + 1], (running, said)
    with contextlib.suppress(UpdateError):  # the candidate may be the bad one
        updater.resume()
    if updater.status().candidate is not None:
        updater.roll_back("by hand")
    updater.install(bundles / LATEST)
    assert replay(updater.start()) is None
    assert updater.observe(60, 60).running.startswith(f"tiny-{LATEST}")
    assert len(list((folder / "slots").iterdir())) <= 3
    return version


def plans(total: int, points: int | None, recovery: int) -> Iterator[tuple[int, int, int]]:
    """Yield where to cut, how, and where again during the recovery of so many writes (0: nowhere)."""
    chance = random.Random(0)
    if points is None:
        yield from ((at, mode, 0) for mode in MODES for at in range(1, total + 1))
        yield from ((at, mode, chance.randint(1, recovery)) for mode in MODES for at in range(1, total + 1))
    else:
        for _ in range(points):
            yield chance.randint(1, total), chance.choice(list(MODES)), chance.randint(0, recovery)


@dataclass(frozen=True)
class Life:
    """What a device in ``folder`` lives through, and what is expected of it.

    ``work`` says a line of ``order`` for each thing that must not be lost. ``recover`` is cut a second time, within
    about ``recovery`` writes. ``inspect`` gets what was said, asserts, and returns the version that started.
    """

    folder: Path
    order: tuple[str, ...]
    work: Callable[[Say], None]
    recover: Callable[[], object]
    recovery: int
    inspect: Callable[[list[str]], str]

    def live(self, say: Say) -> None:
        """Live through everything, and say at how many points that could have been cut."""
        self.work(say)
        say(f"points {counted()}")


def cut_everywhere(life: Life, points: int | None) -> dict[str, object]:
    """Cut, recover and look; return what happened."""
    died, said = in_child(life.folder, 0, 1, life.live)
    assert not died
    total = int(said.pop().removeprefix("points "))
    assert tuple(line.removeprefix("running ") for line in said) == life.order
    life.inspect(said)
    cuts = again = 0
    started: Counter[str] = Counter()
    for at, mode, at_again in plans(total, points, life.recovery):
        shutil.rmtree(life.folder)
        died, said = in_child(life.folder, at, mode, life.work)
        assert died, f"point {at} of {total} was not reached"
        cuts += 1
        try:
            if at_again:
                again += in_child(life.folder, at_again, mode, lambda say: life.recover() and None)[0]
            started[life.inspect(said)] += 1
        except BaseException:
            print(f"point {at} of {total}, {MODES[mode]}, then {at_again}: {life.folder}", file=sys.stderr)
            raise
        if cuts % 100 == 0:
            print(f"{cuts} cuts, {again} more while recovering, at {total} points", file=sys.stderr, flush=True)
    return {"points": total, "cuts": cuts, "cuts_in_recovery": again, "started_with": dict(sorted(started.items()))}


def main(prepare: Callable[[Path], Life]) -> None:
    """Rehearse in the folder of the command line, and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", type=int, nargs="?")
    arguments = parser.parse_args()
    start = time.monotonic()
    result = cut_everywhere(prepare(arguments.folder.absolute()), arguments.points)
    print(json.dumps(result | {"seconds": time.monotonic() - start}))


def prepare(base: Path) -> Life:
    """Make the bundles of a life of installations."""
    bundles, folder = base / "bundles", base / "device"
    make_bundles(bundles)
    return Life(
        folder,
        ORDER,
        lambda say: work(folder, bundles, say),
        lambda: device(folder, bundles).start(),
        8,
        lambda said: inspect(folder, bundles, said),
    )


if __name__ == "__main__":
    main(prepare)
