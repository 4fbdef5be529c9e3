"""What is done with one device, from the first look to the first labels. Each step says so, and may be repeated."""

import threading
from dataclasses import dataclass, field
from typing import Protocol

from trailcam_deploy.device.activate import Sight, start_service, take_release, wait_until_well
from trailcam_deploy.device.facts import INBOX, Facts, read_facts, refuse_device
from trailcam_deploy.device.provision import PACKAGES, Step, Wanted, plan_provision
from trailcam_deploy.device.release_diff import Published, plan_push, stale_files
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.errors import HostError, OfflineError
from trailcam_deploy.ssh.transfer import Upload, send_files

__all__ = ["DevicePlan", "DeviceReport", "Diary", "Patience", "bring_up", "plan_device"]

_UNREACHABLE = "cannot be fetched"  # of trailcam update: a file is not in the inbox


class Diary(Protocol):
    """Is told what happens to one device."""

    def says(self, text: str) -> None:
        """A step begins, or something is worth knowing."""

    def moves(self, done: int, total: int) -> None:
        """Bytes went over the line."""


@dataclass(frozen=True)
class Patience:
    """For how long a device may take to be well, and what a picture may cost in its self-test if not as configured."""

    wait_s: float = 900.0  # a camera waits up to 600 s for an open visit before it exchanges its bundle
    max_latency_ms: float | None = None


@dataclass(frozen=True)
class DevicePlan:
    """What is missing on a device, and what that would send."""

    facts: Facts
    steps: list[Step]
    files: list[str]
    uploads: list[Upload]

    @property
    def size_bytes(self) -> int:
        """What goes over the line at most."""
        return sum(step.size_bytes for step in self.steps) + self.release_bytes

    @property
    def release_bytes(self) -> int:
        """That of the release alone."""
        return sum(upload.size_bytes for upload in self.uploads)

    @property
    def changes_software(self) -> bool:
        """True if another Trailcam is installed."""
        return any(step.name.startswith("install") for step in self.steps)


@dataclass(frozen=True)
class DeviceReport:
    """How it went: what was sent, what the device said of the release, and what it sees."""

    sent_bytes: int
    said: str
    sight: Sight = field(default_factory=Sight)


def plan_device(connection: Connection, wanted: Wanted, published: Published, builtin: frozenset[str]) -> DevicePlan:
    """Look at a device and say what is missing.

    Args:
        connection: to the device.
        wanted: what it should be.
        published: the releases.
        builtin: digests of the files of the built-in bundle, which a device has once this Trailcam is installed.

    Raises:
        HostError: Trailcam cannot live there.
    """
    facts = read_facts(connection, PACKAGES)
    refuse_device(facts)
    steps = plan_provision(facts, wanted)
    held = facts.held | builtin if any(step.name.startswith("install") for step in steps) else facts.held
    files = published.files(wanted.channel, held)
    return DevicePlan(facts, steps, files, plan_push(published, files, facts.inbox))


def bring_up(
    connection: Connection,
    wanted: Wanted,
    published: Published,
    builtin: frozenset[str],
    diary: Diary,
    stop: threading.Event,
    patience: Patience,
) -> DeviceReport:
    """Make a device a camera of the fleet that runs the newest release; do only what is missing.

    Raises:
        OfflineError: it does not answer.
        HostError: a step failed; what was done before stands and is not done again.
        InterruptedError: ``stop`` was set.
    """
    plan = plan_device(connection, wanted, published, builtin)
    if plan.steps and plan.steps[0].name.startswith("packages"):
        _carry_out(connection, plan.steps[0], diary, stop)
        plan = plan_device(connection, wanted, published, builtin)  # apt's numpy decides what pip may bring
    sent = sum(_carry_out(connection, step, diary, stop) for step in plan.steps)
    if plan.uploads:
        diary.says(f"release: {len(plan.uploads)} files, {plan.release_bytes / 1e6:.2f} MB")
        sent += _send_all(connection, plan.uploads, diary, stop)
    _go_on(stop)
    diary.says("update: verify, self-test, activate")
    files = plan.files
    try:
        said = take_release(connection, wanted.channel, patience.max_latency_ms)
    except HostError as error:
        if _UNREACHABLE not in str(error):
            raise
        # Its ring wants another release, or its bundles are not what they seemed: let it choose from everything.
        files = published.everything(wanted.channel)
        facts = read_facts(connection, ())
        sent += _send_all(connection, plan_push(published, files, facts.inbox), diary, stop)
        said = take_release(connection, wanted.channel, patience.max_latency_ms)
    diary.says(said)
    _tidy(connection, stale_files(published, files, plan.facts.inbox))
    start_service(connection, restart=plan.changes_software and plan.facts.active)
    _go_on(stop)
    return DeviceReport(sent, said, wait_until_well(connection, patience.wait_s, diary.says))


def _carry_out(connection: Connection, step: Step, diary: Diary, stop: threading.Event) -> int:
    _go_on(stop)
    diary.says(step.name)
    sent = _send_all(connection, step.uploads, diary, stop)
    try:
        connection.run(step.script, *step.words, timeout_s=step.timeout_s)
    except OfflineError:
        raise
    except HostError as error:
        raise HostError(f"{step.name}: {error}") from error
    return sent


def _send_all(
    connection: Connection, uploads: tuple[Upload, ...] | list[Upload], diary: Diary, stop: threading.Event
) -> int:
    if not uploads:
        return 0
    total, done = sum(upload.size_bytes for upload in uploads), 0

    def moved(size: int) -> None:
        nonlocal done
        _go_on(stop)
        done += size
        diary.moves(done, total)

    return send_files(connection, uploads, moved)


def _tidy(connection: Connection, stale: list[str]) -> None:
    """Remove from the inbox what no release needs any more, so that it never fills the disk."""
    if stale:
        connection.run('cd "$1"; shift; rm -f -- "$@"', INBOX, *stale)


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise InterruptedError
