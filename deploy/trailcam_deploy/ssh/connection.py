"""Commands as root on a device, over one SSH connection that keeps other operators away."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from trailcam_core.network.ssh.errors import HostError, last_lines
from trailcam_core.network.ssh.master import SshMaster, SshSettings

_LOCK = "/run/lock/trailcam-deploy.lock"  # on a RAM disk: a device with a read-only disk can be inspected


class Connection(SshMaster):
    """A device that answers; use it in a ``with`` block.

    Args:
        destination: ``user@host`` or a name from the user's SSH configuration.
        settings: how to connect.
        lock: keep other operators away while it is open.
        ask_password: returns the password that ``sudo`` asks for there; None without a terminal.

    Raises:
        OfflineError: it does not answer.
        HostError: the host key is unknown or has changed, access is refused, or another operator holds the lock.
    """

    def __init__(
        self,
        destination: str,
        settings: SshSettings,
        lock: bool = True,
        ask_password: Callable[[], str] | None = None,
    ) -> None:
        self._ask_password = ask_password
        self._password_line = b""
        self._sudo: list[str] | None = None
        super().__init__(destination, settings, _LOCK if lock else None)

    def run(self, script: str, *words: str, timeout_s: float = 60.0) -> str:
        """Run a shell script as root and return its output.

        Args:
            script: for ``sh -eu``; it is sent over standard input, so no process list shows it.
            words: its ``$1``, ``$2``, ...
            timeout_s: until the caller gives up; the remote script is not killed.

        Raises:
            OfflineError: the connection is lost.
            HostError: the script failed; its last lines are in the message.
        """
        status, output, errors = self.try_run(script, *words, timeout_s=timeout_s)
        if status != 0:
            raise HostError(last_lines(errors or output) or f"a step ended with exit code {status} and no output.")
        return output

    def try_run(self, script: str, *words: str, timeout_s: float = 60.0) -> tuple[int, str, str]:
        """Run a shell script as root; return its exit code, output and errors. See ``run``."""
        body = f"{{\n{script}\n}} </dev/null\n"  # read whole before it runs, and nothing in it consumes the rest
        command = [*self._become_root(), "sh", "-eu", "-s", "--", *words]
        done = self.execute(shlex.join(command), self._password_line + body.encode(), timeout_s)
        return done.status, done.stdout, done.stderr

    def send(
        self,
        script: str,
        words: Sequence[str],
        content: Iterable[bytes],
        moved: Callable[[int], None],
        timeout_s: float = 3600.0,
    ) -> None:
        """Run a shell script as root with ``content`` on its standard input; ``moved`` gets the size of each chunk.

        Raises:
            OfflineError: the connection is lost; what has arrived stays.
            HostError: the script failed.
        """

        def write(stdin: IO[bytes]) -> None:
            stdin.write(self._password_line)
            for chunk in content:
                stdin.write(chunk)
                moved(len(chunk))

        command = [*self._become_root(), "sh", "-euc", script, "sh", *words]
        done = self.stream(shlex.join(command), write, timeout_s)
        if done.status != 0:
            raise HostError(last_lines(done.stderr) or f"the files cannot be written there ({done.status}).")

    def receive(
        self, words: Sequence[str], content: bytes, read: Callable[[IO[bytes]], None], timeout_s: float = 3600.0
    ) -> None:
        """Run a program as root with ``content`` on its standard input; ``read`` reads its standard output.

        Raises:
            OfflineError: the connection is lost.
            HostError: the program failed.
        """
        command = shlex.join([*self._become_root(), *words])
        done = self.exchange(command, self._password_line + content, read, timeout_s)
        if done.status != 0:
            raise HostError(last_lines(done.stderr) or f"a step ended with exit code {done.status} and no output.")

    def _become_root(self) -> list[str]:
        """Return the prefix of a command as root: none, or ``sudo`` with or without a password on standard input."""
        if self._sudo is None:
            words = self.execute(shlex.join(["sh", "-c", "id -u; sudo -n true && echo free; exit 0"])).stdout.split()
            if words[:1] == ["0"]:
                self._sudo = []
            elif "free" in words:
                self._sudo = ["sudo", "-n"]
            elif self._ask_password is None:
                raise HostError(
                    'its user may not become root without a password ("sudo -n true" fails). Deploy to it alone and '
                    "on a terminal, where you can be asked, or allow it in /etc/sudoers.d."
                )
            else:
                self._password_line = f"{self._ask_password()}\n".encode()
                self._sudo = ["sudo", "-k", "-S", "-p", ""]
        return self._sudo
