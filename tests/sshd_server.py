"""A real sshd on loopback for tests."""

import contextlib
import getpass
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trailcam_core.network.ssh.master import SshMaster, SshSettings


@dataclass
class Sshd:
    """A real sshd on loopback with separate keys; the SSH configuration of this machine is neither read nor written."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def destination(self) -> str:
        return f"{getpass.getuser()}@localhost"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def settings(self) -> SshSettings:
        return SshSettings(config=self.folder / "config", connect_s=10)

    def open_master(self, lock: str | None = None) -> SshMaster:
        return SshMaster(self.destination, self.settings, lock)

    def connect(self, **more: Any) -> Any:
        """Return a connection as root, as deployments use it."""
        from trailcam_deploy.ssh.connection import Connection

        return Connection(self.destination, self.settings, **{"lock": False, **more})

    def vanish(self) -> None:
        """End the server and every session of it at once, as when a device loses its power."""
        for pid in (*_descendants(self.process.pid), self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (*_descendants(child), child)]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
