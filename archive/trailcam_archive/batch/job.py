"""One job: list the sources, spread the files over a pool, keep every record, write the output.

listing ──> tasks ──> pool ──> records ──> journal ──> output
              ^ files that the journal has are passed over
"""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from trailcam_archive.batch.counting import FileCounter
from trailcam_archive.batch.journal import Journal
from trailcam_archive.batch.listing import Found, Shard, Skipped, check_sources, list_files
from trailcam_archive.batch.model_choice import model_facts
from trailcam_archive.batch.output_guard import OutputGuard
from trailcam_archive.batch.pool import Pool
from trailcam_archive.batch.references import identity_of, is_address
from trailcam_archive.batch.source_prefixes import source_prefixes
from trailcam_archive.batch.tasks import ROWS_VERSION, AnalysisSettings, Task
from trailcam_archive.rows.columns import UNCHANGED_TIMES, TimeRule
from trailcam_archive.rows.distinct_name import distinct_name
from trailcam_archive.rows.megadetector import read_detections
from trailcam_archive.rows.output import OutputFacts, check_output, write_output
from trailcam_archive.rows.record import failed, record_to_json
from trailcam_archive.rows.summary import Summary
from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress
from trailcam_core.records import canonical_json

_WAIT_S = 0.2
_DRAIN_WAITS = 25  # of 0.2 s, for files in work when the job is stopped


@dataclass(frozen=True)
class Job:
    """What is classified, how, and where the rows go.

    Attributes:
        sources: folders, files and addresses.
        output: the file of the rows; its suffix chooses the form.
        settings: of the analysis.
        shard: the part of the files that this job does.
        boxes: a MegaDetector document with the boxes that are classified, None for whole pictures.
        score_limit: replaces the threshold of the model's reject rule.
        times: how stated times become those of the rows.
        overwrite: replace an output that this job did not write.
        retry: read files again that could not be read.
    """

    sources: tuple[str, ...]
    output: Path
    settings: AnalysisSettings
    shard: Shard = Shard()  # noqa: RUF009 - frozen
    boxes: Path | None = None
    score_limit: float | None = None
    times: TimeRule = UNCHANGED_TIMES
    overwrite: bool = False
    retry: bool = False

    def identity(self) -> str:
        """Return the digest of everything that changes a record."""
        rules = asdict(replace(self.settings, model=type(self.settings.model)()))
        boxes = None if self.boxes is None else file_sha256(self.boxes)
        parts = {"version": ROWS_VERSION, "model": self.settings.model.digest(), "rules": rules, "boxes": boxes}
        return hashlib.sha256(canonical_json(parts)).hexdigest()


@dataclass
class Report:
    """The end of a job: the summary of all rows, what was left out, and whether the job was stopped before its end."""

    summary: Summary = field(default_factory=Summary)
    skipped: Skipped = field(default_factory=Skipped)
    classified: int = 0
    done_before: int = 0
    stopped: bool = False


def run_job(
    job: Job, classifier: Classifier, make_pool: Callable[[], Pool], stop: threading.Event, progress: Progress
) -> Report:
    """Run a job to its end, or until ``stop`` is set; then the same job goes on where this one ended.

    Args:
        job: see there.
        classifier: opened from the job's model, for its name and labels.
        make_pool: starts the workers, once there is something to do.
        stop: is checked several times per second.
        progress: is called with the number of files; their total grows while they are counted.

    Raises:
        DataError: the output or the boxes cannot be used, or another job holds the output.
        DeviceError: no worker can run, or the disk is full.
        SourceError: a source does not exist, or nothing was found.
    """
    check_output(job.output)
    check_sources(list(job.sources))
    prefixes = source_prefixes(job.sources)
    guard = OutputGuard(job.output, job.overwrite)
    guard.check_before(Journal)
    with closing(Journal(job.output)) as journal:
        identity = job.identity()
        guard.check(journal, identity, job.sources, job.shard)
        report = Report(done_before=journal.begin(identity))
        guard.keep_sources(journal, job.sources, job.shard)
        if job.retry:
            journal.forget_failures()
        if job.boxes is not None and journal.fact("boxes") is None:
            journal.keep_fact("boxes", str(journal.keep_boxes(read_detections(job.boxes))))
        with FileCounter(job.sources, job.shard) as counter:
            show = partial(_show, progress, counter)
            _Run(job, journal, report, stop, show, prefixes).all(make_pool)
        if not len(journal) and not report.stopped:
            raise SourceError(f"{', '.join(job.sources)}: no photograph and no clip found. Check the path.")
        if not report.stopped:
            facts = model_facts(classifier, job.score_limit)
            detector = None if job.boxes is None else job.boxes.name
            output_facts = OutputFacts(facts, classifier.output.labels, job.times, detector, prefixes)
            write_output(job.output, report.summary.watch(journal.records(), facts), output_facts)
            guard.keep_written(journal)
    return report


