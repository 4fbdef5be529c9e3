"""Run programs in turns over the same pictures and time the lines that they print.

Each program runs several times in a fresh process, every second time backwards, with each number of cores. It is
measured from outside: lines on its standard output, memory and processor time as the kernel counts them.
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
from trailcam_project.program_comparison.alternatives import TRAILCAM, Program, ProgramInputs

__all__ = [
    "WARMUP_PICTURES",
    "ProgramComparison",
    "ProgramError",
    "ProgramRow",
    "ProgramRun",
    "compare_programs",
    "time_program",
]

WARMUP_PICTURES = 5
_LIMIT_S = 1800.0  # for one run of one program

_Turn = tuple[str, int]  # a program's name, the number of its cores


@dataclass(frozen=True)
class ProgramRun:
    """One run of one program: milliseconds to the first answer and between answers, peak memory, labels.

    ``busy_cores`` is processor time divided by time, over the pictures after the warm-up.
    """

    startup_ms: float
    picture_ms: tuple[float, ...]
    peak_mb: float | None
    labels: dict[str, str]
    busy_cores: float | None = None


@dataclass(frozen=True)
class ProgramRow:
    """A program with a number of cores; ratios are to Trailcam in the same round with as many.

    ``same_labels`` is the fraction of pictures with Trailcam's label. ``cores`` is None if all programs had those of
    the ``ProgramComparison``. ``busy_cores`` is the median over rounds, see ``ProgramRun``.
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
class ProgramComparison:
    """The whole comparison, as in its JSON file; ``cores`` is the largest number of cores in it."""

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
    """A program failed or did not answer every picture; the text has the reason."""


def compare_programs(
    inputs: ProgramInputs, alternatives: Sequence[Program], rounds: int, cache: Path, core_counts: Sequence[int] = ()
) -> ProgramComparison:
    """Run Trailcam and its alternatives in turns; an interruption keeps the runs so far.

    Args:
        inputs: of the programs; at least ``WARMUP_PICTURES`` + 2 pictures.
        alternatives: of ``ALTERNATIVES``.
        rounds: at least 1.
        cache: folder of their environments, which are created first.
        core_counts: numbers of cores that every program gets in each round, at most those of this process; all of
            them if empty.
    """
    started, before = datetime.now().astimezone().isoformat(timespec="seconds"), read_condition()
    counts = tuple(core_counts) or (usable_cores(),)
    programs = [TRAILCAM, *alternatives]
    turns = [(program, cores) for cores in counts for program in programs]
    found: dict[_Turn, list[ProgramRun]] = {(program.name, cores): [] for program, cores in turns}
    reasons: dict[_Turn, str] = {}
    folders: dict[str, Path] = {}
    complete = True
    try:
        for program in programs:
            try:
                folders[program.name] = _programs_folder(program, inputs, cache)
            except DeviceError as error:
                reasons |= {(program.name, cores): str(error) for cores in counts}
        for number in range(rounds):
            for program, cores in turns if number % 2 == 0 else turns[::-1]:
                key = (program.name, cores)
                if key in reasons:
                    continue
                _report(f"round {number + 1} of {rounds}: {program.name} on {cores} core(s)")
                try:
                    found[key].append(time_program(program, folders[program.name], inputs, cores))
                except ProgramError as error:
                    reasons[key] = str(error)
    except KeyboardInterrupt:
        complete = False
        reasons |= {key: "interrupted" for key in found if len(found[key]) < rounds and key not in reasons}
    manifest = open_bundle(inputs.bundle).manifest
    return ProgramComparison(
        started=started,
        complete=complete,
        machine=describe_machine(),
        before=before,
        after=read_condition(),
        cores=max(counts),
        pictures=len(list(inputs.pictures.iterdir())),
        rounds=rounds,
        bundle=f"{manifest.name} {manifest.version} {manifest.model.scheme}",
        sha256=manifest.model.sha256,
        programs=tuple(
            _row(program, cores, found, rounds, reasons.get((program.name, cores), ""), folders.get(program.name))
            for program, cores in turns
        ),
    )


