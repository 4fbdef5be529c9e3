"""One connection to a host, by the system's ``ssh``: its configuration, agents, jump hosts and known hosts apply.

A master process (``ControlMaster``) is opened once and every command uses its connection. Its remote session waits for
the end of its input, so it ends with this process however this process ends, and it can hold a lock on the host in the
meantime. Host keys are checked strictly, also against the user's configuration; on a terminal ``ssh`` itself shows an
unknown key and asks.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from trailcam_core.errors import DeployError
from trailcam_core.network.ssh.errors import HostError, OfflineError, explain

SSH_FAILED = 255  # exit code of ssh's failures: ssh(1), "EXIT STATUS"
_READY, _BUSY = "trailcam-ready", "trailcam-busy"
_SSH_ENDS_S = 5.0
_DESTINATION = re.compile(r"[A-Za-z0-9_.@:%\[\]-]{1,255}")


@dataclass(frozen=True)
class SshSettings:
    """Connection settings. ``options`` are passed as ``-o``; ``interactive`` allows questions on the terminal."""

    options: tuple[str, ...] = ()
    config: Path | None = None
    interactive: bool = False
    connect_s: float = 20.0

    def command(self) -> list[str]:
        """Return the first words of every command line."""
        words = ["ssh", *(("-F", str(self.config)) if self.config else ())]
        fixed = (
            f"StrictHostKeyChecking={'ask' if self.interactive else 'yes'}",
            f"BatchMode={'no' if self.interactive else 'yes'}",
            f"ConnectTimeout={self.connect_s:.0f}",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "RequestTTY=no",
            "RemoteCommand=none",
            "LogLevel=ERROR",
        )
        return [*words, *(word for option in (*fixed, *self.options) for word in ("-o", option))]


@dataclass(frozen=True)
class Completed:
    """Exit code and output of a remote command."""

    status: int
    stdout: str
    stderr: str


class SshMaster:
    """An open connection; use it in a ``with`` block.

    Args:
        destination: ``user@host`` or a name from the user's SSH configuration.
        settings: how to connect.
        lock: file on the host that is locked while the connection is open, or None.

    Raises:
        OfflineError: the host does not answer.
        HostError: the host key is unknown or has changed, access is refused, or another operator holds the lock.
        DeployError: this machine has no ``ssh``.
    """

    def __init__(self, destination: str, settings: SshSettings, lock: str | None = None) -> None:
        if not _DESTINATION.fullmatch(destination) or destination.startswith("-"):
            raise HostError(f"{destination!r}: expected user@host, or a name from your SSH configuration.")
        if shutil.which("ssh") is None:
            raise DeployError('this machine has no "ssh". On Debian: "apt install openssh-client".')
        self.destination = destination
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="trailcam-ssh-"))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        try:
            self._open(lock)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def disconnect(self) -> None:
        """End the local processes, from another thread; calls that wait for one raise ``OfflineError``."""
        with self._guard:
            for process in self._running:
                if process.poll() is None:
                    process.terminate()

    def close(self) -> None:
        """Close the connection and end the local processes."""
        with self._guard:
            running, self._running = list(self._running), set()
        for process in reversed(running):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(_SSH_ENDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_pipes(process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def command(self, remote: str) -> list[str]:
        """Return the command line of a remote shell command; it uses this connection and never opens another."""
        words = ["-o", "ControlMaster=no", "-o", f"ControlPath={self._folder}/s", "-o", "ProxyCommand=false"]
        return [*self._settings.command(), *words, "--", self.destination, remote]

    def execute(self, remote: str, content: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a remote shell command with ``content`` on its standard input.

        Raises:
            OfflineError: the connection is lost, or ``timeout_s`` has passed; the remote command is not killed.
        """
        process = self._start(self.command(remote))
        try:
            output, errors = process.communicate(content, timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise OfflineError(f"a step did not end within {timeout_s:.0f} s.") from error
        finally:
            self._forget(process)
        return self._completed(process.returncode, output, errors)

    def stream(self, remote: str, write: Callable[[IO[bytes]], None], timeout_s: float = 3600.0) -> Completed:
        """Run a remote shell command; ``write`` writes its standard input.

        Raises:
            OfflineError: the connection is lost; what has arrived stays.
        """
        return self._run(remote, write, lambda _: None, timeout_s)

    def exchange(
        self, remote: str, content: bytes, read: Callable[[IO[bytes]], None], timeout_s: float = 3600.0
    ) -> Completed:
        """Run a remote shell command that reads all of ``content`` first; ``read`` reads its standard output.

        Raises:
            OfflineError: the connection is lost.
        """
        return self._run(remote, lambda stdin: stdin.write(content), read, timeout_s)

    def _run(
        self,
        remote: str,
        write: Callable[[IO[bytes]], object],
        read: Callable[[IO[bytes]], object],
        timeout_s: float,
    ) -> Completed:
        process = self._start(self.command(remote))
        watchdog = threading.Timer(timeout_s, process.kill)
        watchdog.start()
        stdin, stdout, stderr = (cast(IO[bytes], pipe) for pipe in (process.stdin, process.stdout, process.stderr))
        try:
            try:
                write(stdin)
                stdin.close()
            except BrokenPipeError:
                pass  # its stderr has the reason
            read(stdout)
        except BaseException:
            process.terminate()  # an incomplete input must not be taken for a complete one
            raise
        finally:
            errors = stderr.read()
            process.wait()
            watchdog.cancel()
            self._forget(process)
        return self._completed(process.returncode, b"", errors)

    def _open(self, lock: str | None) -> None:
        """Start the master; its first line of output reports that the login, and the lock, succeeded."""
        locked = f"exec 9>{lock} && flock -n 9 || {{ echo {_BUSY}; exit; }}; " if lock else ""
        script = f"{locked}echo {_READY}; exec cat >/dev/null"
        words = ["-o", "ControlMaster=yes", "-o", f"ControlPath={self._folder}/s", "-o", "ControlPersist=no"]
        process = self._start(
            [*self._settings.command(), *words, "--", self.destination, script],
            # ssh asks on the terminal of its session; without questions Ctrl-C is for this process alone.
            new_session=not self._settings.interactive,
        )
        watchdog = None
        if not self._settings.interactive:  # ConnectTimeout does not cover a server that accepts and then is silent
            watchdog = threading.Timer(3 * self._settings.connect_s, process.kill)
            watchdog.start()
        line = cast(IO[bytes], process.stdout).readline().decode(errors="replace").strip()
        if watchdog is not None:
            watchdog.cancel()
        if line == _READY:
            return
        if line == _BUSY:
            raise HostError("another operator holds its lock, or the lock is not writable. Try again later.")
        if line:
            raise HostError(f"its shell printed {line[:100]!r} at login, expected no output: check its .bashrc.")
        errors = cast(IO[bytes], process.stderr).read().decode(errors="replace")
        if process.wait() < 0:
            raise OfflineError("it accepted the connection and then sent nothing.")
        raise explain(errors, self.destination)

    def _completed(self, status: int, output: bytes, errors: bytes) -> Completed:
        text = errors.decode(errors="replace")
        if status == SSH_FAILED or status < 0:
            raise explain(text, self.destination)
        return Completed(status, output.decode(errors="replace"), text)

    def _start(self, command: list[str], new_session: bool = True) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=new_session)
        with self._guard:
            self._running.add(process)
        return process

    def _forget(self, process: "subprocess.Popen[bytes]") -> None:
        with self._guard:
            self._running.discard(process)
        _close_pipes(process)


def _close_pipes(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
