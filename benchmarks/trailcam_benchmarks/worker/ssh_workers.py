"""The same benchmark on another machine: every process of a measurement is started there, over the system's ``ssh``.

    here                            there
    ssh HOST sh -s                  where is trailcam? a folder for the bundles
    ssh HOST tar -x                 the bundles, and the pictures of --data
    ssh HOST trailcam benchmark --child    one process per round: request on stdin, answers on stdout
    ssh HOST rm -r                  the folder

Each answer is here as soon as it is given, so a connection that breaks costs one round and nothing that was measured.
All of them share one connection, which is idle while frames are timed. ``~/.ssh/config`` holds; a host key must be
known already, and nothing is asked.
"""

import contextlib
import shlex
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.worker.spawn import Answers, ChildError, LostError, ask, run_child
from trailcam_benchmarks.worker.worker import PROTOCOL, Request
from trailcam_core.errors import DeployError

__all__ = ["Remote", "connect"]

_CONNECT_S = 15
_ALIVE_S, _ALIVE_COUNT = 10, 3  # a peer that says nothing for 30 s is gone
_STEP_S = 120.0  # to log in, or to look for trailcam
_COPY_S = 1800.0
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": str(_CONNECT_S),
    "ServerAliveInterval": str(_ALIVE_S),
    "ServerAliveCountMax": str(_ALIVE_COUNT),
    "ClearAllForwardings": "yes",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}
_SSH_FAILED, _NOT_FOUND, _USAGE = 255, 127, 2
_SAID = "trailcam-benchmark:"  # a login that prints a greeting must not be taken for an answer
# /var/tmp rather than /tmp, which lies in the memory of the board since Debian 13.
_PREPARE = """
for program in {programs}; do
    found=$(command -v "$program" 2>/dev/null) && break
done
[ -n "$found" ] || exit 127
folder=$(mktemp -d /var/tmp/trailcam-benchmark.XXXXXX) || exit 1
printf '{said}%s\\n' "$found" "$folder"
"""
_PROGRAMS = (
    "trailcam",
    "/usr/local/bin/trailcam",
    "/opt/trailcam/bin/trailcam",
    '"$HOME/trailcam/bin/trailcam"',
    '"$HOME/.local/bin/trailcam"',
)
_INSTALL = (
    'Install it there, as docs/field-manual.md says: "python3 -m venv ~/trailcam && ~/trailcam/bin/pip install '
    'PATH_OF_A_CHECKOUT"; or say where it is with --program.'
)


@dataclass
class Remote:
    """A machine that is ready to measure; ``connect`` makes it. ``run`` and ``look`` are what ``measure`` takes."""

    host: str
    ssh: tuple[str, ...]
    program: str
    folder: str
    places: dict[str, str] = field(default_factory=dict)  # path here -> path there

    def send(self, bundles: Sequence[Path], pictures: Sequence[Path]) -> None:
        """Copy bundles and pictures; a bundle that is none stays here and becomes a row that says so.

        Raises:
            DeployError: they do not arrive.
        """
        files: list[tuple[Path, str]] = []
        for number, bundle in enumerate(bundles):
            if bundle.is_dir():
                self.places[str(bundle)] = f"{self.folder}/{number}.bundle"
                files += [(file, f"{number}.bundle/{file.name}") for file in sorted(bundle.iterdir()) if file.is_file()]
        for number, picture in enumerate(pictures):
            self.places[str(picture)] = f"{self.folder}/pictures/{number}{picture.suffix}"
            files.append((picture, f"pictures/{number}{picture.suffix}"))
        command = (*self.ssh, self.host, f"tar -xf - -C {shlex.quote(self.folder)}")
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=errors, stderr=errors)
            with (
                contextlib.suppress(BrokenPipeError),
                cast(IO[bytes], process.stdin) as stdin,
                tarfile.open(fileobj=stdin, mode="w|", dereference=True) as archive,
            ):
                for file, name in files:
                    archive.add(file, name, recursive=False)
            if _ended(process, _COPY_S) != 0:
                raise DeployError(
                    f"{self.host}: the bundles did not arrive ({_last_line(errors)}). Is its disk full? It takes "
                    f"{sum(file.stat().st_size for file, _ in files) / 1e6:.0f} MB below /var/tmp."
                )

    def run(self, request: Request) -> Answers:
        """Do there what ``processes.run_child`` does here.

        Raises:
            ChildError: as there.
            LostError: the connection broke.
        """
        if request.bundle and request.bundle not in self.places:
            raise ChildError(f"{request.bundle}: no such bundle.")
        there = replace(
            request,
            bundle=self.places.get(request.bundle, ""),
            pictures=tuple(self.places[picture] for picture in request.pictures),
        )
        # The shell in between turns the signal that ends a process into an exit code; ssh alone would say 255.
        script = f"{shlex.quote(self.program)} benchmark --child; exit $?"
        try:
            yield from run_child(there, (*self.ssh, self.host, f"sh -c {shlex.quote(script)}"))
        except ChildError as error:
            if error.code == _SSH_FAILED:
                raise LostError(f"the connection to {self.host} broke") from error
            raise

    def look(self) -> tuple[Machine, Condition]:
        """Look at that machine.

        Raises:
            DeployError: its Trailcam is not like this one.
            LostError: the connection broke.
        """
        try:
            found = ask(self.run, Request("look", "", 1))
        except ChildError as error:
            if error.code != _USAGE:
                raise LostError(f"{self.host} does not say what it is: {error}") from error
            found = {}
        if found.get("protocol") != PROTOCOL:
            raise DeployError(
                f"{self.host}: its Trailcam ({self.program}) is not of the version that runs here, so the two do not "
                "understand each other. Install the same one there."
            )
        return Machine(**found["machine"]), Condition(**found["condition"])


