"""A real sshd on loopback, with keys of its own: nothing of this machine's SSH configuration is read or written."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from trailcam_deploy.ssh.connection import Connection, SshSettings

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass
class Sshd:
    """A running server; ``settings`` reach it, strictly."""

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

    def connect(self, **more: object) -> Connection:
        return Connection(self.destination, self.settings, **{"lock": False, **more})

    def new_host_key(self) -> str:
        """Exchange the server's host key, as a card that is written anew does; return its public line."""
        for file in self.folder.glob("host_key*"):
            file.unlink()
        make_key(self.folder / "host_key")
        return (self.folder / "host_key.pub").read_text()


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """One server; ``folder/bin`` goes before everything in the PATH of its sessions."""
    if _SSHD is None or shutil.which("ssh") is None:
        pytest.skip('no sshd on this machine: "apt-get install openssh-server"')
    folder = tmp_path / "sshd"
    (folder / "bin").mkdir(parents=True)
    make_key(folder / "host_key")
    make_key(folder / "user_key")
    port = _free_port()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd as root wants it, and no package makes it at once
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/pid\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user_key.pub\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv PATH={folder}/bin:{os.environ['PATH']}\n"
    )
    (folder / "config").write_text(
        f"Host *\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user_key\n  IdentitiesOnly yes\n"
        f"  IdentityAgent none\n  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking no\n"  # a person's bad habit: it must not count
    )
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([_SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Sshd(folder, port, process)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def program(sshd: Sshd) -> Callable[[str, str], None]:
    """Put a shell script into the PATH of the server's sessions."""

    def write(name: str, script: str) -> None:
        path = sshd.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return write
