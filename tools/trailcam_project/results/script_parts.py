"""Parts of the project's figures that other programs of this package measure, each in a separate process."""

import contextlib
import json
import shlex
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
from trailcam_core.errors import DataError
from trailcam_core.jobs.cores import usable_cores
from trailcam_project.program_comparison.compare_programs import ProgramComparison
from trailcam_project.results.result_parts import PartOptions, PartSkippedError, wait_for_idle_host

_END_S = 30.0  # for a program to write its figures so far


@dataclass(frozen=True)
class ScriptOutput:
    """The lines that a script printed, and the machine; ``command`` is without paths of this machine."""

    command: str
    started: str
    machine: Machine
    before: Condition
    after: Condition
    lines: tuple[dict[str, Any], ...]
    schema_version: int = 1


@dataclass(frozen=True)
class ScriptPart:
    """JSON lines printed by scripts of this package.

    ``scripts`` returns their command lines, and replacements for words that must not be shown.
    """

    scripts: Callable[[PartOptions], tuple[list[list[str]], dict[str, str]]]

    def make(self, options: PartOptions, partial: Path) -> bytes:  # noqa: ARG002 - all parts are made alike
        """Run the scripts one after the other."""
        scripts, hidden = self.scripts(options)
        wait_for_idle_host(options)
        started, before = _now(), read_condition()
        lines = [json.loads(line) for words in scripts for line in _run(words).splitlines()]
        command = _shown(scripts, hidden)
        return to_text(ScriptOutput(command, started, describe_machine(), before, read_condition(), tuple(lines)))

    def stale(self, options: PartOptions, path: Path) -> str:
        """Compare the commands."""
        try:
            scripts, hidden = self.scripts(options)
        except PartSkippedError:
            return ""
        stored = read_record(path).get("command")
        return "" if stored == _shown(scripts, hidden) else f"its command is {stored!r}"


@dataclass(frozen=True)
class ComparisonPart:
    """Trailcam beside other programs; ``bundle`` returns the bundle of all programs."""

    bundle: Callable[[PartOptions], Path]
    count: int
    rounds: int

    def make(self, options: PartOptions, partial: Path) -> bytes:
        """Compare the programs; after an interruption ``partial`` has the runs so far."""
        words = [
            "trailcam_project.program_comparison",
            "--bundle",
            str(self.bundle(options)),
            "--rounds",
            str(self.rounds),
            "--count",
            str(self.count),
            "--cores",
            ",".join(str(count) for count in (1, 2) if count <= usable_cores()),
        ]
        if options.keras is not None:
            words += ["--keras", str(options.keras)]
        wait_for_idle_host(options)
        _run([*words, "--out", str(partial)])
        return partial.read_bytes()

    def stale(self, options: PartOptions, path: Path) -> str:
        """Compare the bundle and the numbers of rounds and pictures."""
        found: ProgramComparison = build(ProgramComparison, read_record(path))
        if (found.rounds, found.pictures) != (self.rounds, self.count):
            return f"it has {found.rounds} rounds of {found.pictures} pictures"
        other = found.sha256 != open_bundle(self.bundle(options)).manifest.model.sha256
        return "its bundle differs" if options.named and other else ""


def _shown(scripts: Sequence[Sequence[str]], hidden: dict[str, str]) -> str:
    shown = [shlex.join(hidden.get(word, word) for word in words) for words in scripts]
    return "; ".join(f"python -m {words}" for words in shown)


def _run(words: Sequence[str]) -> str:
    """Return the output of a script of this package; it receives an interruption once, to write its figures so far."""
    command = [sys.executable, "-m", words[0], *words[1:]]
    # A separate session: otherwise Ctrl-C of the terminal would reach it too, and a second one while it writes.
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
        raise DataError(f"{words[0]} ended with exit code {process.returncode}; its messages are above.")
    return printed


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
