"""Rounds without a process, a model or a clock, and a machine to log in to, for the tests of the benchmarks."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from trailcam_benchmarks.worker.spawn import ChildError
from trailcam_benchmarks.worker.worker import Request, Round

_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
Behaviour = Callable[[Request, int], Round]


def _make_round(
    ms: float = 20.0, scheme: str = "int8", name: str = "tiny 1.0.0", frames: int = 4, **changes: Any
) -> Round:
    fields: dict[str, Any] = {
        "name": name,
        "scheme": scheme,
        "sha256": "0" * 64,
        "size_bytes": 1_000_000,
        "runtime": "ai-edge-litert 2.1.0",
        "stated_top1": 0.9,
        "load_ms": 5.0,
        "first_ms": 2 * ms,
        "empty_mb": 40.0,
        "steady_mb": 50.0,
        "peak_mb": 60.0,
        "times_ms": [[2.0, 1.0, ms - 2 + 0.01 * frame, 1.0] for frame in range(frames)],
    }
    return Round(**(fields | changes))


class FakeRuns:
    """Stands for the processes: answers by bundle name, remembers what was asked, fails when told."""

    def __init__(
        self, schemes: dict[str, tuple[str, float]], machine_factor: Callable[[int], float] = lambda _: 1.0
    ) -> None:
        self.asked: list[Request] = []
        self.fail_after: dict[str, int] = {}  # bundle -> rounds that still work
        self.interrupt_at: int | None = None
        self.answers: dict[str, list[int | None]] = {}
        self.samples: list[dict[str, Any]] = []
        self._schemes = schemes
        self._factor = machine_factor

    def __call__(self, request: Request) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        if self.interrupt_at is not None and len(self.asked) > self.interrupt_at:
            raise KeyboardInterrupt
        if request.task == "answers":
            yield {"class_ids": self.answers[request.bundle], "labels": ["fox", "hare"]}
            return
        if request.task == "soak":
            yield from self.samples
            if self.interrupt_at is not None:
                raise KeyboardInterrupt
            return
        left = self.fail_after.get(request.bundle)
        if left is not None:
            if left <= 0:
                raise ChildError("the process was ended by SIGABRT")
            self.fail_after[request.bundle] = left - 1
        scheme, ms = self._schemes[request.bundle]
        ms = (ms * (0.8 if request.floor else 1.0)) * self._factor(len(self.asked))
        yield asdict(_make_round(ms, scheme, frames=request.frames))


@pytest.fixture
def make_round() -> Callable[..., Round]:
    """Makes a round of given milliseconds."""
    return _make_round


@pytest.fixture
def fake_runs() -> type[FakeRuns]:
    """The class of fake processes; it takes the scheme and the milliseconds of every bundle."""
    return FakeRuns


class SshServer:
    """A real sshd on a loopback port; ``config`` is a file for ``ssh -F`` that calls it camera."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        key_type, key = (folder / "host.pub").read_text().split()[:2]
        self.known = folder / "known_hosts"
        self.known.write_text(f"[127.0.0.1]:{self.port} {key_type} {key}\n")
        self.config.write_text(
            f"Host camera\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n"
            f" IdentityFile {folder / 'user'}\n IdentitiesOnly yes\n UserKnownHostsFile {self.known}\n"
            " GlobalKnownHostsFile /dev/null\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {
            "AuthorizedKeysFile": self.folder / "user.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        command = [
            str(shutil.which("sshd", path=_SBIN)),
            "-D",
            "-e",
            "-f",
            "/dev/null",
            "-h",
            str(self.folder / "host"),
        ]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, "-p", str(self.port), "-o", "ListenAddress=127.0.0.1", *words], stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        pytest.skip(f"sshd does not start here: {(self.folder / 'log').read_text()[-200:]}")

    def vanish(self) -> None:
        """End the server and every session of it at once, as when a camera loses its power."""
        if self._process is not None:
            for pid in (*_descendants(self._process.pid), self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (*_descendants(child), child)]


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """A server that accepts one key and stands in the known hosts."""
    if shutil.which("sshd", path=_SBIN) is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH server and client here: apt install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks itself up; its own unit makes it as well
    folder = tmp_path / "ssh"
    folder.mkdir()
    server = SshServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.vanish()
