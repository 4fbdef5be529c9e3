"""Jobs: they end, stop, go on, start anew, and protect what is there."""

import csv
import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archive.batch.fakes import FakePool

from trailcam_archive.batch.job import Job, Report, run_job
from trailcam_archive.batch.journal import Journal
from trailcam_archive.batch.listing import Found, Shard
from trailcam_archive.batch.pool import Result
from trailcam_archive.batch.tasks import AnalysisSettings
from trailcam_archive.rows import output
from trailcam_archive.rows.record import failed, record_to_json
from trailcam_core.classifier import Classifier
from trailcam_core.errors import DataError, DeviceError, SourceError
from trailcam_core.jobs.progress import silent

SETTINGS = AnalysisSettings()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.open(num_threads=1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    for number in range(20):
        path = tmp_path / "card" / f"{number % 2}" / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return Job((str(tmp_path / "card"),), tmp_path / "rows.csv", SETTINGS)


def run(job: Job, classifier: Classifier, pool: FakePool | None = None, stop: threading.Event | None = None) -> Report:
    return run_job(job, classifier, lambda: pool or FakePool(), stop or threading.Event(), silent)


def names(path: Path) -> list[str]:
    with open(path, newline="") as file:
        return [row["File"] for row in csv.DictReader(file)]


class StoppingPool(FakePool):
    """Sets ``stop`` when it gives its sixth answer."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop
        self._given = 0

    def wait(self, timeout_s: float) -> list[Result]:
        found = super().wait(timeout_s)
        self._given += len(found)
        if self._given >= 6:
            self._stop.set()
        return found


def test_every_file_gets_one_row_in_the_order_of_its_path(job: Job, classifier: Classifier) -> None:
    report = run(job, classifier)
    assert report.summary.files == report.classified == 20
    assert names(job.output) == [f"{number:02}.jpg" for number in (*range(0, 20, 2), *range(1, 20, 2))]
    assert report.summary.by_label.total() == 20


def test_a_stopped_job_goes_on_and_repeats_nothing(job: Job, classifier: Classifier) -> None:
    stop = threading.Event()
    first = StoppingPool(stop)
    report = run(job, classifier, first, stop)
    assert report.stopped
    assert first.closed
    assert not job.output.exists()
    second = FakePool()
    after = run(job, classifier, second)
    assert after.done_before == report.classified == len(first.seen)
    assert not set(first.seen) & set(second.seen)
    assert len(names(job.output)) == 20


def test_a_finished_job_has_nothing_to_do_and_sees_new_and_changed_files(job: Job, classifier: Classifier) -> None:
    run(job, classifier)
    pool = FakePool()
    assert run(job, classifier, pool).classified == 0
    assert pool.seen == []
    (Path(job.sources[0]) / "new.jpg").write_bytes(b"x")
    (Path(job.sources[0]) / "1" / "07.jpg").write_bytes(b"longer")
    run(job, classifier, pool)
    assert sorted(pool.seen) == ["07.jpg", "new.jpg"]
    assert len(names(job.output)) == 21


def test_another_model_starts_anew(job: Job, classifier: Classifier, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    run(job, classifier, StoppingPool(stop), stop)
    other = replace(job, settings=replace(SETTINGS, candidates=5))
    pool = FakePool()
    assert run(other, classifier, pool).done_before == 0
    assert len(pool.seen) == 20
    assert "starts anew" in caplog.text


def test_rows_of_an_earlier_version_start_anew(
    job: Job, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    with monkeypatch.context() as earlier:
        earlier.setattr("trailcam_archive.batch.job.ROWS_VERSION", 1)  # in which an empty scene was "blank"
        run(job, classifier, StoppingPool(stop), stop)
    pool = FakePool()
    assert run(job, classifier, pool).done_before == 0
    assert len(pool.seen) == 20
    assert "starts anew" in caplog.text


def test_another_threshold_needs_no_second_run(job: Job, classifier: Classifier) -> None:
    run(job, classifier)
    pool = FakePool()
    report = run(replace(job, score_limit=3.5), classifier, pool)
    assert (pool.seen, dict(report.summary.by_label)) == ([], {"unknown": 20})


@pytest.mark.parametrize("change", ["foreign", "edited", "model", "sources", "shard"])
def test_an_output_of_another_job_is_protected(change: str, job: Job, classifier: Classifier, tmp_path: Path) -> None:
    other = job
    if change == "foreign":
        job.output.write_text("my corrections")
    else:
        run(job, classifier)
    if change == "edited":
        job.output.write_text("my corrections")
    if change == "model":
        other = replace(job, settings=replace(SETTINGS, candidates=5))
    if change == "sources":
        other = replace(job, sources=(str(tmp_path / "card" / "0"),))
    if change == "shard":
        other = replace(job, shard=Shard(1, 2))
    before = job.output.read_bytes()
    with pytest.raises(DataError, match="--overwrite"):
        run(other, classifier)
    assert job.output.read_bytes() == before
    run(replace(other, overwrite=True), classifier)
    assert len(names(job.output)) == {"sources": 10}.get(change, len(names(job.output)))
    assert job.output.read_bytes() != b"my corrections"


def test_two_jobs_cannot_share_an_output(job: Job, classifier: Classifier) -> None:
    held = Journal(job.output)
    try:
        with pytest.raises(DataError, match="another job writes"):
            run(job, classifier)
    finally:
        held.close()


def test_a_full_disk_at_the_end_leaves_the_journal(
    job: Job, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setitem(output._TABLES, ".csv", fail)
        with pytest.raises(OSError, match="No space"):
            run(job, classifier)
    assert sorted(path.name for path in job.output.parent.iterdir()) == ["card", "rows.csv.journal"]
    pool = FakePool()
    run(job, classifier, pool)
    assert pool.seen == []
    assert len(names(job.output)) == 20


def test_a_full_disk_in_the_middle_loses_at_most_16_rows(job: Job, tmp_path: Path) -> None:
    found = [Found(str(tmp_path), f"{number:05}.jpg", "", "photograph") for number in range(2_000)]
    journal = Journal(job.output)
    journal._database.execute("PRAGMA max_page_count = 60")
    added: list[Found] = []

    def add_all() -> None:
        for item in found:
            journal.add(item, (1, 1), record_to_json(failed("x" * 500)))
            added.append(item)

    with pytest.raises(DeviceError, match=r"disk is full.*goes on"):
        add_all()
    journal.commit()  # at the end of the job: the first error is the one that counts
    journal.close()
    again = Journal(job.output)
    assert 0 <= len(added) - len(again) <= 16
    assert len(added) > 100
    again.close()


def test_a_source_without_a_picture_does_not_hold_the_output(job: Job, tmp_path: Path, classifier: Classifier) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no photograph and no clip"):
        run(replace(job, sources=(str(tmp_path / "empty"),)), classifier)
    assert run(job, classifier).classified == 20


def test_failures_are_read_again_where_that_is_asked_for(job: Job, classifier: Classifier) -> None:
    (Path(job.sources[0]) / "clip.mp4").write_bytes(b"x")
    boxes = {"images": [{"file": "0/00.jpg", "detections": []}], "detection_categories": {"1": "animal"}}
    path = job.output.with_name("md.json")
    path.write_text(json.dumps(boxes))
    with_boxes = replace(job, boxes=path)
    report = run(with_boxes, classifier)
    assert report.summary.failures == 19
    assert "has no boxes of this picture" in report.summary.first_failures[0]
    assert run(with_boxes, classifier).classified == 0
    assert run(replace(with_boxes, retry=True), classifier).classified == 19


def test_boxes_reach_the_worker(job: Job, classifier: Classifier) -> None:
    detection = {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5]}
    files = [f"{number % 2}/{number:02}.jpg" for number in range(20)]
    document = {"images": [{"file": file, "detections": [detection] * 2} for file in files]}
    path = job.output.with_name("md.json")
    path.write_text(json.dumps(document | {"detection_categories": {"1": "animal"}}))
    report = run(replace(job, boxes=path), classifier)
    assert (report.summary.files, report.summary.failures) == (20, 0)
    assert len(names(job.output)) == 40


def test_nothing_found_and_no_such_source_are_errors(job: Job, classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no photograph and no clip"):
        run(replace(job, sources=(str(tmp_path / "empty"),)), classifier)
    with pytest.raises(SourceError, match="no such file"):
        run(replace(job, sources=(str(tmp_path / "nowhere"),), output=tmp_path / "b.csv"), classifier)


@pytest.mark.parametrize("name", ["rows.xlsx", "nowhere/rows.csv", "card"])
def test_an_output_that_cannot_be_written_is_refused_first(name: str, job: Job, classifier: Classifier) -> None:
    with pytest.raises(DataError):
        run(replace(job, output=job.output.parent / name), classifier)


def test_a_file_that_is_no_journal_is_left_alone(job: Job, classifier: Classifier) -> None:
    path = Journal.path_of(job.output)
    path.write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match="not a journal"):
        run(job, classifier)
    assert path.read_bytes() == b"something else" * 100


def test_a_damaged_journal_is_one_error_with_a_cure(job: Job, classifier: Classifier) -> None:
    run(job, classifier)
    path = Journal.path_of(job.output)
    sound = path.read_bytes()
    chance = random.Random(8)
    refused = 0
    for _ in range(60):
        damaged = bytearray(sound)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        for name in ("", "-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        path.write_bytes(damaged)
        try:
            run(job, classifier)
        except (DataError, DeviceError) as error:
            refused += "--overwrite" in str(error)
    assert refused


def test_boxes_of_two_cards_are_those_of_their_own_pictures(job: Job, classifier: Classifier) -> None:
    card = Path(job.sources[0])
    for folder in "01":
        (card / folder / "1.jpg").write_bytes(b"x")
    detections = [{"category": "1", "conf": 0.9, "bbox": [0, 0, 0.5, 1]}]
    for names in (("0/1.jpg",), (f"{card}/0/1.jpg",), ("./0/1.jpg",)):
        images = [{"file": name, "detections": detections} for name in names]
        path = job.output.with_name("md.json")
        path.write_text(json.dumps({"images": images, "detection_categories": {"1": "animal"}}))
        sources = tuple(str(card / folder / "1.jpg") for folder in "01")
        pool = FakePool()
        with_boxes = replace(job, sources=sources, boxes=path, overwrite=True)
        report = run(with_boxes, classifier, pool)
        assert pool.seen == ["1.jpg"]
        assert report.summary.first_failures == [
            "1/1.jpg: md.json has no boxes of this picture: no entry, or one of a failure."
        ]
