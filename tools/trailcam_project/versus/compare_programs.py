"""Run programs in turns over the same pictures and time the lines that they print; ``versus`` is the command.

Each program runs several times in a fresh process, every second time backwards, with each number of cores. What a
program says and takes is seen from outside: lines on its standard output, memory and processor time as the kernel
counts them.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

import numpy as np

from trailcam_benchmarks.host.machine import Condition, Machine, describe_machine, read_condition, read_memory_mb
from trailcam_benchmarks.host.virtual_environments import python_of
from trailcam_benchmarks.statistics import Ratio, paired_ratio, quantile
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.cores import usable_cores
from trailcam_core.errors import DeviceError
from trailcam_project.versus.competitors import OURS, Material, Rival

__all__ = ["WARMUP_PICTURES", "Contest", "Outcome", "ProgramError", "ProgramRow", "run_contest", "say", "time_program"]

WARMUP_PICTURES = 5
_LIMIT_S = 1800.0  # for one run of one program

_Turn = tuple[str, int]  # a program's name, the number of its cores


@dataclass(frozen=True)
class Outcome:
    """One run of one program: milliseconds to the first answer and between answers, the most memory, the labels.

    ``busy_cores`` is processor time by time over the pictures after warming up: how many threads really worked.
    """

    startup_ms: float
    picture_ms: tuple[float, ...]
    peak_mb: float | None
    labels: dict[str, str]
    busy_cores: float | None = None


@dataclass(frozen=True)
class ProgramRow:
    """A program with a number of cores; ratios are to Trailcam in the same round with as many.

    ``same_labels`` is the share of pictures with our label. ``cores`` is None where all programs had those of the
    ``Contest``. ``busy_cores`` is the median over rounds, see ``Outcome``.
    """

    name: str
    state: str
    reason: str
    note: str
    versions: dict[str, str]
    startup_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    peak_mb: float | None = None
    startup_over_ours: Ratio | None = None
    p50_over_ours: Ratio | None = None
    peak_over_ours: Ratio | None = None
    same_labels: float | None = None
    cores: int | None = None
    busy_cores: float | None = None


@dataclass(frozen=True)
class Contest:
    """The whole comparison, as its JSON file has it; ``cores`` is the largest number that programs were given."""

    started: str
    complete: bool
    machine: Machine
    before: Condition
    after: Condition
    cores: int
    pictures: int
    rounds: int
    bundle: str
    sha256: str
    programs: tuple[ProgramRow, ...]
    schema_version: int = 1


class ProgramError(Exception):
    """A program did not do what it should; the text says what it did."""


def run_contest(
    material: Material, rivals: Sequence[Rival], rounds: int, cache: Path, core_counts: Sequence[int] = ()
) -> Contest:
    """Run Trailcam and its rivals in turns; an interruption keeps what is there.

    Args:
        material: what they are given; at least ``WARMUP_PICTURES`` + 2 pictures.
        rivals: of ``RIVALS``.
        rounds: at least 1.
        cache: folder of their environments, which are made first.
        core_counts: numbers of cores that every program gets in each round, none more than this process may use; all
            of these where none is given.
    """
    started, before = datetime.now().astimezone().isoformat(timespec="seconds"), read_condition()
    counts = tuple(core_counts) or (usable_cores(),)
    programs = [OURS, *rivals]
    turns = [(program, cores) for cores in counts for program in programs]
    found: dict[_Turn, list[Outcome]] = {(program.name, cores): [] for program, cores in turns}
    reasons: dict[_Turn, str] = {}
    places: dict[str, Path] = {}
    complete = True
    try:
        for program in programs:
            try:
                places[program.name] = _place(program, material, cache)
            except DeviceError as error:
                reasons |= {(program.name, cores): str(error) for cores in counts}
        for number in range(rounds):
            for program, cores in turns if number % 2 == 0 else turns[::-1]:
                key = (program.name, cores)
                if key in reasons:
                    continue
                say(f"round {number + 1} of {rounds}: {program.name} on {cores} core(s)")
                try:
                    found[key].append(time_program(program, places[program.name], material, cores))
                except ProgramError as error:
                    reasons[key] = str(error)
    except KeyboardInterrupt:
        complete = False
        reasons |= {key: "interrupted" for key in found if len(found[key]) < rounds and key not in reasons}
    manifest = open_bundle(material.bundle).manifest
    return Contest(
        started=started,
        complete=complete,
        machine=describe_machine(),
        before=before,
        after=read_condition(),
        cores=max(counts),
        pictures=len(list(material.pictures.iterdir())),
        rounds=rounds,
        bundle=f"{manifest.name} {manifest.version} {manifest.model.scheme}",
        sha256=manifest.model.sha256,
        programs=tuple(
            _row(program, cores, found, rounds, reasons.get((program.name, cores), ""), places.get(program.name))
            for program, cores in turns
        ),
    )


def time_program(program: Rival, place: Path, material: Material, cores: int | None = None) -> Outcome:
    """Run a program once over all pictures, on the first ``cores`` of those that this process may use.

    Raises:
        ProgramError: it fails, or does not answer every picture.
    """
    stamps_s: list[float] = []
    processor_s: list[float | None] = []
    labels: dict[str, str] = {}
    peak_mb: float | None = None
    with tempfile.TemporaryDirectory(prefix="trailcam-versus-") as scratch, tempfile.TemporaryFile() as errors:
        start_s = time.perf_counter()
        with _on_cores(cores):  # which a process has from whoever starts it
            process = subprocess.Popen(
                program.command(place, material),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=scratch,
                # The second keeps Ultralytics from leaving its settings in the home of whoever measures.
                env=os.environ | {"PYTHONUNBUFFERED": "1", "YOLO_CONFIG_DIR": scratch},
                text=True,
            )
        hang = threading.Timer(_LIMIT_S, process.kill)
        hang.start()
        try:
            for line in cast(IO[str], process.stdout):
                stamp_s = time.perf_counter()
                matched = program.answer.match(line)
                if matched is None:
                    continue
                stamps_s.append(stamp_s)
                processor_s.append(_processor_s(process.pid))
                said_of = matched.groupdict()
                if said_of.get("name") and said_of.get("label"):
                    labels[str(said_of["name"])] = str(said_of["label"])
                peak_mb = read_memory_mb(Path(f"/proc/{process.pid}/status"))[1] or peak_mb
            code = process.wait()
        finally:
            hang.cancel()
            process.kill()
            process.wait()
            cast(IO[str], process.stdout).close()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip().splitlines()
    wanted = len(list(material.pictures.iterdir()))
    if time.perf_counter() - start_s >= _LIMIT_S:
        raise ProgramError(f"ended after {_LIMIT_S:.0f} s with {len(stamps_s)} answers to {wanted} pictures")
    if code or len(stamps_s) != wanted:
        last = said[-1][:200] if said else "it said nothing"
        raise ProgramError(f"exit code {code}, {len(stamps_s)} answers to {wanted} pictures: {last}")
    steps_ms = np.diff(stamps_s)[WARMUP_PICTURES:] * 1e3
    first_s, last_s = processor_s[WARMUP_PICTURES], processor_s[-1]
    took_s = stamps_s[-1] - stamps_s[WARMUP_PICTURES]
    busy = None if first_s is None or last_s is None else (last_s - first_s) / took_s
    return Outcome((stamps_s[0] - start_s) * 1e3, tuple(steps_ms.tolist()), peak_mb, labels, busy)


@contextlib.contextmanager
def _on_cores(count: int | None) -> Iterator[None]:
    """Give this thread, and what it starts meanwhile, only the first ``count`` of its cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _processor_s(pid: int) -> float | None:
    """Return the seconds that all threads of a process have worked; None where the kernel does not say.

    Source: proc_pid_stat(5), utime and stime; the name before them, in brackets, may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def _place(program: Rival, material: Material, cache: Path) -> Path:
    """Return the folder of the programs of its environment, after making that."""
    if program.needs_run and material.run is None:
        raise DeviceError("needs the training of this bundle: give it with --keras RUN")
    if program.environment is None:
        return Path(sys.executable).parent
    say(f"environment of {program.name}")
    return python_of(program.environment, cache).parent


def _row(
    program: Rival, cores: int, found: dict[_Turn, list[Outcome]], rounds: int, reason: str, place: Path | None
) -> ProgramRow:
    mine, ours = found[program.name, cores], found[OURS.name, cores]
    versions = {} if place is None else _versions(program, place)
    state = "measured" if len(mine) == rounds else "partial" if mine else "failed"
    if not mine:
        return ProgramRow(program.name, state, reason, program.note, versions, cores=cores)
    every = np.concatenate([outcome.picture_ms for outcome in mine])
    peaks = [outcome.peak_mb for outcome in mine if outcome.peak_mb is not None]
    our_peaks = [outcome.peak_mb for outcome in ours if outcome.peak_mb is not None]
    busy = [outcome.busy_cores for outcome in mine if outcome.busy_cores is not None]
    rival = program is not OURS and bool(ours)
    shown = [name for name in mine[0].labels if ours and name in ours[0].labels] if rival else []
    same = sum(mine[0].labels[name] == ours[0].labels[name] for name in shown)
    return ProgramRow(
        name=program.name,
        state=state,
        reason=reason,
        note=program.note,
        versions=versions,
        startup_ms=statistics.median(outcome.startup_ms for outcome in mine),
        p50_ms=quantile(every, 0.5),
        p90_ms=quantile(every, 0.9),
        peak_mb=max(peaks, default=None),
        startup_over_ours=paired_ratio([o.startup_ms for o in mine], [o.startup_ms for o in ours]) if rival else None,
        p50_over_ours=paired_ratio([_p50(o) for o in mine], [_p50(o) for o in ours]) if rival else None,
        peak_over_ours=paired_ratio(peaks, our_peaks) if rival and peaks and our_peaks else None,
        same_labels=same / len(shown) if shown else None,
        cores=cores,
        busy_cores=statistics.median(busy) if busy else None,
    )


def _p50(outcome: Outcome) -> float:
    return quantile(np.array(outcome.picture_ms), 0.5)


def _versions(program: Rival, place: Path) -> dict[str, str]:
    script = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    command = [str(place / "python"), "-c", script, *program.packages]
    asked = subprocess.run(command, capture_output=True, text=True)
    return dict(json.loads(asked.stdout)) if asked.returncode == 0 else {}


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"versus: {text}", file=sys.stderr, flush=True)
