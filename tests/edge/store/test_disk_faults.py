"""A store whose disk is full, failing, or FAT: rows and files agree, and no event is lost."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.events import OPENED, UPDATED, Clip, PictureSample, VisitChange
from trailcam_edge.store.disk.picture_folder import PictureFolder
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.quota import Quota
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.recorder import Recorder
from trailcam_edge.store.store_errors import DISK_FAILING, DISK_FULL, StoreUnavailableError

from ..conftest import SMALL, MakeVisit, OpenStore, moment_at
from ..disk_faults import run_with_disk_faults
from .conftest import QUICK, Clock, wait_until

OTHER = np.random.default_rng(5).integers(0, 256, (40, 40, 3), np.uint8)


def failing(number: int) -> Callable[..., None]:
    """Return a function that raises this error of the system."""

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def on_folders(number: int) -> Callable[[int], None]:
    """Return an ``fsync`` that answers this error for folders."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            failing(number)()
        real(descriptor)

    return fsync


def files(store: EventStore) -> set[str]:
    return {path.name for path in (store.folder / "pictures").iterdir()}


def states(store: EventStore) -> dict[str, tuple[str, bool]]:
    """Return the state of the picture of each visit, and whether it is on the disk."""
    with open_reader(store.folder) as reader:
        return {
            event.visit_id: (event.picture_state, event.picture is not None and (store.folder / event.picture).exists())
            for event in reader.events()
        }


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_better_picture_that_cannot_be_written_costs_no_earlier_one(
    open_store: OpenStore,
    make_visit: MakeVisit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    store = open_store()
    for visit in (1, 2):
        store.add_change(VisitChange(OPENED, make_visit(visit)))
    with monkeypatch.context() as patch:
        patch.setattr(PictureFolder, "write", failing(number))
        store.add_change(VisitChange(UPDATED, make_visit(1, best_frame=OTHER)))
        for visit in (1, 2, 3):
            store.add_visit(make_visit(visit, best_frame=OTHER))
    kept = ("kept", True)
    assert states(store) == {"boot-0-00001": kept, "boot-0-00002": kept, "boot-0-00003": ("dropped", False)}
    assert files(store) == {"boot-0-00001.jpg", "boot-0-00002.jpg"}
    assert caplog.text.count("is stored without its newest picture") == 1  # one line for one cause
    store.add_visit(make_visit(4))
    assert states(store)["boot-0-00004"] == kept


def test_a_better_picture_is_written_with_the_visit_when_there_is_space_again(
    open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store.add_change(VisitChange(OPENED, make_visit(1)))
    with monkeypatch.context() as patch:
        patch.setattr(PictureFolder, "write", failing(errno.ENOSPC))
        store.add_change(VisitChange(UPDATED, make_visit(1, best_frame=OTHER)))
    store.add_visit(make_visit(1, best_frame=OTHER))
    picture = cv2.imread(str(store.folder / "pictures" / "boot-0-00001.jpg"))
    assert picture is not None
    assert picture.shape == OTHER.shape


def test_a_visit_whose_picture_could_not_wait_in_memory_keeps_that_of_its_opening(
    open_store: OpenStore, make_visit: MakeVisit
) -> None:
    store = open_store()
    store.add_change(VisitChange(OPENED, make_visit(1)))
    store.add_visit(make_visit(1, best_frame=None))
    assert states(store) == {"boot-0-00001": ("kept", True)}


def test_a_picture_that_was_removed_for_its_row_is_written_again_when_the_row_is(
    open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(quota: Quota) -> None:
        raise StoreUnavailableError("full.", DISK_FULL)

    store = open_store()
    visit = make_visit(1)
    store.add_change(VisitChange(OPENED, visit))
    with monkeypatch.context() as patch:
        patch.setattr(Quota, "reserve_rows", full)
        with pytest.raises(StoreUnavailableError):
            store.add_visit(visit)
    assert files(store) == set()
    store.add_visit(visit)
    assert states(store) == {"boot-0-00001": ("kept", True)}


def test_a_sample_that_finds_no_space_is_dropped_and_leaves_no_file(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    sample = PictureSample("s-1", "quiet", moment_at(1), OTHER, "tiny-1.0.0", 24.0)
    with monkeypatch.context() as patch:
        patch.setattr(PictureFolder, "write", failing(errno.ENOSPC))
        assert not store.add_sample(sample)
    with monkeypatch.context() as patch:
        patch.setattr("trailcam_edge.store.reviews.samples.insert", failing(errno.EIO))
        with pytest.raises(StoreUnavailableError) as failed:
            store.add_sample(sample)
    assert failed.value.reason == DISK_FAILING
    assert files(store) == set()
    assert store.add_sample(sample)


def test_a_picture_whose_folder_cannot_be_flushed_is_not_said_to_be_stored(
    open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", on_folders(errno.EIO))
        store.add_visit(make_visit(1))
        assert not store.add_clip(Clip("boot-0-00001", bytes(100), 0.0, 1.0))
    assert states(store) == {"boot-0-00001": ("dropped", False)}
    assert files(store) == set()
    assert (store.usage().pictures_bytes, store.usage().clips_bytes) == (0, 0)


def test_a_disk_without_modes_and_without_a_flush_of_folders_stores_everything(
    open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", failing(errno.EPERM))  # FAT that is mounted for another user
    monkeypatch.setattr(os, "fsync", on_folders(errno.EINVAL))
    store = open_store()
    store.add_change(VisitChange(OPENED, make_visit(1)))
    store.add_visit(make_visit(1, best_frame=OTHER))  # over the file that is there
    assert store.add_clip(Clip("boot-0-00001", bytes(100), 0.0, 1.0))
    assert states(store) == {"boot-0-00001": ("kept", True)}


def test_a_value_with_which_the_next_start_would_set_the_database_aside_is_refused(
    open_store: OpenStore, make_visit: MakeVisit
) -> None:
    store = open_store()
    store.add_visit(make_visit(1))
    with pytest.raises(ValueError, match="a value of clips is out of range"):
        store.add_clip(Clip("boot-0-00001", b"", 0.0, 1.0))
    with pytest.raises(ValueError, match="a value of visits is out of range"):
        store.add_visit(make_visit(2, confidence=7.0))
    with pytest.raises(ValueError, match="a value of open_visits is out of range"):
        store.add_change(VisitChange(OPENED, make_visit(3, latency_ms=-1.0)))
    store.close()
    store = open_store()
    assert not (store.folder / "set-aside").exists()
    assert states(store) == {"boot-0-00001": ("kept", True)}


def test_an_error_of_the_disk_is_no_fault_of_the_event(
    make_visit: MakeVisit, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Quota, "reserve_rows", failing(errno.EIO))
        recorder = Recorder(lambda: EventStore(replace(SMALL, folder=tmp_path / "store")), clock, QUICK)
        recorder.visit(make_visit(1))
        wait_until(lambda: recorder.health().problem is not None)
    assert recorder.close()
    assert recorder.health().lost == 0
    with open_reader(tmp_path / "store") as reader:
        assert [event.picture_state for event in reader.events()] == ["kept"]


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_events_go_on_in_a_new_database_when_somebody_deletes_the_one_in_use(
    make_visit: MakeVisit, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    folder = tmp_path / "store"
    EventStore(replace(SMALL, folder=folder)).close()
    shutil.copytree(folder, tmp_path / "copy")
    recorder = Recorder(lambda: EventStore(replace(SMALL, folder=folder)), clock, QUICK)
    recorder.visit(make_visit(1))
    wait_until(lambda: recorder.health().stored == 1)
    shutil.rmtree(folder)
    if how == "replaced":
        shutil.copytree(tmp_path / "copy", folder)
    recorder.visit(make_visit(2))
    wait_until(lambda: recorder.health().stored == 2)
    assert recorder.close()
    assert caplog.text.count("another program has deleted or replaced the database") == 1
    with open_reader(folder) as reader:
        assert [(event.visit_id, event.picture_state) for event in reader.events()] == [("boot-0-00002", "kept")]


def test_the_log_that_a_reader_has_held_open_becomes_small_again(open_store: OpenStore, make_visit: MakeVisit) -> None:
    store = open_store()
    log = store.folder / "events.db-wal"
    for number in range(5):
        store.add_visit(make_visit(number, best_frame=None))
    with open_reader(store.folder) as reader:
        hung = reader.events()  # a pager that was left open
        next(hung)
        for number in range(5, 250):
            store.add_visit(make_visit(number, best_frame=None))
        assert log.stat().st_size > 2_500_000
        del hung
    for number in range(250, 260):
        store.add_visit(make_visit(number, best_frame=None))
    assert log.stat().st_size <= 2_000_000


def test_whatever_call_fails_once_or_for_a_while_no_event_is_lost_and_rows_and_files_agree(tmp_path: Path) -> None:
    result = run_with_disk_faults(Path(__file__).parent / "disk_fault_run.py", tmp_path, 40)
    assert result["faults"] == 40
    assert min(result["calls"].values()) > 50