def time_program(program: Program, folder: Path, inputs: ProgramInputs, cores: int | None = None) -> ProgramRun:
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
        with _on_cores(cores):  # which a process inherits
            process = subprocess.Popen(
                program.command(folder, inputs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=scratch,
                # The second keeps Ultralytics from writing its settings into the home folder.
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
                found = matched.groupdict()
                if found.get("name") and found.get("label"):
                    labels[str(found["name"])] = str(found["label"])
                peak_mb = read_memory_mb(Path(f"/proc/{process.pid}/status"))[1] or peak_mb
            code = process.wait()
        finally:
            hang.cancel()
            process.kill()
            process.wait()
            cast(IO[str], process.stdout).close()
        errors.seek(0)
        lines = errors.read().decode("utf-8", "refolder").strip().splitlines()
    wanted = len(list(inputs.pictures.iterdir()))
    if time.perf_counter() - start_s >= _LIMIT_S:
        raise ProgramError(f"ended after {_LIMIT_S:.0f} s with {len(stamps_s)} answers to {wanted} pictures")
    if code or len(stamps_s) != wanted:
        last = lines[-1][:200] if lines else "no output"
        raise ProgramError(f"exit code {code}, {len(stamps_s)} answers to {wanted} pictures: {last}")
    steps_ms = np.diff(stamps_s)[WARMUP_PICTURES:] * 1e3
    first_s, last_s = processor_s[WARMUP_PICTURES], processor_s[-1]
    took_s = stamps_s[-1] - stamps_s[WARMUP_PICTURES]
    busy = None if first_s is None or last_s is None else (last_s - first_s) / took_s
    return ProgramRun((stamps_s[0] - start_s) * 1e3, tuple(steps_ms.tolist()), peak_mb, labels, busy)


@contextlib.contextmanager
def _on_cores(count: int | None) -> Iterator[None]:
    """Restrict this thread, and the processes it starts meanwhile, to the first ``count`` of its cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _processor_s(pid: int) -> float | None:
    """Return the processor time of all threads of a process in seconds; None if the kernel does not report it.

    Source: proc_pid_stat(5), utime and stime; the name before them, in brackets, may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="refolder").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def _programs_folder(program: Program, inputs: ProgramInputs, cache: Path) -> Path:
    """Create the environment of a program; return the folder of its programs."""
    if program.needs_run and inputs.run is None:
        raise DeviceError("needs the training of this bundle: name it with --keras RUN")
    if program.environment is None:
        return Path(sys.executable).parent
    _report(f"environment of {program.name}")
    return python_of(program.environment, cache).parent


def _row(
    program: Program, cores: int, found: dict[_Turn, list[ProgramRun]], rounds: int, reason: str, folder: Path | None
) -> ProgramRow:
    own, ours = found[program.name, cores], found[TRAILCAM.name, cores]
    versions = {} if folder is None else _versions(program, folder)
    state = "measured" if len(own) == rounds else "partial" if own else "failed"
    if not own:
        return ProgramRow(program.name, state, reason, program.note, versions, cores=cores)
    every = np.concatenate([run.picture_ms for run in own])
    peaks = [run.peak_mb for run in own if run.peak_mb is not None]
    our_peaks = [run.peak_mb for run in ours if run.peak_mb is not None]
    busy = [run.busy_cores for run in own if run.busy_cores is not None]
    rival = program is not TRAILCAM and bool(ours)
    shown = [name for name in own[0].labels if ours and name in ours[0].labels] if rival else []
    same = sum(own[0].labels[name] == ours[0].labels[name] for name in shown)
    return ProgramRow(
        name=program.name,
        state=state,
        reason=reason,
        note=program.note,
        versions=versions,
        startup_ms=statistics.median(run.startup_ms for run in own),
        p50_ms=quantile(every, 0.5),
        p90_ms=quantile(every, 0.9),
        peak_mb=max(peaks, default=None),
        startup_over_ours=paired_ratio([o.startup_ms for o in own], [o.startup_ms for o in ours]) if rival else None,
        p50_over_ours=paired_ratio([_p50(o) for o in own], [_p50(o) for o in ours]) if rival else None,
        peak_over_ours=paired_ratio(peaks, our_peaks) if rival and peaks and our_peaks else None,
        same_labels=same / len(shown) if shown else None,
        cores=cores,
        busy_cores=statistics.median(busy) if busy else None,
    )


def _p50(run: ProgramRun) -> float:
    return quantile(np.array(run.picture_ms), 0.5)


def _versions(program: Program, folder: Path) -> dict[str, str]:
    script = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    command = [str(folder / "python"), "-c", script, *program.packages]
    asked = subprocess.run(command, capture_output=True, text=True)
    return dict(json.loads(asked.stdout)) if asked.returncode == 0 else {}


def _report(text: str) -> None:
    """Print a line of progress."""
    print(f"compare_programs: {text}", file=sys.stderr, flush=True)
