"""Run programs in turns over the same pictures, every second time backwards, on each number of cores."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from trailcam_benchmarks.host.machine import Condition, Machine, describe_machine, read_condition
from trailcam_benchmarks.host.virtual_environments import python_of
from trailcam_benchmarks.statistics import Ratio, paired_ratio, quantile
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import DeviceError
from trailcam_core.jobs.cores import usable_cores
from trailcam_project.program_comparison.alternatives import TRAILCAM, Program, ProgramInputs
from trailcam_project.program_comparison.time_program import ProgramError, ProgramRun, time_program

_Turn = tuple[str, int]  # a program's name, the number of its cores


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
