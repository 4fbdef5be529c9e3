"""Run programs in turns over the same pictures and time the lines that they print; ``versus`` is the command.

Each program runs several times in a fresh process, every second time backwards. What a program says and takes is seen
from outside: lines on its standard output, memory as the kernel counts it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, cast

import numpy as np

from trailcam_benchmarks.environments import python_of
from trailcam_benchmarks.machine import Condition, Machine, describe_machine, read_condition, read_memory_mb
from trailcam_benchmarks.rivals import OURS, Material, Rival
from trailcam_benchmarks.statistics import Ratio, paired_ratio, quantile
from trailcam_edge.bundle import open_bundle
from trailcam_edge.errors import DeviceError

__all__ = ["WARMUP_PICTURES", "Contest", "Outcome", "ProgramError", "ProgramRow", "run_contest", "say", "time_program"]

WARMUP_PICTURES = 5
_LIMIT_S = 1800.0  # for one run of one program


@dataclass(frozen=True)
class Outcome:
    """One run of one program: milliseconds to the first answer and between answers, the most memory, the labels."""

    startup_ms: float
    picture_ms: tuple[float, ...]
    peak_mb: float | None
    labels: dict[str, str]


@dataclass(frozen=True)
class ProgramRow:
    """A program; ratios are to Trailcam in the same round. ``same_labels`` is the share of pictures with our label."""

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


@dataclass(frozen=True)
class Contest:
    """The whole comparison, as its JSON file has it."""

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


def run_contest(material: Material, rivals: Sequence[Rival], rounds: int, cache: Path) -> Contest:
    """Run Trailcam and its rivals in turns; an interruption keeps what is there.

    Args:
        material: what they are given; at least ``WARMUP_PICTURES`` + 2 pictures.
        rivals: of ``RIVALS``.
        rounds: at least 1.
        cache: folder of their environments, which are made first.
    """
    started, before = datetime.now().astimezone().isoformat(timespec="seconds"), read_condition()
    programs = [OURS, *rivals]
    found: dict[str, list[Outcome]] = {program.name: [] for program in programs}
    reasons: dict[str, str] = {}
    places: dict[str, Path] = {}
    complete = True
    try:
        for program in programs:
            try:
                places[program.name] = _place(program, material, cache)
            except DeviceError as error:
                reasons[program.name] = str(error)
        for number in range(rounds):
            for program in programs if number % 2 == 0 else programs[::-1]:
                if program.name in reasons:
                    continue
                say(f"round {number + 1} of {rounds}: {program.name}")
                try:
                    found[program.name].append(time_program(program, places[program.name], material))
                except ProgramError as error:
                    reasons[program.name] = str(error)
    except KeyboardInterrupt:
        complete = False
        reasons |= {p.name: "interrupted" for p in programs if len(found[p.name]) < rounds and p.name not in reasons}
    manifest = open_bundle(material.bundle).manifest
    return Contest(
        started=started,
        complete=complete,
        machine=describe_machine(),
        before=before,
        after=read_condition(),
        cores=len(os.sched_getaffinity(0)),
        pictures=len(list(material.pictures.iterdir())),
        rounds=rounds,
        bundle=f"{manifest.name} {manifest.version} {manifest.model.scheme}",
        sha256=manifest.model.sha256,
        programs=tuple(
            _row(p, found[p.name], found[OURS.name], rounds, reasons.get(p.name, ""), places.get(p.name))
            for p in programs
        ),
    )


def time_program(program: Rival, place: Path, material: Material) -> Outcome:
    """Run a program once over all pictures.

    Raises:
        ProgramError: it fails, or does not answer every picture.
    """
    stamps_s: list[float] = []
    labels: dict[str, str] = {}
    peak_mb: float | None = None
    with tempfile.TemporaryDirectory(prefix="trailcam-versus-") as scratch, tempfile.TemporaryFile() as errors:
        start_s = time.perf_counter()
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
                known = matched.groupdict()
                if known.get("name") and known.get("label"):
                    labels[str(known["name"])] = str(known["label"])
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
    return Outcome((stamps_s[0] - start_s) * 1e3, tuple(steps_ms.tolist()), peak_mb, labels)


def _place(program: Rival, material: Material, cache: Path) -> Path:
    """Return the folder of the programs of its environment, after making that."""
    if program.needs_run and material.run is None:
        raise DeviceError("needs the training of this bundle: give it with --keras RUN")
    if program.environment is None:
        return Path(sys.executable).parent
    say(f"environment of {program.name}")
    return python_of(program.environment, cache).parent


def _row(
    program: Rival, mine: list[Outcome], ours: list[Outcome], rounds: int, reason: str, place: Path | None
) -> ProgramRow:
    versions = {} if place is None else _versions(program, place)
    state = "measured" if len(mine) == rounds else "partial" if mine else "failed"
    if not mine:
        return ProgramRow(program.name, state, reason, program.note, versions)
    every = np.concatenate([outcome.picture_ms for outcome in mine])
    peaks = [outcome.peak_mb for outcome in mine if outcome.peak_mb is not None]
    our_peaks = [outcome.peak_mb for outcome in ours if outcome.peak_mb is not None]
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
