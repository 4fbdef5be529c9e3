"""One connection to a device, by the system's own ``ssh``: its configuration, agents, jump hosts and known hosts apply.

A master (``ControlMaster``) is opened once and every command goes through it. Its own session waits for the end of its
input, so it ends with this process however that dies, and it holds a lock on the device all the while: two operators
cannot work on one camera at once. Host keys are checked strictly whatever the person's configuration says; on a
terminal ``ssh`` itself shows an unknown key and asks.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from trailcam_core.errors import DeployError
from trailcam_deploy.ssh.errors import HostError, OfflineError, explain, last_lines

__all__ = ["Connection", "SshSettings"]

_READY, _BUSY = "trailcam-ready", "trailcam-busy"
_LOCK = "/run/lock/trailcam-deploy.lock"  # on a RAM disk: a device that is read-only can be looked at
_LOST = 255  # ssh's own failures: ssh(1), "EXIT STATUS"
_SSH_ENDS_S = 5.0
_DESTINATION = re.compile(r"[A-Za-z0-9_.@:%\[\]-]{1,255}")


@dataclass(frozen=True)
class SshSettings:
    """How to connect. ``options`` go to ``ssh`` as ``-o``; ``interactive`` lets it ask on the terminal."""

    options: tuple[str, ...] = ()
    config: Path | None = None
    interactive: bool = False
    connect_s: float = 20.0

    def command(self) -> list[str]:
        """Return the beginning of every command line."""
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


class Connection:
    """A device that answers; use it in a ``with`` block.

    Args:
        destination: ``user@host`` or a name from the person's SSH configuration.
        settings: how to connect.
        lock: keep other operators away while it is open.
        ask_password: gives the password that ``sudo`` wants there; None where nobody can be asked.

    Raises:
        OfflineError: nobody answers.
        HostError: the host key is unknown or has changed, access is refused, or another operator is at work.
    """

    def __init__(
        self,
        destination: str,
        settings: SshSettings,
        lock: bool = True,
        ask_password: Callable[[], str] | None = None,
    ) -> None:
        if not _DESTINATION.fullmatch(destination) or destination.startswith("-"):
            raise HostError(f"{destination!r}: expected user@host, or a name from your SSH configuration.")
        if shutil.which("ssh") is None:
            raise DeployError('this machine has no "ssh": install OpenSSH\'s client.')
        self.destination = destination
        self._settings = settings
        self._ask_password = ask_password
        self._password: str | None = None
        self._sudo: list[str] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="trailcam-ssh-"))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        try:
            self._master = self._open(lock)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hang_up(self) -> None:
        """End what is running on this side, from another thread: whoever waits for it gets an ``OfflineError``."""
        with self._guard:
            for process in self._running:
                if process.poll() is None:
                    process.terminate()

    def close(self) -> None:
        """Hang up; commands that are running on this side are ended."""
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
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, script: str, *words: str, timeout_s: float = 60.0) -> str:
        """Run a shell script as root and return what it printed.

        Args:
            script: for ``sh -eu``; it goes over standard input, so no process list shows it.
            words: its ``$1``, ``$2``, ...
            timeout_s: until this side gives up; what runs there is not killed by that.

        Raises:
            OfflineError: the connection is lost.
            HostError: the script failed; its last lines are in the message.
        """
        body = f"{{\n{script}\n}} </dev/null\n"  # read whole before it runs, and nothing in it eats the rest
        status, output, said = self._root(["sh", "-eu", "-s", "--", *words], body.encode(), timeout_s)
        if status != 0:
            raise HostError(last_lines(said or output) or f"a step ended with {status} and said nothing.")
        return output

    def send(
        self,
        script: str,
        words: Sequence[str],
        content: Iterable[bytes],
        moved: Callable[[int], None],
        timeout_s: float = 3600.0,
    ) -> None:
        """Run a shell script as root with ``content`` on its standard input; ``moved`` is told the bytes as they go.

        Raises:
            OfflineError: the connection is lost; what has arrived stays.
            HostError: the script failed.
        """
        command = [*self._become(), "sh", "-euc", script, "sh", *words]
        process = self._start([*self._through(), shlex.join(command)])
        watchdog = threading.Timer(timeout_s, process.kill)
        watchdog.start()
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert process.stderr is not None  # noqa: S101
        try:
            process.stdin.write(self._password_line())
            for chunk in content:
                process.stdin.write(chunk)
                moved(len(chunk))
            process.stdin.close()
        except BrokenPipeError:
            pass  # its last words say why
        except BaseException:
            process.terminate()  # half of it must not look like all of it
            raise
        finally:
            said = process.stderr.read().decode(errors="replace")
            status = process.wait()
            watchdog.cancel()
            self._forget(process)
        self._check(status, said)
        if status != 0:
            raise HostError(last_lines(said) or f"what was sent cannot be written there ({status}).")

    def _open(self, lock: bool) -> "subprocess.Popen[bytes]":
        """Start the master; its first line says that everything before it went well."""
        held = f"exec 9>{_LOCK} && flock -n 9 || {{ echo {_BUSY}; exit; }}; " if lock else ""
        script = f"{held}echo {_READY}; exec cat >/dev/null"
        words = ["-o", "ControlMaster=yes", "-o", f"ControlPath={self._folder}/s", "-o", "ControlPersist=no"]
        process = self._start(
            [*self._settings.command(), *words, "--", self.destination, script],
            # ssh asks on the terminal of its session; without questions Ctrl-C is for us alone.
            new_session=not self._settings.interactive,
        )
        patience = None
        if not self._settings.interactive:  # ConnectTimeout does not cover a server that accepts and then is silent
            patience = threading.Timer(3 * self._settings.connect_s, process.kill)
            patience.start()
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        assert process.stderr is not None  # noqa: S101
        line = process.stdout.readline().decode(errors="replace").strip()
        if patience is not None:
            patience.cancel()
        if line == _READY:
            return process
        if line == _BUSY:
            raise HostError(
                "another operator is at work on it (or may not share the lock). Try again when they are done."
            )
        said = line or process.stderr.read().decode(errors="replace")
        status = 0 if line else process.wait()
        if status < 0:
            raise OfflineError("it accepted the connection and then said nothing.")
        self._check(_LOST, said)
        raise HostError(f"its shell answers with {said[:100]!r}, expected an ordinary one such as bash.")

    def _root(self, command: list[str], content: bytes, timeout_s: float) -> tuple[int, str, str]:
        return self._talk([*self._become(), *command], self._password_line() + content, timeout_s)

    def _become(self) -> list[str]:
        """Return what makes a command root's: nothing, or ``sudo`` with or without a password on standard input."""
        if self._sudo is None:
            _, output, _ = self._talk(["sh", "-c", "id -u; sudo -n true && echo free; exit 0"], b"", 60)
            words = output.split()
            if words[:1] == ["0"]:
                self._sudo = []
            elif "free" in words:
                self._sudo = ["sudo", "-n"]
            elif self._ask_password is None:
                raise HostError(
                    'its user may not become root without a password ("sudo -n true" fails). Work on it alone and on a '
                    "terminal, where you can be asked, or allow it in /etc/sudoers.d."
                )
            else:
                self._password = self._ask_password()
                self._sudo = ["sudo", "-k", "-S", "-p", ""]
        return self._sudo

    def _password_line(self) -> bytes:
        return b"" if self._password is None else f"{self._password}\n".encode()

    def _talk(self, command: list[str], content: bytes, timeout_s: float) -> tuple[int, str, str]:
        process = self._start([*self._through(), shlex.join(command)])
        try:
            output, said = process.communicate(content, timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise OfflineError(f"a step did not end within {timeout_s:.0f} s.") from error
        finally:
            self._forget(process)
        text = said.decode(errors="replace")
        self._check(process.returncode, text)
        return process.returncode, output.decode(errors="replace"), text

    def _through(self) -> list[str]:
        """Return the command line that goes through the master and never opens a connection of its own."""
        words = ["-o", "ControlMaster=no", "-o", f"ControlPath={self._folder}/s", "-o", "ProxyCommand=false"]
        return [*self._settings.command(), *words, "--", self.destination]

    def _start(self, command: list[str], new_session: bool = True) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=new_session)
        with self._guard:
            self._running.add(process)
        return process

    def _forget(self, process: "subprocess.Popen[bytes]") -> None:
        with self._guard:
            self._running.discard(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def _check(self, status: int, said: str) -> None:
        if status == _LOST or status < 0:
            raise explain(said, self.destination)
