"""``trailcam classify --out FILE``: options, progress and summary of a job."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from trailcam.help.numbers import whole_number
from trailcam.model_options import open_classifier
from trailcam.process.signals import stop_on_signals
from trailcam.progress import job_progress
from trailcam_archive.batch.job import Job, Report, run_job
from trailcam_archive.batch.journal import Journal
from trailcam_archive.batch.model_choice import ModelChoice, model_facts
from trailcam_archive.batch.pool import Pool, WorkerPool
from trailcam_archive.batch.source_prefixes import source_prefixes
from trailcam_archive.batch.tasks import AnalysisSettings
from trailcam_archive.rows.columns import TimeRule
from trailcam_archive.rows.sort_into import check_sort_folder, sort_into
from trailcam_archive.times.clock import read_shift, read_zone
from trailcam_core.classifier import Classifier
from trailcam_core.files.names import counted, printable
from trailcam_core.jobs.cores import usable_cores

_log = logging.getLogger(__name__)
Value = TypeVar("Value")
_INTERRUPTED = 130
_LISTED_SUFFIXES = 8


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that belong to ``--out``."""
    group = parser.add_argument_group("with --out FILE")
    group.add_argument("--jobs", type=_count, metavar="N", help="worker processes (default: one per core)")
    group.add_argument(
        "--threshold", type=float, metavar="SCORE", help="answer unknown below this score (default: the model's)"
    )
    group.add_argument(
        "--boxes", type=Path, metavar="FILE", help="classify the animal boxes of a MegaDetector document (.json)"
    )
    group.add_argument(
        "--sort-into", type=Path, metavar="DIR", help="then put every picture into a folder of its label below DIR"
    )
    group.add_argument(
        "--sort-as", choices=("copy", "link"), default="copy", help="with --sort-into: copies, or symbolic links"
    )
    group.add_argument(
        "--timezone",
        type=_read(read_zone),
        metavar="ZONE",
        help="zone of the rows, for clips that state their time in UTC",
    )
    group.add_argument(
        "--shift", type=_read(read_shift), metavar="TIME", help='correct a wrong clock, for example "+1h" or "-2d"'
    )
    group.add_argument("--overwrite", action="store_true", help="replace an output of another job")
    group.add_argument("--retry", action="store_true", help="read files again that could not be read before")
    group.add_argument(
        "--ray", metavar="ADDRESS", help="work on a Ray cluster: its address, or auto for the one of this machine"
    )


def classify_to_file(arguments: argparse.Namespace) -> int:
    """Run a job; return 0, 1 if a file could not be read, or 130 if it was stopped."""
    classifier = open_classifier(arguments)
    if arguments.zoom:
        classifier.check_zoom()
    job = _job(arguments)
    if arguments.sort_into is not None:
        check_sort_folder(arguments.sort_into, job.sources)
    with stop_on_signals() as stop, job_progress() as progress:
        report = run_job(job, classifier, _pool_maker(arguments, job.settings), stop.event, progress)
    _print_report(report, job)
    if report.stopped:
        return _INTERRUPTED
    unsorted = 0 if arguments.sort_into is None else _sort(arguments, job, classifier)
    return 1 if report.summary.failures or unsorted else 0


def _job(arguments: argparse.Namespace) -> Job:
    model = ModelChoice(
        _text(arguments.bundle),
        _text(arguments.model),
        _text(arguments.labels),
        arguments.background,
        tuple(arguments.value_range) if arguments.value_range else None,
        arguments.fit or "crop",
    )
    return Job(
        sources=tuple(arguments.paths),
        output=Path(arguments.out),
        settings=AnalysisSettings(model, candidates=max(1, arguments.top), zoom=arguments.zoom),
        shard=arguments.shard,
        boxes=arguments.boxes,
        score_limit=arguments.threshold,
        times=TimeRule(arguments.timezone, arguments.shift or timedelta()),
        overwrite=arguments.overwrite,
        retry=arguments.retry,
    )


def _pool_maker(arguments: argparse.Namespace, settings: AnalysisSettings) -> Callable[[], Pool]:
    if arguments.ray is None:
        return lambda: WorkerPool(settings, arguments.jobs or usable_cores())
    from trailcam_archive.cluster.ray_pool import RayPool

    return lambda: RayPool(settings, arguments.ray, arguments.jobs)


def _print_report(report: Report, job: Job) -> None:
    if report.stopped:
        print(
            f"stopped after {report.classified:,} files. The same command goes on behind them.",
            file=sys.stderr,
        )
        return
    before = f", {report.done_before:,} of them before" if report.done_before else ""
    print(f"{job.output}: {counted(report.summary.files, 'file')}{before}")
    for line in report.summary.lines():
        print(printable(line))
    suffixes = report.skipped.suffixes.most_common(_LISTED_SUFFIXES)
    if suffixes:
        listed = ", ".join(f"{count:,} {printable(suffix)}" for suffix, count in suffixes)
        print(f"skipped {counted(report.skipped.suffixes.total(), 'other file')}: {listed}")
    if report.skipped.links:
        print(f"{report.skipped.links:,} links to files of the same folder were skipped")


def _sort(arguments: argparse.Namespace, job: Job, classifier: Classifier) -> int:
    """Sort the files; return the number of those that could not be put into their folder."""
    problems: list[str] = []

    def note(problem: str) -> None:
        problems.append(problem)
        _log.warning("%s", problem)

    prefixes = source_prefixes(job.sources)
    with _reopened(job) as journal:
        facts = model_facts(classifier, job.score_limit)
        number = sort_into(arguments.sort_into, journal.records(), facts, arguments.sort_as, note, prefixes)
    put = "was put into the folder of its label" if number == 1 else "were put into the folders of their labels"
    print(f"{arguments.sort_into}: {counted(number, 'file')} {put}")
    return len(problems)


@contextmanager
def _reopened(job: Job) -> Iterator[Journal]:
    journal = Journal(job.output)
    try:
        yield journal
    finally:
        journal.close()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _count(text: str) -> int:
    value = whole_number(text)
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{value}: expected 1 to 10000")
    return value


def _read(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a reader whose message reaches the user."""

    def reader(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reader
