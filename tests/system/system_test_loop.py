"""The whole loop: see, bring home, review, train, prove, release, and be right more often the week after.

Two cameras look at composed scenes with a bundle that does not know two of the ten kinds of monkey that come by.
Everything is done by the commands that a user types: ``make system TEST=loop``, as root, with the photographs that
TRAILCAM_TEST_DATA names.
"""

import json
import os
import random
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import roots
from checks import LACKING, Checks
from laptop import Laptop
from loop_camera import LoopCamera
from loop_reviewer import Reviewer, shown_at, truth_of_visits
from loop_scenes import Day, compose_day

from trailcam_core.statistics.wilson import Z_99, difference_interval
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.samples import read_samples

_CAMERAS = ("oak", "elm")
_NEW_KINDS = 2
_FIRST, _WEEK = 18, 12  # photographs of each kind to train on at first; of each in a week
_NEW_IN_FIRST_WEEK = 24  # of each kind that the first bundle does not know
_BEGAN = datetime(2026, 6, 1, 4, tzinfo=UTC)  # a Monday
_DAYS = 3  # that are shown of each week: a new label must come on several, so that some can be held back
_RECIPE = ("--recipe", "efficientnet_lite0", "--yes")
_QUICK = ("--set", "batch_size=16")


class Loop:
    """What the steps share."""

    def __init__(self, checks: Checks, folder: Path, data: Path) -> None:
        self.checks, self.folder, self.data = checks, folder, data
        self.laptop = Laptop(folder / "laptop")
        self.repository = folder / "release"
        self.cameras = [LoopCamera(folder / name, name, self.repository) for name in _CAMERAS]
        self.home = folder / "stores"
        kinds = sorted(path.name for path in (data / "monkeys10").iterdir() if path.is_dir())
        self.new_kinds, self.kinds = kinds[:_NEW_KINDS], kinds

    def name_cameras(self) -> None:
        """Give the cameras names in the SSH configuration of the laptop."""
        blocks = [
            f"Host {camera.name}\n  HostName 127.0.0.1\n  Port {camera.port}\n  User root\n" for camera in self.cameras
        ]
        rest = self.laptop.config.read_text()
        self.laptop.config.write_text("".join(blocks) + rest[rest.index("Host *") :])

    def do(self, what: str, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command line of Trailcam, check its exit code, and return what it printed."""
        done = self.laptop.run(*words)
        if not self.checks.check(
            what, done.returncode in codes, (done.stdout + done.stderr)[-600:] if done.returncode else ""
        ):
            raise SystemExit(self.checks.finish("system test loop"))
        return done.stdout


def main() -> int:
    """Rehearse; return the exit code."""
    data = Path(os.environ.get("TRAILCAM_TEST_DATA", roots.CHECKOUT.parent / "shared" / "data"))
    if not (data / "monkeys10").is_dir():
        print("skipped: needs photographs that are not part of the project: name their folder in TRAILCAM_TEST_DATA")
        return 0
    roots.require("unshare", "ssh", "sshd")
    checks = Checks()
    with roots.scratch_folder() as folder:
        loop = Loop(checks, folder, data)
        weeks = _photographs(loop)
        _first_bundle(loop)
        first = _week(loop, 0, weeks[0])
        _learn(loop)
        second = _week(loop, 1, weeks[1])
        _compare(loop, first, second)
    return checks.finish("system test loop")


def _photographs(loop: Loop) -> list[list[tuple[str, Path]]]:
    """Deal the photographs: some to train on, some for each week. No photograph is used twice."""
    weeks: list[list[tuple[str, Path]]] = [[], []]
    chance = random.Random(0)
    for kind in loop.kinds:
        photos = sorted((loop.data / "monkeys10" / kind).iterdir())
        chance.shuffle(photos)
        known = kind not in loop.new_kinds
        cut = _FIRST if known else 0
        end = cut + (_WEEK if known else _NEW_IN_FIRST_WEEK)
        if known:
            folder = loop.folder / "first" / kind
            folder.mkdir(parents=True)
            for photo in photos[:cut]:
                (folder / photo.name).symlink_to(photo)
        weeks[0] += [(kind, photo) for photo in photos[cut:end]]
        weeks[1] += [(kind, photo) for photo in photos[end : end + _WEEK]]
    return weeks


def _first_bundle(loop: Loop) -> None:
    runs, photos = str(loop.folder / "runs"), str(loop.folder / "first")
    weights = str(loop.data / "weights" / "efficientnet_lite0_imagenet_notop.keras")
    made = ("--name", "first", "--runs", runs, "--weights", weights)
    loop.do("a model of eight kinds is trained", "train", photos, *_RECIPE, *_QUICK, *made)
    secret = loop.folder / "passphrase"
    secret.write_text("a rehearsal of the loop\n")
    secret.chmod(0o600)
    keys = ("--repository", str(loop.repository), "--keys", str(loop.folder / "keys"))
    loop.do("a repository is made", "release", "init", *keys, "--passphrase-file", str(secret))
    for camera in loop.cameras:
        (camera.update / "root.json").write_bytes((loop.repository / "metadata/1.root.json").read_bytes())
        (camera.update / "device-id").write_text(f"{camera.name}\n")
    _release(loop, "first", "1.0.0")


def _release(loop: Loop, run: str, version: str) -> None:
    """Export a run, gate it, release it, and let both cameras take it."""
    out = str(loop.folder / "exports" / run)
    words = ("--variants", "int8", "--out", out, "--name", "loop", "--version", version)
    loop.do(f"{run}: exported and gated", "export", str(loop.folder / "runs" / run), *words)
    (bundle,) = Path(out).rglob("int8.bundle")
    keys = ("--repository", str(loop.repository), "--keys", str(loop.folder / "keys"))
    said = loop.do(f"{run}: released", "release", "add", str(bundle), "--channel", "loop", *keys)
    loop.checks.figure("the release", "; ".join(said.split("\n")[:4]))
    for camera in loop.cameras:
        camera.show(loop.folder / "none.mp4")
        loop.do(f"{camera.name} takes {version}", "update", "--config", str(camera.config), "--json")


def _week(loop: Loop, number: int, animals: list[tuple[str, Path]]) -> list[dict[str, Any]]:
    """Let both cameras watch a week, bring their stores home and review them; return what is stated of each."""
    scenes = sorted((loop.data / "field/scenes").glob("day_*.jpg"))
    shown: dict[str, list[Day]] = {camera.name: [] for camera in loop.cameras}
    for day in range(_DAYS):
        began = _BEGAN + timedelta(weeks=number, days=2 * day)
        clips: dict[str, Path] = {}
        for place, camera in enumerate(loop.cameras):
            clips[camera.name] = loop.folder / f"{camera.name}-{number}-{day}.mp4"
            part = animals[place + len(loop.cameras) * day :: len(loop.cameras) * _DAYS]
            seed = 100 * number + 10 * day + place
            shown[camera.name].append((began, compose_day(clips[camera.name], part, scenes[place], began, seed)))
        _watch(loop, clips)
    for camera in loop.cameras:
        animals_there = sum(len(passages) for _, passages in shown[camera.name])
        loop.checks.figure(f"week {number + 1}: {camera.name} was shown", f"{animals_there} animals")
    _bring_home(loop)
    return [_review(loop, camera.name, shown[camera.name]) for camera in loop.cameras]


def _watch(loop: Loop, clips: dict[str, Path]) -> None:
    """Let both cameras watch a clip at the same time."""
    with ExitStack() as stack:
        watching = []
        for camera in loop.cameras:
            camera.show(clips[camera.name])
            process = stack.enter_context(loop.laptop.start("watch", "--config", str(camera.config), "--visits"))
            watching.append((camera, process))
        for camera, process in watching:
            output, errors = process.communicate(timeout=1800)
            detail = errors[-300:] if process.returncode else f"{len(output.splitlines())} lines"
            loop.checks.check(f"{camera.name} watches {clips[camera.name].name}", process.returncode == 0, detail)


def _bring_home(loop: Loop) -> None:
    key = loop.laptop.folder / "key"
    inventory = loop.folder / "fleet.toml"
    with ExitStack() as stack:
        for camera in loop.cameras:
            stack.enter_context(camera.answers_ssh(key))
        loop.laptop.known_hosts.write_text("".join(camera.known_host() for camera in loop.cameras))
        loop.name_cameras()
        hosts = [f"[hosts.{camera.name}]\n" for camera in loop.cameras]
        inventory.write_text("".join(hosts))
        words = ("deploy", "collect", "--inventory", str(inventory), "--into", str(loop.home))
        said = loop.do("the stores come home over SSH", *words)
        loop.checks.figure("it says", "; ".join(said.splitlines()))
        again = loop.do("a second time", *words)
        loop.checks.check("brings nothing new", again.count("0 new pictures") == len(loop.cameras), again)


def _review(loop: Loop, name: str, days: list[Day]) -> dict[str, Any]:
    """Review the random visits and the quiet moments of a week; return what "events --accuracy" states."""
    store = loop.home / name
    truth = truth_of_visits(loop.laptop, store, days)
    with open_reader(store) as reader:
        samples = read_samples(reader, "reviewed = 0")
        moments = {sample.sample_id: shown_at(sample.taken.unix_s or 0.0, days, slack_s=0.0) for sample in samples}
    reviewer = Reviewer(loop.laptop, store)
    said = reviewer.review("random", lambda visit: truth[visit])
    quiet = reviewer.review("quiet", lambda sample: f"label:{moments[sample]}" if moments[sample] else "nothing")
    loop.checks.check(f"{name}: every visit and moment is reviewed", said.total() > 20 and quiet.total() > 0)
    loop.checks.figure(f"{name}: answers", f"visits {dict(said)}, quiet moments {dict(quiet)}")
    lines = loop.do(f"{name}: accuracy is stated", "events", "--store", str(store), "--accuracy", "--json")
    stated: dict[str, Any] = json.loads(lines.splitlines()[-1])
    return stated


def _learn(loop: Loop) -> None:
    """Make a data set of the reviews, take the first run up with it, and release what comes of it."""
    field, runs = loop.folder / "field", loop.folder / "runs"
    stores = [str(loop.home / camera.name) for camera in loop.cameras]
    loop.checks.figure(
        "import", loop.do("the reviews become a data set", "data", "import", *stores, "--out", str(field))
    )
    before = sorted(field.rglob("*.jpg"))
    loop.do("a second import", "data", "import", *stores, "--out", str(field))
    loop.checks.check("adds nothing", sorted(field.rglob("*.jpg")) == before, f"{len(before)} pictures")
    words = ("--from", str(runs / "first"), "--group-by", "folder", "--name", "second", "--runs", str(runs))
    said = loop.do("the first run learns from them", "train", str(field / "photos"), *words)
    loop.checks.figure("it says", said)
    _release(loop, "second", "2.0.0")


def _compare(loop: Loop, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Check that the second week is better, beyond chance."""
    counts = [
        [sum(stated["weeks"][number]["named"][key] for stated in second) for key in ("right", "number")]
        for number in (0, 1)
    ]
    kept = all(a["weeks"][0]["named"] == b["weeks"][0]["named"] for a, b in zip(first, second, strict=True))
    loop.checks.check("the reviews of the first week are still there after the second collection", kept)
    (right, number), (right_2, number_2) = counts
    low, high = difference_interval((right, number), (right_2, number_2), Z_99)
    words = f"{right} of {number}, then {right_2} of {number_2}: {100 * low:+.0f} to {100 * high:+.0f} points (99 %)"
    loop.checks.check("animals named right: more in the second week, beyond chance", low > 0, words)
    for camera, stated in zip(loop.cameras, second, strict=True):
        drifts = {drift["what"]: drift for drift in stated["drift"]}
        found = drifts.get("named", {"low": 0.0})["low"] > 0
        detail = [(week["week"], week["named"], week["missed"]) for week in stated["weeks"]]
        loop.checks.figure(f"{camera.name}: its own statement", f"{'better' if found else 'not sure'} {detail}")
        said = loop.do(f"{camera.name}: as text", "events", "--store", str(loop.home / camera.name), "--accuracy")
        loop.checks.figure("accuracy", said)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test loop: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
