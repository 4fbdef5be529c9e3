"""One run over the devices of a fleet: its releases and software, and the work on each device."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.network.hosts import is_ip
from trailcam_core.network.ssh.master import SshSettings
from trailcam_deploy.device.activation import WaitPolicy
from trailcam_deploy.device.bring_up import BringUp, DevicePlan, DeviceReport, plan_device
from trailcam_deploy.device.host import Host
from trailcam_deploy.device.provision import DeviceSpec
from trailcam_deploy.device.release_diff import Published
from trailcam_deploy.device.wheels import Software
from trailcam_deploy.ssh.connection import Connection

_DEFAULT_SOURCE = "picamera2"


@dataclass(frozen=True)
class Payload:
    """Everything that devices get: releases, their root metadata (oldest first), software and its wheels.

    ``channel`` is that of devices without one of their settings; ``newest`` leaves dependencies unpinned.
    """

    published: Published
    channel: str
    roots: tuple[bytes, ...]
    software: Software
    wheels: tuple[Path, ...] = ()
    newest: bool = False

    def spec(self, host: Host) -> DeviceSpec:
        """Return the specification of one device; an empty id leaves the device its host name."""
        return DeviceSpec(
            software=self.software,
            roots=self.roots,
            device_id=host.id,
            channel=host.channel or self.channel,
            source=host.source or _DEFAULT_SOURCE,
            live=bool(host.live),
            wheels=self.wheels,
            newest=self.newest,
        )


@dataclass
class DeployJob:
    """The work on each device; every method may be called by several threads.

    Args:
        payload: for every device.
        ssh: how to connect.
        ask_password: returns the function that asks for the password of ``sudo`` on a host, or None.
        wait: for health.
        progress: gets the bytes that were sent, with the device's id as the stage.
        stop: set to end the work between two steps.
    """

    payload: Payload
    ssh: SshSettings
    ask_password: Callable[[Host], Callable[[], str] | None] = lambda _: None
    wait: WaitPolicy = field(default_factory=WaitPolicy)
    progress: Progress = silent
    stop: threading.Event = field(default_factory=threading.Event)
    _open: set[Connection] = field(default_factory=set)

    def plan(self, host: Host) -> DevicePlan:
        """Return what a device lacks; nothing is changed, and other operators are not kept away.

        Raises:
            HostError: Trailcam cannot run there, or it does not answer.
        """
        with self._connect(host, lock=False) as connection:
            return plan_device(connection, self._spec(host), self.payload.published)

    def bring_up(self, host: Host) -> DeviceReport:
        """Bring a device to the newest release of its channel; see ``BringUp.run``."""
        with self._connect(host, lock=True) as connection:
            job = BringUp(connection, self._spec(host), self.payload.published, host.id, self.progress, self.stop)
            return job.run(self.wait)

    def disconnect(self) -> None:
        """End the work on every device, from another thread."""
        for connection in tuple(self._open):
            connection.disconnect()

    def _spec(self, host: Host) -> DeviceSpec:
        # Another device may have an address tomorrow, so it identifies none.
        return self.payload.spec(replace(host, id="" if is_ip(host.id) else host.id))

    @contextmanager
    def _connect(self, host: Host, lock: bool) -> Iterator[Connection]:
        with Connection(host.ssh, self.ssh, lock, self.ask_password(host)) as connection:
            self._open.add(connection)
            try:
                yield connection
            finally:
                self._open.discard(connection)
