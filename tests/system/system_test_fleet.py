"""A fleet of 20 over SSH, some dead, some slow, some wrong, after one camera that is made of a fresh system.

First ``system_test_deploy``. Its camera's disk is then cloned, as people clone cards: ten are booted with systemd, two
of them on a slow line, each in a network namespace of its own; four are dead; six answer and cannot be cameras.
Run as root: ``python tests/system/system_test_fleet.py``, or ``make system TEST=fleet``.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import walking, write_jpegs
from device import HERE_ADDRESS, Device, address_of, boot, slow_down, switch
from laptop import BECAUSE, CHANNEL, SLOWLY, Laptop
from system_test_deploy import PORT, rehearse

from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

_GOOD, _SLOW, _DEAD = 8, 2, 4
_SLOW_RATE = "400kbit"  # 50 kB/s: a bad day of LTE
_VERSION = "3.0.0"
_HEALTHY_S = 300.0  # a service that was just restarted is "activating" for a while
_IN_SSHD = "mkdir -p /run/sshd /run/lock && chmod 1777 /run/lock && {trouble}exec /usr/sbin/sshd -D -e"
_FAKE = "printf '#!/bin/sh\\n{says}\\n' > /usr/local/bin/{name} && chmod 755 /usr/local/bin/{name} && "
# Names of hosts that answer and are no cameras: what is done to them, and what the operator is told.
_WRONG = {
    "readonly": ("mount -o remount,bind,ro / && ", "not writable"),
    "full": ("mount -t tmpfs -o size=30m tmpfs /var/lib && ", "Free some space"),
    "bits": (_FAKE.format(says="echo 32", name="getconf"), "is a 32-bit one"),
    "oldpython": (_FAKE.format(says="echo 3.9", name="python3"), "expected 3.11 or newer"),
    "stranger": ("rm /etc/ssh/rig_keys && ", "refuses the login"),
    "swapped": (
        "rm /etc/ssh/ssh_host_* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && ",
        "its host key has changed",
    ),
}


@dataclass(frozen=True)
class Fleet:
    """Who is who: names in the order of their numbers on the switch."""

    good: tuple[str, ...] = tuple(f"cam{number:02}" for number in range(_GOOD))
    slow: tuple[str, ...] = tuple(f"slow{number}" for number in range(_SLOW))
    dead: tuple[str, ...] = tuple(f"dead{number}" for number in range(_DEAD))
    wrong: tuple[str, ...] = tuple(_WRONG)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.good, *self.slow, *self.dead, *self.wrong)

    def address(self, name: str) -> str:
        """Where one is."""
        return address_of(self.names.index(name))


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require("systemd-nspawn", "ip", "tc", "nsenter", "ssh")
    checks = Checks()
    with roots.scratch_folder() as folder:
        labels = write_jpegs(folder / "frames")
        pictures = [(folder / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]
        laptop = Laptop(folder / "laptop")
        layer = rehearse(checks, folder, laptop, pictures)
        if layer is not None:
            _rehearse_fleet(checks, folder, laptop, layer, pictures)
    return checks.finish("system test fleet")


def _rehearse_fleet(checks: Checks, folder: Path, laptop: Laptop, layer: Path, pictures: list[bytes]) -> None:
    """Clone the camera whose disk is in ``layer``, boot the clones, and work on them as an operator does."""
    fleet, root = Fleet(), roots.cached(recipes.FRESH)
    lower = Path(f"{layer}:{root}")
    with (
        _many_watchers(),
        switch(len(fleet.names)),
        MjpegServer(in_turn(walking(pictures), hold_s=0.2), address=(HERE_ADDRESS, PORT)),
        ExitStack() as stack,
    ):
        for number, name in enumerate(fleet.names):
            if name in fleet.slow:
                slow_down(number, _SLOW_RATE)
            laptop.knows(root, address_of(number))
        for name in (*fleet.good, *fleet.slow):
            stack.enter_context(_camera(lower, layer, folder / name, name, fleet))
        for name in fleet.wrong:
            stack.enter_context(_wrong(lower, folder / name, name, fleet))
        inventory = _inventory(folder, fleet)
        _first_round(checks, laptop, fleet, inventory)
        stack.enter_context(_camera(lower, layer, folder / "dead0", "dead0", fleet))
        _second_round(checks, laptop, fleet, inventory)
        _bad_bundle(checks, laptop, fleet, inventory)


@contextmanager
def _many_watchers() -> Iterator[None]:
    """Let root watch more files: every booted system takes seven of the 128 that it may have on this machine."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    before = limit.read_text()
    limit.write_text(str(max(1024, int(before))))
    try:
        yield
    finally:
        limit.write_text(before)


