"""Parts of the project's figures: how each is measured, and whether its file is up to date.

A file is stale if its bundles, settings or commands differ from those of a measurement now. Inputs that are not named
(a folder of bundles, a training, pictures) are not compared: a run for one missing part keeps the others.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from trailcam_benchmarks.host.idle import is_busy, wait_until_idle
from trailcam_benchmarks.host.machine import describe_machine
from trailcam_benchmarks.host.virtual_environments import environments_folder
from trailcam_benchmarks.results.rows import Picture
from trailcam_benchmarks.results.schema import Result, Row, build, read_record, read_result, to_text
from trailcam_benchmarks.session.session import BenchmarkPlan, measure, variants_of
from trailcam_benchmarks.worker.local_workers import local_run
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.datasets.run_directory import read_run
from trailcam_core.errors import DataError
from trailcam_core.files.atomic import write_file
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress
from trailcam_project.results.repeatability import Agreement, judge_agreement

_BASELINE_FRACTION = 0.25


@dataclass(frozen=True)
class PartOptions:
    """Options of all parts.

    ``named`` is True if a folder of bundles was named, else ``bundles`` is only the built-in one. ``pictures`` are for
    accuracy. A part waits at most ``idle_wait_s`` until the machine is idle.
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
    idle_wait_s: float


class PartSkippedError(Exception):
    """A part lacks an input; the text names the option for it."""


class Part(Protocol):
    """One result file."""

    def make(self, options: PartOptions, partial: Path) -> bytes:
        """Measure; after an interruption the figures so far are at ``partial``.

        Raises:
            PartSkippedError: it lacks an input.
            TrailcamError: it cannot be measured.
            KeyboardInterrupt: it was interrupted.
        """

    def stale(self, options: PartOptions, path: Path) -> str:
        """Return the reason why the file at ``path`` is out of date; empty if it is not, or if the part lacks an input.

        Raises:
            DataError: the file is damaged or of another version.
        """


@dataclass(frozen=True)
class BenchmarkPart:
    """A ``benchmark.json`` of a plan."""

    plan: Callable[[PartOptions], BenchmarkPlan]

    def make(self, options: PartOptions, partial: Path) -> bytes:
        """Measure, and write the figures so far to ``partial`` after every round."""
        plan = replace(self.plan(options), baseline_fraction=_BASELINE_FRACTION)
        names = _names(plan)

        def keep(result: Result) -> None:
            with contextlib.suppress(OSError):  # a full disk ends no measurement
                write_file(partial, to_text(_without_paths(result, names)))

        wait_for_idle_host(options)
        result = measure(plan, local_run(plan.runtimes, environments_folder()), _print_rounds(), keep=keep)
        if not result.complete:
            keep(result)
            raise KeyboardInterrupt
        return to_text(_without_paths(result, names))

    def stale(self, options: PartOptions, path: Path) -> str:
        """Compare settings, bundles and the number of pictures."""
        try:
            plan = self.plan(options)
        except PartSkippedError:
            return ""
        found = read_result(path)
        if (found.frames_wanted, found.min_time_s, found.rounds) != (plan.frames, plan.min_time_s, plan.rounds):
            return f"it has {found.frames_wanted} frames, {found.min_time_s:g} s and {found.rounds} rounds a row"
        names = _names(plan)
        rows = {(names[str(v.bundle)], v.threads, v.runtime) for v in variants_of(plan) if not v.baseline}
        stored = {(row.bundle, row.threads, row.runtime_wanted) for row in found.rows if row.kind == "model"}
        if rows != stored if options.named else not rows <= stored:
            return "its bundles, threads or runtimes differ: " + ", ".join(sorted({row[0] for row in rows ^ stored}))
        if plan.pictures and any(_picture_count(row) not in (None, len(plan.pictures)) for row in found.rows):
            return f"its accuracy is not of {len(plan.pictures)} pictures"
        lasted_s = [soak.summary.seconds for soak in found.soaks if soak.complete and soak.summary is not None]
        return "it is shorter" if plan.soak_s and min(lasted_s, default=0) < plan.soak_s else ""


@dataclass(frozen=True)
class RepeatabilityPart:
    """The comparison of the parts ``first`` and ``second``."""

    first: str
    second: str

    def make(self, options: PartOptions, partial: Path) -> bytes:  # noqa: ARG002 - all parts are made alike
        """Compare the two files without a measurement."""
        first, second = self._read(options)
        if _settings(first) != _settings(second):
            raise DataError(
                f"{self.second}.json has other frames, seconds or rounds than {self.first}.json: measure it again."
            )
        return to_text(judge_agreement(first, second))

    def stale(self, options: PartOptions, path: Path) -> str:
        """Compare the times of the runs."""
        first, second = self._read(options)
        stored: Agreement = build(Agreement, read_record(path))
        same = (stored.first, stored.second) == (first.started, second.started)
        return "" if same else f"it is of the runs of {stored.first} and {stored.second}"

    def _read(self, options: PartOptions) -> tuple[Result, Result]:
        return read_result(options.out / f"{self.first}.json"), read_result(options.out / f"{self.second}.json")


def _settings(result: Result) -> tuple[int, float, int]:
    return result.frames_wanted, result.min_time_s, result.rounds


def _names(plan: BenchmarkPlan) -> dict[str, str]:
    """Return the names of a plan's bundles and trainings, by path."""
    bundles = {str(path): _bundle_name(path) for path in plan.bundles}
    return bundles | {str(path): _run_name(path) for path in plan.keras_runs}


def _bundle_name(bundle: Path) -> str:
    manifest = open_bundle(bundle).manifest
    return f"{manifest.name} {manifest.version} {manifest.model.scheme} {manifest.model.sha256[:12]}"


def _run_name(run: Path) -> str:
    return f"{run.name} float32 {file_sha256(read_run(run).model_path)[:12]}"


def _without_paths(result: Result, names: dict[str, str]) -> Result:
    """Replace the paths of bundles by their names."""

    def renamed(row: Any) -> Any:
        return replace(row, bundle=names[row.bundle], reason=row.reason.replace(row.bundle, names[row.bundle]))

    return replace(result, rows=tuple(map(renamed, result.rows)), soaks=tuple(map(renamed, result.soaks)))


def wait_for_idle_host(options: PartOptions) -> None:
    """Wait until nothing else runs here; print a warning if the machine stays busy."""
    cores = describe_machine().cores
    if is_busy(found := wait_until_idle(cores, options.idle_wait_s), cores):
        print(
            f"results: the load is {found.load} before: the machine is busy, and the figures include that.",
            file=sys.stderr,
        )


def _picture_count(row: Row) -> int | None:
    """Return the number of pictures of a row; None if it cannot have an accuracy, or has a reason for its absence."""
    if row.kind == "floor" or row.latency is None or row.reason:
        return None
    return 0 if row.accuracy is None else row.accuracy.n + row.accuracy.unreadable


def _print_rounds() -> Progress:
    printed_s = time.monotonic()

    def show(stage: str, done: int, total: int, note: str = "") -> None:
        nonlocal printed_s
        if time.monotonic() - printed_s > 10 or done == total:
            printed_s = time.monotonic()
            print(f"  {stage} {done} of {total} {note}", file=sys.stderr, flush=True)

    return show