@contextlib.contextmanager
def connect(host: str, program: str | None = None, options: Sequence[str] = ()) -> Iterator[Remote]:
    """Log in, find ``trailcam`` and make a folder; at the end the folder is removed and the connection closed.

    Args:
        host: as ``ssh`` takes it: pi@camera, or a name of ``~/.ssh/config``.
        program: where ``trailcam`` is on that machine, if not in one of the usual places.
        options: more words for ``ssh``, such as -F FILE.

    Raises:
        DeployError: there is no ssh here, it does not get in, or there is no Trailcam.
    """
    if host.startswith("-") or not host.strip():
        raise DeployError(f"{host!r} is no host, expected one such as pi@camera")
    with tempfile.TemporaryDirectory(prefix="trailcam-ssh-") as scratch:
        base = ("ssh", *options, *(word for item in _OPTIONS.items() for word in ("-o", "=".join(item))))
        ssh = (*base, "-o", "ControlMaster=no", "-o", f"ControlPath={scratch}/s")
        with _master((*base, "-o", "ControlMaster=yes", "-o", f"ControlPath={scratch}/s"), host, Path(scratch)):
            found, folder = _prepare(ssh, host, program)
            try:
                yield Remote(host, ssh, found, folder)
            finally:
                _remove(ssh, host, folder)


@contextlib.contextmanager
def _master(ssh: tuple[str, ...], host: str, scratch: Path) -> Iterator[None]:
    """Keep the one connection that all commands go through; without it each would open its own."""
    with open(scratch / "errors", "w+b") as errors:
        try:
            process = subprocess.Popen(
                (*ssh, "-N", host),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is ours: the folder there is removed through it
            )
        except FileNotFoundError as error:
            raise DeployError('there is no program "ssh" here. On Debian: "apt install openssh-client".') from error
        try:
            deadline_s = time.monotonic() + _STEP_S
            while not (scratch / "s").exists():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise DeployError(_refusal(host, _last_line(errors)))
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait()


def _prepare(ssh: tuple[str, ...], host: str, program: str | None) -> tuple[str, str]:
    programs = _PROGRAMS if program is None else (shlex.quote(program),)
    script = _PREPARE.format(programs=" ".join(programs), said=_SAID)
    try:
        done = subprocess.run((*ssh, host, "sh -s"), input=script, capture_output=True, text=True, timeout=_STEP_S)
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"{host}: logs in but runs no command within {_STEP_S:.0f} s.") from error
    said = [line.removeprefix(_SAID) for line in done.stdout.splitlines() if line.startswith(_SAID)]
    if done.returncode == _NOT_FOUND:
        where = program or "on its PATH or in the usual places"
        raise DeployError(f"{host}: no Trailcam there ({where}). {_INSTALL}")
    if done.returncode or len(said) != 2:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(f"{host}: cannot make a folder below /var/tmp there ({last}).")
    return said[0], said[1]


def _remove(ssh: tuple[str, ...], host: str, folder: str) -> None:
    """Remove the folder there; where the machine is out of reach by now, its own cleaning of /var/tmp has to do."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            (*ssh, host, f"rm -rf {shlex.quote(folder)}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * _CONNECT_S,
        )


def _refusal(host: str, said: str) -> str:
    if "host key" in said.lower():
        return (
            f"{host}: its host key is not known here, or is another than it was ({said}). Compare the fingerprint "
            f'at the device ("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"), then log in once with "ssh {host}".'
        )
    if "permission denied" in said.lower():
        return f'{host}: it does not let us in without a password ({said}). Give it your key: "ssh-copy-id {host}".'
    return f'{host}: SSH does not get there ({said}). Is it switched on, and does "ssh {host} true" work?'


def _ended(process: "subprocess.Popen[bytes]", limit_s: float) -> int | None:
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    return (errors.read().decode("utf-8", "replace").strip().splitlines() or ["no answer"])[-1].strip()
