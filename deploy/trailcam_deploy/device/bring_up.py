"""Bring one device to the newest release, from its facts to the first labels. Every step may be repeated."""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from trailcam_core.jobs.progress import Progress
from trailcam_core.network.ssh.errors import HostError, OfflineError
from trailcam_deploy.device.activation import (
    DeviceStatus,
    WaitPolicy,
    activate_release,
    start_service,
    wait_until_healthy,
)
from trailcam_deploy.device.facts import INBOX, Facts, check_facts, read_facts
from trailcam_deploy.device.provision import PACKAGES, DeviceSpec, ProvisionStep, plan_provision
from trailcam_deploy.device.release_diff import Published, builtin_digests, plan_push, stale_files
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.transfer import Upload, send_files

_logger = logging.getLogger(__name__)
_UNREACHED = re.compile("NewConnectionError|name resolution|Network is unreachable|ConnectTimeout")  # words of pip
_NO_INDEX = (
    "the device reaches no package index. Give it a way to the internet, or bring the packages along with "
    '"--wheels DIR": docs/deploy.md, "Without a network".'
)


@dataclass(frozen=True)
class DevicePlan:
    """The steps and files that a device lacks."""

    facts: Facts
    steps: list[ProvisionStep]
    files: list[str]
    uploads: list[Upload]

    @property
    def size_bytes(self) -> int:
        """Bytes to send at most."""
        return sum(step.size_bytes for step in self.steps) + self.release_bytes

    @property
    def release_bytes(self) -> int:
        """Bytes of the release alone."""
        return sum(upload.size_bytes for upload in self.uploads)


@dataclass(frozen=True)
class DeviceReport:
    """Bytes that were sent, and the device's status afterwards."""

    sent_bytes: int
    status: DeviceStatus = field(default_factory=DeviceStatus)


def plan_device(connection: Connection, spec: DeviceSpec, published: Published) -> DevicePlan:
    """Compare a device with its specification.

    Raises:
        HostError: Trailcam cannot run there.
    """
    facts = read_facts(connection, PACKAGES)
    check_facts(facts)
    steps = plan_provision(facts, spec)
    held = facts.held | builtin_digests() if _installs(steps) else facts.held
    files = published.files(spec.channel, held)
    return DevicePlan(facts, steps, files, plan_push(published, files, facts.inbox))


class BringUp:
    """One device and everything it gets.

    Args:
        connection: to the device.
        spec: of the device.
        published: the releases.
        host_id: name of the device in progress and in log records, there as ``host``.
        progress: gets the bytes that were sent.
        stop: set to end the work between two steps.
    """

    def __init__(
        self,
        connection: Connection,
        spec: DeviceSpec,
        published: Published,
        host_id: str,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._connection, self._spec, self._published = connection, spec, published
        self._host_id, self._progress, self._stop = host_id, progress, stop
        self._log = logging.LoggerAdapter(_logger, {"host": host_id})
        self._sent_bytes = 0

    def run(self, wait: WaitPolicy) -> DeviceReport:
        """Do what the device lacks, activate the newest release and wait until the device is healthy.

        Raises:
            OfflineError: it does not answer.
            HostError: a step failed; the steps before it are not repeated next time.
            InterruptedError: ``stop`` was set.
        """
        plan = self._plan()
        facts = plan.facts
        self._log.debug("%s, %s, Python %s", facts.system, facts.machine, ".".join(map(str, facts.python)))
        self._log.debug("missing: %s", ", ".join(step.name for step in plan.steps) or "nothing")
        if plan.steps and plan.steps[0].kind == "packages":
            self._carry_out(plan.steps[0])
            plan = self._plan()  # apt's numpy decides which one pip may install
        for step in plan.steps:
            self._carry_out(step)
        if plan.uploads:
            self._log.info("release: %d files, %.2f MB", len(plan.uploads), plan.release_bytes / 1e6)
            self._send(plan.uploads)
        files = self._activate(plan.files, wait)
        stale = stale_files(self._published, files, plan.facts.inbox)
        if stale:
            self._connection.run('cd "$1"; shift; rm -f -- "$@"', INBOX, *stale)
        start_service(self._connection, restart=_installs(plan.steps) and plan.facts.active)
        self._check_stop()
        return DeviceReport(self._sent_bytes, wait_until_healthy(self._connection, wait.wait_s, self._log))

    def _plan(self) -> DevicePlan:
        return plan_device(self._connection, self._spec, self._published)

    def _carry_out(self, step: ProvisionStep) -> None:
        self._check_stop()
        self._log.info(step.name)
        self._send(step.uploads)
        try:
            self._connection.run(step.script, *step.words, timeout_s=step.timeout_s)
        except OfflineError:
            raise
        except HostError as error:
            reason = _NO_INDEX if step.kind == "install" and _UNREACHED.search(str(error)) else error
            raise HostError(f"{step.name}: {reason}") from error

    def _activate(self, files: list[str], wait: WaitPolicy) -> list[str]:
        """Activate the release; return the files of the inbox that it needs."""
        self._check_stop()
        self._log.info("update: verify, self-test, activate")
        channel = self._spec.channel
        result = activate_release(self._connection, channel, wait.max_latency_ms)
        if result.code == "not_fetched":
            # Its rollout group needs another release, or its bundles are damaged: offer every file.
            files = self._published.everything(channel)
            inbox = read_facts(self._connection, ()).inbox
            self._send(plan_push(self._published, files, inbox))
            result = activate_release(self._connection, channel, wait.max_latency_ms)
            if result.code == "not_fetched":
                raise HostError(result.message)
        if result.message:
            self._log.info(result.message)
        return files

    def _send(self, uploads: Sequence[Upload]) -> None:
        if not uploads:
            return
        total, done = sum(upload.size_bytes for upload in uploads), 0

        def moved(size: int) -> None:
            nonlocal done
            self._check_stop()
            done += size
            self._progress(self._host_id, done, total)

        self._sent_bytes += send_files(self._connection, uploads, moved)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise InterruptedError


def _installs(steps: Sequence[ProvisionStep]) -> bool:
    return any(step.kind == "install" for step in steps)