def _show(progress: Progress, counter: FileCounter, done: int) -> None:
    progress("files", done, max(done, counter.count), "" if counter.is_done else "still counting")


class _Run:
    """The loop of one job."""

    def __init__(
        self,
        job: Job,
        journal: Journal,
        report: Report,
        stop: threading.Event,
        show: Callable[[int], None],
        prefixes: Mapping[str, str],
    ) -> None:
        self._job = job
        self._journal = journal
        self._report = report
        self._stop = stop
        self._show = show
        self._prefixes = prefixes
        self._passed = 0  # files that were done before
        self._in_work: dict[int, tuple[Task, Found, tuple[int, int]]] = {}  # by the identity of the task

    def all(self, make_pool: Callable[[], Pool]) -> None:
        """Classify every file that the journal lacks; the pool starts with the first of them."""
        todo = self._todo()
        first = next(todo, None)
        if first is None or self._stop.is_set():
            self._report.stopped = self._stop.is_set()
            return
        with closing(make_pool()) as pool:
            try:
                self._feed(itertools.chain([first], todo), pool)
                self._drain(pool)
            finally:
                self._journal.commit()

    def _todo(self) -> Iterator[tuple[Found, tuple[int, int]]]:
        """Yield files without a record; those that cannot be read at all get theirs here."""
        for found in list_files(list(self._job.sources), self._job.shard, self._report.skipped):
            if self._stop.is_set():
                return
            identity = found.state or identity_of(found.reference)
            if self._journal.has(found, identity):
                self._passed += 1
                if self._passed % 500 == 0:  # not to slow down a million of them
                    self._show(self._passed)
            elif found.problem is not None:
                self._add(found, identity, record_to_json(failed(found.problem)))
            else:
                yield found, identity

    def _feed(self, todo: Iterator[tuple[Found, tuple[int, int]]], pool: Pool) -> None:
        ended = False
        while not self._stop.is_set() and not (ended and not pool.pending):
            while not ended and pool.wanted() > 0:
                item = next(todo, None)
                if item is None:
                    ended = True
                    break
                self._submit(*item, pool)
            self._take(pool)
        self._report.stopped = self._stop.is_set()

    def _drain(self, pool: Pool) -> None:
        """Take what is in work when the job is stopped, for some seconds."""
        for _ in range(_DRAIN_WAITS):
            if not pool.pending:
                return
            self._take(pool)

    def _take(self, pool: Pool) -> None:
        for task, record in pool.wait(_WAIT_S):
            _, found, identity = self._in_work.pop(id(task))
            self._add(found, identity, record)
        self._journal.commit_if_due()

    def _submit(self, found: Found, identity: tuple[int, int], pool: Pool) -> None:
        boxes = None
        if self._job.boxes is not None and found.kind != "clip":
            name = distinct_name(self._prefixes, found.source, found.relative)
            boxes = self._journal.boxes_of(name)
            if boxes is None and not is_address(found.reference):
                boxes = self._journal.boxes_of(os.path.abspath(found.reference))  # noqa: PTH100 - as the detector does
            if boxes is None:
                problem = f"{name}: {self._job.boxes.name} has no boxes of this picture: no entry, or one of a failure."
                self._add(found, identity, record_to_json(failed(problem)))
                return
        task = Task(found.reference, found.kind, boxes)
        self._in_work[id(task)] = task, found, identity
        pool.submit(task)

    def _add(self, found: Found, identity: tuple[int, int], record: str) -> None:
        self._journal.add(found, identity, record)
        self._report.classified += 1
        self._show(self._passed + self._report.classified)
