"""Trailcam against what a person might use instead: whole programs, looked at from outside.

    python -m trailcam_benchmarks.versus --bundle exports/mine/int8.bundle --keras runs/mine label_image mediapipe keras

Every program gets the same folder of JPEG pictures and prints a line for each; what is timed are these lines.

    start-up      from the start of the process to the first answer
    per picture   from one answer to the next: decode, crop and resize, invoke, print; after a few for warming up
    peak memory   the most that the process held, as the kernel counts it

Programs are run in turns, each several times in a fresh process, every second time backwards. All are used as they
come, with the threads they choose themselves; ``--cores 1`` gives them one core. A program that cannot be had here is a
row that says why.
"""

import argparse
import json
import os
import shutil
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

import cv2
import numpy as np

from trailcam_benchmarks.environments import python_of
from trailcam_benchmarks.machine import Condition, Machine, describe_machine, read_condition, read_memory_mb
from trailcam_benchmarks.result import to_text
from trailcam_benchmarks.rivals import OURS, RIVALS, Material, Rival
from trailcam_benchmarks.statistics import Ratio, paired_ratio, quantile
from trailcam_edge.bundle import open_bundle
from trailcam_edge.classifier import BUILTIN_BUNDLE
from trailcam_edge.disk import write_file
from trailcam_edge.errors import DeviceError, SourceError, TrailcamError
from trailcam_edge.preprocessing import read_image
from trailcam_edge.sources import DEMO_FRAMES, list_pictures

__all__ = ["Contest", "Outcome", "ProgramRow", "main", "run_contest"]

WARMUP_PICTURES = 5
_FRAME_PX = (640, 480)
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
                _say(f"round {number + 1} of {rounds}: {program.name}")
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
    _say(f"environment of {program.name}")
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


def gather(folder: Path, pictures: Path | None, count: int) -> Path:
    """Fill a folder with ``count`` JPEG pictures: some of ``pictures``, evenly spread, or the built-in frames in turns.

    Raises:
        SourceError: there is no JPEG.
    """
    place = folder / "pictures"
    place.mkdir()
    if pictures is None:
        frames = [cv2.resize(read_image(path), _FRAME_PX) for path in sorted(DEMO_FRAMES.glob("*.webp"))]
        for number in range(count):
            cv2.imwrite(str(place / f"{number:04}.jpg"), frames[number % len(frames)][..., ::-1])
        return place
    paths = [path for path in list_pictures(pictures) if path.suffix.lower() in (".jpg", ".jpeg")]
    if not paths:
        raise SourceError(f"{pictures}: no JPEG pictures, which is what every program reads.")
    for number in range(min(count, len(paths))):
        shutil.copyfile(paths[number * len(paths) // min(count, len(paths))], place / f"{number:04}.jpg")
    return place


def table(contest: Contest) -> str:
    """Return the comparison as text for a terminal."""
    lines = [f"{'':20}{'start-up ms':>12}{'p50 ms':>9}{'p90 ms':>9}{'peak MB':>9}   x Trailcam: start-up, p50, memory"]
    for row in contest.programs:
        if row.p50_ms is None:
            lines.append(f"{row.name:20}{row.state}: {row.reason}")
            continue
        ratios = (row.startup_over_ours, row.p50_over_ours, row.peak_over_ours)
        said = ", ".join("-" if ratio is None else f"{ratio.value:.2f}" for ratio in ratios)
        figures = f"{row.startup_ms:12.0f}{row.p50_ms:9.2f}{row.p90_ms:9.2f}{row.peak_mb or 0:9.0f}"
        lines.append(f"{row.name:20}{figures}   {said}{f'  ({row.reason})' if row.reason else ''}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print and write; 1 where the material cannot be used, 130 after an interruption."""
    parser = argparse.ArgumentParser(description="Trailcam against other programs, from outside, in turns.")
    parser.add_argument("rivals", nargs="*", metavar="NAME", help=f"of {', '.join(RIVALS)} (all)")
    parser.add_argument("--bundle", type=Path, default=BUILTIN_BUNDLE, metavar="DIR", help="TFLite; default: built in")
    parser.add_argument("--keras", type=Path, metavar="RUN", help="the training that the bundle came from")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="JPEG pictures; default: the built-in frames")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="pictures (100)")
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="of each program (6)")
    parser.add_argument(
        "--cores", type=int, metavar="N", help="that all programs may use; default: those of this process"
    )
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/trailcam/environments", metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result as JSON")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.rivals) - set(RIVALS))
    if unknown or arguments.rounds < 1 or arguments.count < WARMUP_PICTURES + 2:
        parser.error(f"no program {unknown[0]!r}" if unknown else "too few rounds or pictures")
    if arguments.cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: max(1, arguments.cores)])
    try:
        with tempfile.TemporaryDirectory(prefix="trailcam-versus-") as scratch:
            bundle = open_bundle(arguments.bundle)
            labels = Path(scratch) / "labels.json"
            labels.write_text(json.dumps(bundle.manifest.output.labels), encoding="utf-8")
            pictures = gather(Path(scratch), arguments.pictures, arguments.count)
            run = None if arguments.keras is None else arguments.keras.resolve()
            material = Material(arguments.bundle.resolve(), run, labels, pictures)
            rivals = [RIVALS[name] for name in arguments.rivals or RIVALS]
            contest = run_contest(material, rivals, arguments.rounds, arguments.cache)
    except TrailcamError as error:
        print(f"versus: {error}", file=sys.stderr)
        return 1
    print(table(contest))
    if arguments.out is not None:
        write_file(arguments.out, to_text(contest))
    return 0 if contest.complete else 130


def _say(text: str) -> None:
    print(f"versus: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