@contextmanager
def _camera(lower: Path, layer: Path, folder: Path, name: str, fleet: Fleet) -> Iterator[Device]:
    """A clone of the camera, booted, with a name of its own and a lazy loop, for so many share this machine."""
    disk = folder / "disk"
    (disk / "upper/etc/trailcam").mkdir(parents=True)
    (disk / "upper/etc/hostname").write_text(f"{name}\n")
    _copy_whole(layer / "var/lib/trailcam", disk / "upper/var/lib/trailcam")
    config = (layer / "etc/trailcam/trailcam.toml").read_text()
    for line, other in (
        ("# rate_hz = 5.0", "rate_hz = 0.2"),
        ("# cool_down_s = 30.0", "cool_down_s = 2.0"),
        ("# switch_wait_s = 600.0", "switch_wait_s = 20.0"),
    ):
        config = config.replace(line, other)
    if name in fleet.slow:  # the line is for SSH: pictures alone would fill it
        config = config.replace('\nsource_file = "/etc/trailcam/source"', '\nsource = "demo:loop"')
    (disk / "upper/etc/trailcam/trailcam.toml").write_text(config)
    namespace = f"trailcam-rig-{fleet.names.index(name)}"
    with boot(lower, disk, folder / "console.log", namespace) as device:
        device.wait_for_systemd()
        # A cloned card brings its original's name along; each camera gets its own.
        device.run("rm", "-f", "/etc/trailcam/device-id")
        yield device


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a folder out of the layer below: an overlay renames no folder that lies there, as every real disk does."""
    target.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    os.setxattr(target, "trusted.overlay.opaque", b"y")


@contextmanager
def _wrong(lower: Path, folder: Path, name: str, fleet: Fleet) -> Iterator[None]:
    """A host with an sshd and no systemd, in which something is wrong."""
    folder.mkdir()
    inside = ["sh", "-euc", _IN_SSHD.format(trouble=_WRONG[name][0])]
    enter = ["ip", "netns", "exec", f"trailcam-rig-{fleet.names.index(name)}"]
    command = [*enter, *roots.entered(lower, inside, folder / "disk")]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _inventory(folder: Path, fleet: Fleet) -> Path:
    """Write the list; the canaries are its first."""
    path = folder / "fleet.toml"
    rows = [f'[hosts.{name}]\nssh = "{fleet.address(name)}"\n' for name in fleet.names]
    good = ", ".join(f'"{name}"' for name in fleet.good)
    path.write_text(f'channel = "{CHANNEL}"\n\n' + "\n".join(rows) + f"\n[groups.good]\nhosts = [{good}]\n")
    return path


def _first_round(checks: Checks, laptop: Laptop, fleet: Fleet, inventory: Path) -> None:
    words = (str(laptop.bundle(_VERSION)), "--inventory", str(inventory), *BECAUSE)
    dry = laptop.run("deploy", *words, "--dry-run", "--group", "good", "--only", fleet.good[0])
    checks.figure("a dry run of one", " ".join(dry.stdout.split()))
    started_s = time.monotonic()
    done = laptop.run("deploy", *words, "--canary", "2", "--parallel", "4", "--max-failures", "9", *SLOWLY)
    checks.figure("a round over the fleet", f"{time.monotonic() - started_s:.0f} s; {done.stdout.strip()}")
    (laptop.folder / "round.log").write_text(done.stderr)
    for name in (*fleet.good, *fleet.slow):
        checks.check(f"{name}: done", f"{name}: done: {CHANNEL} {_VERSION}" in done.stderr, _of(done.stderr, name))
    for name in fleet.dead:
        checks.check(f"{name}: reported as offline", f"{name}: offline" in done.stderr, _of(done.stderr, name))
    for name, (_, words_of) in _WRONG.items():
        told = f"{name}: failed" in done.stderr and words_of in _of(done.stderr, name)
        checks.check(f"{name}: one clear error", told, _of(done.stderr, name))
    counts = f"{len(fleet.names)} devices: {_GOOD + _SLOW} done, {_DEAD} offline, {len(_WRONG)} failed"
    checks.check("the counts are right, and the exit code", done.returncode == 1 and counts in done.stdout, done.stdout)
    canaries = [line.split(":")[0] for line in done.stderr.splitlines() if ": done: " in line][:2]
    checks.check("the canaries were first", set(canaries) == set(fleet.good[:2]), canaries)
    others = [line.split(":")[0] for line in done.stderr[: done.stderr.find(": done: ")].splitlines()]
    early = {name for name in others if name in fleet.names} - set(fleet.good[:2])
    checks.check("and alone", not early, early)


def _second_round(checks: Checks, laptop: Laptop, fleet: Fleet, inventory: Path) -> None:
    words = ("--inventory", str(inventory), "--channel", CHANNEL, "--pending", "--max-failures", "9", *SLOWLY)
    started_s = time.monotonic()
    done = laptop.run("deploy", *words)
    asked = f"{_DEAD + len(_WRONG)} devices: 1 done, {_DEAD - 1} offline"
    checks.check("a second round asks only who was not done", asked in done.stdout, done.stdout.strip())
    checks.check("the dead one that woke up is picked up", "dead0: done" in done.stderr, _of(done.stderr, "dead0"))
    checks.figure("that took", f"{time.monotonic() - started_s:.0f} s")
    runs = _wait_for_healthy(laptop, _GOOD + _SLOW + 1, "--inventory", str(inventory))
    checks.check("all that are awake run the release", len(runs) == _GOOD + _SLOW + 1, runs)


def _bad_bundle(checks: Checks, laptop: Laptop, fleet: Fleet, inventory: Path) -> None:
    bad = laptop.bundle("3.0.1", good=False)
    words = (str(bad), "--inventory", str(inventory), "--group", "good", *BECAUSE, *SLOWLY, "--canary", "1")
    done = laptop.run("deploy", *words)
    stopped = f"{_GOOD} devices: 1 failed, {_GOOD - 1} left out"
    checks.check(
        "a bad bundle ends at the canary", done.returncode == 1 and stopped in done.stdout, done.stdout.strip()
    )
    runs = _wait_for_healthy(laptop, _GOOD, "--inventory", str(inventory), "--group", "good")
    checks.check("and every camera keeps the release before", len(runs) == _GOOD, runs)


def _wait_for_healthy(laptop: Laptop, count: int, *words: str) -> list[str]:
    """Return the devices that are healthy with the release, as soon as there are ``count``, or after the limit."""
    deadline_s = time.monotonic() + _HEALTHY_S
    while True:
        states = laptop.states(*words)
        bundle = f"{CHANNEL} {_VERSION}"
        runs = [name for name, state in states.items() if state.get("well") is True and state.get("bundle") == bundle]
        if len(runs) >= count or time.monotonic() > deadline_s:
            return runs
        time.sleep(5)


def _of(errors: str, name: str) -> str:
    """Return the last line about a host."""
    return ([line for line in errors.splitlines() if line.startswith(f"{name}:")] or ["nothing"])[-1][:220]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test fleet: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
