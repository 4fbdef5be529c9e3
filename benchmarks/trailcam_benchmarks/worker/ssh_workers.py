"""Run the workers of a benchmark on another machine, over the system's ``ssh``.

    here                            there
    ssh HOST sh -s                  find trailcam, make a folder for the bundles
    ssh HOST tar -x                 the bundles, and the pictures of --data
    ssh HOST trailcam benchmark --child    one process per round: request on stdin, replies on stdout
    ssh HOST rm -r                  the folder

Each reply arrives immediately after its measurement, so a lost connection costs one round. All commands share one
connection, which is idle while frames are timed. ``~/.ssh/config`` applies; a host key must be known already, and
``ssh`` never asks.
"""

import contextlib
import shlex
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from trailcam_benchmarks.host.machine import Condition, Machine
from trailcam_benchmarks.worker.spawn import LostError, Replies, WorkerError, request_one, run_worker
from trailcam_benchmarks.worker.worker import PROTOCOL, Request
from trailcam_core.errors import DeployError
from trailcam_core.network.ssh.errors import HostError, OfflineError, last_lines
from trailcam_core.network.ssh.master import SSH_FAILED, SshMaster, SshSettings

_STEP_S = 120.0  # to find trailcam, and to remove the folder
_COPY_S = 1800.0
_NOT_FOUND, _USAGE = 127, 2
# /var/tmp rather than /tmp, which is in the memory of the board since Debian 13.
_PREPARE = """
for program in {programs}; do
    found=$(command -v "$program" 2>/dev/null) && break
done
[ -n "$found" ] || exit 127
folder=$(mktemp -d /var/tmp/trailcam-benchmark.XXXXXX) || exit 1
printf '%s\\n' "$found" "$folder"
"""
_PROGRAMS = (
    "trailcam",
    "/usr/local/bin/trailcam",
    "/opt/trailcam/bin/trailcam",
    '"$HOME/trailcam/bin/trailcam"',
    '"$HOME/.local/bin/trailcam"',
)
_INSTALL = (
    'Install it there as in docs/field-manual.md: "python3 -m venv ~/trailcam && ~/trailcam/bin/pip install '
    'PATH_OF_A_CHECKOUT"; or name its path with --program.'
)


@dataclass
class SshWorkers:
    """A machine that is ready to measure; made by ``connect``. ``measure`` takes ``run`` and ``probe``."""

    host: str
    master: SshMaster
    program: str
    folder: str
    remote_paths: dict[str, str] = field(default_factory=dict)  # by path on this machine

    def send(self, bundles: Sequence[Path], pictures: Sequence[Path]) -> None:
        """Copy bundles and pictures; a path that is no folder is not copied and becomes a row with the reason.

        Raises:
            DeployError: they do not arrive.
        """
        files: list[tuple[Path, str]] = []
        for number, bundle in enumerate(bundles):
            if bundle.is_dir():
                self.remote_paths[str(bundle)] = f"{self.folder}/{number}.bundle"
                files += [(file, f"{number}.bundle/{file.name}") for file in sorted(bundle.iterdir()) if file.is_file()]
        for number, picture in enumerate(pictures):
            self.remote_paths[str(picture)] = f"{self.folder}/pictures/{number}{picture.suffix}"
            files.append((picture, f"pictures/{number}{picture.suffix}"))

        def write(stdin: IO[bytes]) -> None:
            with tarfile.open(fileobj=stdin, mode="w|", dereference=True) as archive:
                for file, name in files:
                    archive.add(file, name, recursive=False)

        with _named(self.host):
            done = self.master.stream(f"tar -xf - -C {shlex.quote(self.folder)}", write, _COPY_S)
        if done.status:
            raise DeployError(
                f"{self.host}: the bundles did not arrive ({last_lines(done.stderr, 1)}). Is its disk full? They need "
                f"{sum(file.stat().st_size for file, _ in files) / 1e6:.0f} MB below /var/tmp."
            )

    def run(self, request: Request) -> Replies:
        """Run a worker there, as ``spawn.run_worker`` does here.

        Raises:
            WorkerError: as there.
            LostError: the connection broke.
        """
        if request.bundle and request.bundle not in self.remote_paths:
            raise WorkerError(f"{request.bundle}: no such bundle.")
        there = replace(
            request,
            bundle=self.remote_paths.get(request.bundle, ""),
            pictures=tuple(self.remote_paths[picture] for picture in request.pictures),
        )
        # The shell in between turns the signal that ends a process into an exit code; ssh alone would report 255.
        script = f"{shlex.quote(self.program)} benchmark --child; exit $?"
        try:
            yield from run_worker(there, tuple(self.master.command(f"sh -c {shlex.quote(script)}")))
        except WorkerError as error:
            if error.code == SSH_FAILED:
                raise LostError(f"the connection to {self.host} broke") from error
            raise

    def probe(self) -> tuple[Machine, Condition]:
        """Describe that machine and read its condition.

        Raises:
            DeployError: its Trailcam is of another version.
            LostError: the connection broke.
        """
        try:
            found = request_one(self.run, Request("probe", "", 1))
        except WorkerError as error:
            if error.code != _USAGE:
                raise LostError(f"{self.host} does not describe itself: {error}") from error
            found = {}
        if found.get("protocol") != PROTOCOL:
            raise DeployError(
                f"{self.host}: its Trailcam ({self.program}) is of another version than the one here, and the two "
                "cannot exchange requests. Install the same one there."
            )
        return Machine(**found["machine"]), Condition(**found["condition"])


@contextlib.contextmanager
def connect(host: str, program: str | None = None, config: Path | None = None) -> Iterator[SshWorkers]:
    """Log in, find ``trailcam`` and make a folder; at the end the folder is removed and the connection closed.

    Args:
        host: as ``ssh`` takes it: pi@camera, or a name of ``~/.ssh/config``.
        program: path of ``trailcam`` on that machine, if it is in none of the usual places.
        config: for ``ssh -F``.

    Raises:
        DeployError: there is no ssh here, the login fails, or there is no Trailcam.
    """
    with _named(host):
        master = SshMaster(host, SshSettings(config=config))
    with master:
        found, folder = _prepare(master, program)
        try:
            yield SshWorkers(host, master, found, folder)
        finally:  # if the machine is out of reach by now, its own cleaning of /var/tmp removes the folder
            with contextlib.suppress(HostError):
                master.execute(f"rm -rf {shlex.quote(folder)}", timeout_s=_STEP_S)


def _prepare(master: SshMaster, program: str | None) -> tuple[str, str]:
    host = master.destination
    programs = _PROGRAMS if program is None else (shlex.quote(program),)
    script = _PREPARE.format(programs=" ".join(programs))
    with _named(host):
        done = master.execute("sh -s", script.encode(), _STEP_S)
    lines = done.stdout.splitlines()
    if done.status == _NOT_FOUND:
        where = program or "on its PATH or in the usual places"
        raise DeployError(f"{host}: no Trailcam there ({where}). {_INSTALL}")
    if done.status or len(lines) != 2:
        raise DeployError(f"{host}: cannot make a folder below /var/tmp there ({last_lines(done.stderr, 1)}).")
    return lines[0], lines[1]


@contextlib.contextmanager
def _named(host: str) -> Iterator[None]:
    """Add the host's name to the errors of a connection."""
    try:
        yield
    except OfflineError as error:
        raise DeployError(f'{host}: {error} Is it switched on, and does "ssh {host} true" work?') from error
    except HostError as error:
        raise DeployError(f"{host}: {error}") from error
