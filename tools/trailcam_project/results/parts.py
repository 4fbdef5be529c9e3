"""What the project's own figures consist of: how each part is measured, and whether a file is of just what is wanted.

A file is stale where it has other bundles, settings or commands than would be measured now. What was not named this
time (a folder of bundles, a training, pictures) is not compared: a run for one missing part keeps the others.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from trailcam_benchmarks.host.idle import is_busy, wait_until_calm
from trailcam_benchmarks.host.machine import describe_machine
from trailcam_benchmarks.host.virtual_environments import environments_folder
from trailcam_benchmarks.report.repeatability import Agreement, judge_agreement
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, Row, build, read_record, read_result, to_text
from trailcam_benchmarks.session.session import Plan, measure, variants_of
from trailcam_benchmarks.worker.local_workers import local_run
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import DataError
from trailcam_core.files.atomic import write_file
from trailcam_core.files.digest import file_sha256
from trailcam_core.progress import Progress

__all__ = ["Agreed", "Measured", "NotWanted", "Part", "Wanted", "settle"]

_FLOOR_SHARE = 0.25


@dataclass(frozen=True)
class Wanted:
    """What is to be measured and where its files go.

    ``named`` is whether a folder of bundles was named, or ``bundles`` is only the one that is built in. ``pictures``
    are for accuracy. A part waits at most ``calm_s`` for the machine to have nothing else to do.
    """

    bundles: tuple[Path, ...]
    named: bool
    keras: Path | None
    data: Path | None
    pictures: tuple[Picture, ...]
    out: Path
    frames: int
    min_time_s: float
    rounds: int
    soak_s: float
    calm_s: float


class NotWanted(Exception):  # noqa: N818 - it is no error
    """This part was not asked for; the text says how to."""


class Part(Protocol):
    """One result file."""

    def make(self, wanted: Wanted, partial: Path) -> bytes:
        """Measure; what there is after an interruption is at ``partial``.

        Raises:
            NotWanted: it was not asked for.
            TrailcamError: it cannot be measured.
            KeyboardInterrupt: it was interrupted.
        """

    def stale(self, wanted: Wanted, path: Path) -> str:
        """Say why the file at ``path`` is not what ``make`` would measure now; empty if it is, or was not asked for.

        Raises:
            DataError: it is damaged or of another version.
        """


@dataclass(frozen=True)
class Measured:
    """A ``benchmark.json`` of what ``plan`` says."""

    plan: Callable[[Wanted], Plan]

    def make(self, wanted: Wanted, partial: Path) -> bytes:
        """Measure, and keep what there is at ``partial`` after every round."""
        plan = replace(self.plan(wanted), floor_share=_FLOOR_SHARE)
        names = _names(plan)

        def keep(result: Result) -> None:
            with contextlib.suppress(OSError):  # a full disk ends no measurement
                write_file(partial, to_text(_without_paths(result, names)))

        settle(wanted)
        result = measure(plan, local_run(plan.runtimes, environments_folder()), _say_rounds(), keep=keep)
        if not result.complete:
            keep(result)
            raise KeyboardInterrupt
        return to_text(_without_paths(result, names))

    def stale(self, wanted: Wanted, path: Path) -> str:
        """Compare settings, bundles and the number of pictures."""
        try:
            plan = self.plan(wanted)
        except NotWanted:
            return ""
        found = read_result(path)
        if (found.frames_wanted, found.min_time_s, found.rounds) != (plan.frames, plan.min_time_s, plan.rounds):
            return f"it has {found.frames_wanted} frames, {found.min_time_s:g} s and {found.rounds} rounds a row"
        names = _names(plan)
        rows = {(names[str(v.bundle)], v.threads, v.runtime) for v in variants_of(plan) if not v.floor}
        there = {(row.bundle, row.threads, row.runtime_wanted) for row in found.rows if row.kind == "model"}
        if rows != there if wanted.named else not rows <= there:
            return "it is of other bundles, threads or runtimes: " + ", ".join(sorted({row[0] for row in rows ^ there}))
        if plan.pictures and any(_answered(row) not in (None, len(plan.pictures)) for row in found.rows):
            return f"its accuracy is not that on {len(plan.pictures)} pictures"
        lasted_s = [soak.summary.seconds for soak in found.soaks if soak.complete and soak.summary is not None]
        return "it lasted less long" if plan.soak_s and min(lasted_s, default=0) < plan.soak_s else ""


@dataclass(frozen=True)
class Agreed:
    """Whether the results ``first`` and ``second`` agree, which are parts as well."""

    first: str
    second: str

    def make(self, wanted: Wanted, partial: Path) -> bytes:  # noqa: ARG002 - all parts are made alike
        """Compare the two files; nothing is measured."""
        first, second = self._read(wanted)
        if _settings(first) != _settings(second):
            raise DataError(
                f"{self.second}.json has other frames, seconds or rounds than {self.first}.json: measure it again."
            )
        return to_text(judge_agreement(first, second))

    def stale(self, wanted: Wanted, path: Path) -> str:
        """Compare when the runs were made."""
        first, second = self._read(wanted)
        there: Agreement = build(Agreement, read_record(path))
        same = (there.first, there.second) == (first.started, second.started)
        return "" if same else f"it is of the runs of {there.first} and {there.second}"

    def _read(self, wanted: Wanted) -> tuple[Result, Result]:
        return read_result(wanted.out / f"{self.first}.json"), read_result(wanted.out / f"{self.second}.json")


def _settings(result: Result) -> tuple[int, float, int]:
    return result.frames_wanted, result.min_time_s, result.rounds


def _names(plan: Plan) -> dict[str, str]:
    """Return by path what a plan's bundles and trainings are known by."""
    bundles = {str(path): _known(path) for path in plan.bundles}
    return bundles | {str(path): _known_run(path) for path in plan.keras_runs}


def _known(bundle: Path) -> str:
    manifest = open_bundle(bundle).manifest
    return f"{manifest.name} {manifest.version} {manifest.model.scheme} {manifest.model.sha256[:12]}"


def _known_run(run: Path) -> str:
    return f"{run.name} float32 {file_sha256(read_run(run).model_path)[:12]}"


def _without_paths(result: Result, names: dict[str, str]) -> Result:
    """Let bundles be known by what they are and not by where they lie."""

    def known(row: Any) -> Any:
        return replace(row, bundle=names[row.bundle], reason=row.reason.replace(row.bundle, names[row.bundle]))

    return replace(result, rows=tuple(map(known, result.rows)), soaks=tuple(map(known, result.soaks)))


def settle(wanted: Wanted) -> None:
    """Wait until nothing else runs here; say so if it does all the same."""
    cores = describe_machine().cores
    if is_busy(found := wait_until_calm(cores, wanted.calm_s), cores):
        print(
            f"results: the load is {found.load} before: something else is running, and is measured too.",
            file=sys.stderr,
        )


def _answered(row: Row) -> int | None:
    """Return how many pictures a row was given; None for a row that could have no accuracy, or says why it has none."""
    if row.kind == "floor" or row.latency is None or row.reason:
        return None
    return 0 if row.accuracy is None else row.accuracy.n + row.accuracy.unreadable


def _say_rounds() -> Progress:
    spoken = time.monotonic()

    def say(stage: str, done: int, total: int, note: str = "") -> None:
        nonlocal spoken
        if time.monotonic() - spoken > 10 or done == total:
            spoken = time.monotonic()
            print(f"  {stage} {done} of {total} {note}", file=sys.stderr, flush=True)

    return say
