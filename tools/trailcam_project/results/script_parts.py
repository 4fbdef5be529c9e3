"""Parts of the project's own figures that other programs of this package measure, each a process of its own."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trailcam_benchmarks.host.machine import Condition, Machine, describe_machine, read_condition
from trailcam_benchmarks.results.schema import build, read_record, to_text
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.cores import usable_cores
from trailcam_core.errors import DataError
from trailcam_project.results.parts import NotWanted, Wanted, settle
from trailcam_project.versus.compare_programs import Contest

__all__ = ["Compared", "Printed", "Said"]

_END_S = 30.0  # for a program to write what it has


@dataclass(frozen=True)
class Printed:
    """What a script printed, line by line, and where; ``command`` without paths of this machine."""

    command: str
    started: str
    machine: Machine
    before: Condition
    after: Condition
    lines: tuple[dict[str, Any], ...]
    schema_version: int = 1


@dataclass(frozen=True)
class Said:
    """What scripts of this package print as JSON lines.

    ``scripts`` gives their words, and what is shown in the place of some of them.
    """

    scripts: Callable[[Wanted], tuple[list[list[str]], dict[str, str]]]

    def make(self, wanted: Wanted, partial: Path) -> bytes:  # noqa: ARG002 - all parts are made alike
        """Run them one after the other."""
        scripts, hidden = self.scripts(wanted)
        settle(wanted)
        started, before = _now(), read_condition()
        lines = [json.loads(line) for words in scripts for line in _run(words).splitlines()]
        command = _shown(scripts, hidden)
        return to_text(Printed(command, started, describe_machine(), before, read_condition(), tuple(lines)))

    def stale(self, wanted: Wanted, path: Path) -> str:
        """Compare the commands."""
        try:
            scripts, hidden = self.scripts(wanted)
        except NotWanted:
            return ""
        there = read_record(path).get("command")
        return "" if there == _shown(scripts, hidden) else f"it is of the command {there!r}"


@dataclass(frozen=True)
class Compared:
    """Trailcam beside other programs; ``bundle`` gives what both classify with."""

    bundle: Callable[[Wanted], Path]
    count: int
    rounds: int

    def make(self, wanted: Wanted, partial: Path) -> bytes:
        """Compare; the other program writes what it has to ``partial``."""
        words = [
            "versus",
            "--bundle",
            str(self.bundle(wanted)),
            "--rounds",
            str(self.rounds),
            "--count",
            str(self.count),
            "--cores",
            ",".join(str(count) for count in (1, 2) if count <= usable_cores()),
        ]
        if wanted.keras is not None:
            words += ["--keras", str(wanted.keras)]
        settle(wanted)
        _run([*words, "--out", str(partial)])
        return partial.read_bytes()

    def stale(self, wanted: Wanted, path: Path) -> str:
        """Compare the bundle, and how many rounds and pictures there are."""
        found: Contest = build(Contest, read_record(path))
        if (found.rounds, found.pictures) != (self.rounds, self.count):
            return f"it has {found.rounds} rounds of {found.pictures} pictures"
        other = found.sha256 != open_bundle(self.bundle(wanted)).manifest.model.sha256
        return "it is of another bundle" if wanted.named and other else ""


def _shown(scripts: Sequence[Sequence[str]], hidden: dict[str, str]) -> str:
    shown = [" ".join(hidden.get(word, word) for word in words) for words in scripts]
    return "; ".join(f"python -m trailcam_benchmarks.{words}" for words in shown)


def _run(words: Sequence[str]) -> str:
    """Return what a script of this package prints; an interruption is passed on once, and it may write what it has."""
    command = [sys.executable, "-m", f"trailcam_benchmarks.{words[0]}", *words[1:]]
    # A session of its own: Ctrl-C of the terminal would reach it beside ours, and a second one while it writes.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_END_S)
            process.kill()
            raise
    if process.returncode:
        raise DataError(f"{words[0]} ended with exit code {process.returncode}; what it said stands above.")
    return printed


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
