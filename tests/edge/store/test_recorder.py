"""The recorder: never waits, never forgets what it can keep, says how long it could not."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.events import BlindTime, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.queue.live_queue import Cursor
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.recorder import Recorder, RecorderLimits
from trailcam_edge.store.store_errors import DISK_FULL, LOCKED, StoreCorruptError, StoreUnavailableError

from ..conftest import SMALL, MakeVisit, moment_at
from .conftest import QUICK, Clock, MoodyStore, damage, wait_until


def test_what_was_given_is_stored_at_the_latest_when_it_is_closed(
    start: Callable[..., Recorder], make_visit: MakeVisit, tmp_path: Path
) -> None:
    recorder = start()
    for number in range(10):
        recorder.visit(make_visit(number, best_frame=None))
    recorder.blind(BlindTime("updating", moment_at(3), moment_at(4)))
    recorder.heartbeat(moment_at(30), "tiny-1.0.0", 300)
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert len(list(reader.events())) == 10
        assert [blind.reason for blind in reader.blind_times()] == ["updating"]
        assert [(watch.bundle, watch.frames) for watch in reader.watches()] == [("tiny-1.0.0", 300)]


def test_the_caller_never_waits_for_the_disk(start: Callable[..., Recorder], make_visit: MakeVisit) -> None:
    MoodyStore.hold = threading.Event()
    recorder = start()
    for number in range(QUICK.max_waiting + 20):
        recorder.visit(make_visit(number))  # would hang here if it did
        recorder.heartbeat(moment_at(number), "tiny-1.0.0", number)
    health = recorder.health()
    assert health.waiting == QUICK.max_waiting
    assert health.lost == 20
    assert health.pictures_dropped > 0
    MoodyStore.hold.set()


def test_few_pictures_wait_and_many_events(
    start: Callable[..., Recorder], make_visit: MakeVisit, tmp_path: Path
) -> None:
    MoodyStore.hold = threading.Event()
    recorder = start()
    for number in range(9):
        recorder.visit(make_visit(number))
    MoodyStore.hold.set()
    recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert [event.picture is not None for event in reader.events()] == [True, True] + [False] * 7


def test_a_full_disk_is_waited_out_and_becomes_a_blind_time(
    start: Callable[..., Recorder],
    make_visit: MakeVisit,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    recorder = start()
    clock.second = 100
    MoodyStore.trouble = StoreUnavailableError("the disk is full.", DISK_FULL)
    for number in range(5):
        recorder.visit(make_visit(number))
    wait_until(lambda: recorder.health().problem == DISK_FULL)
    clock.second = 160
    MoodyStore.trouble = None
    wait_until(lambda: recorder.health().problem is None)
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert len(list(reader.events())) == 5
        (blind,) = reader.blind_times()
    assert blind.reason == DISK_FULL
    assert blind.ended.unix_s is not None
    assert blind.started.unix_s is not None
    assert blind.ended.unix_s - blind.started.unix_s == 60
    assert len(caplog.messages) == 2  # said once, and once that it is over
    assert "tries again" in caplog.messages[0]


@pytest.mark.parametrize("full", [False, True])
def test_while_another_program_holds_the_database_only_a_lost_event_is_blind_time(
    start: Callable[..., Recorder], make_visit: MakeVisit, clock: Clock, tmp_path: Path, full: bool
) -> None:
    recorder = start()
    MoodyStore.trouble = StoreUnavailableError("events.db: database locked.", LOCKED)
    for number in range(QUICK.max_waiting + full):
        recorder.visit(make_visit(number, best_frame=None))
    wait_until(lambda: recorder.health().problem == LOCKED)
    clock.second = 60
    MoodyStore.trouble = None
    wait_until(lambda: recorder.health().problem is None)
    recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert len(list(reader.events())) == QUICK.max_waiting
        assert [blind.reason for blind in reader.blind_times()] == [LOCKED] * full


def test_an_unexpected_error_of_the_store_does_not_end_the_recorder(
    make_visit: MakeVisit, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = [StoreCorruptError("damaged again."), UnicodeError("surprise")]

    def open_third_time() -> EventStore:
        if errors:
            raise errors.pop(0)
        return EventStore(replace(SMALL, folder=tmp_path / "store"))

    recorder = Recorder(open_third_time, clock, QUICK)
    recorder.visit(make_visit(1))
    wait_until(lambda: recorder.health().stored == 1)
    assert recorder.close()


def test_damage_that_a_reading_thread_finds_sets_the_database_aside(
    start: Callable[..., Recorder], make_visit: MakeVisit, tmp_path: Path
) -> None:
    recorder = start()
    recorder.visit(make_visit(0))
    wait_until(lambda: recorder.health().stored == 1)
    store = recorder.store
    assert store is not None
    store._database.connection.execute("UPDATE visits SET label = CAST(x'ff' AS TEXT)")
    with pytest.raises(StoreCorruptError):
        store.events_after(0, 10)
    recorder.visit(make_visit(1))
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert [event.visit_id for event in reader.events()] == ["boot-0-00001"]


def test_a_damaged_database_is_replaced_and_the_event_stored_in_the_new_one(
    start: Callable[..., Recorder], make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = start()
    recorder.visit(make_visit(0))
    wait_until(lambda: recorder.health().stored == 1)
    damage(recorder, tmp_path)
    recorder.visit(make_visit(1))
    wait_until(lambda: any("set aside" in message for message in caplog.messages))
    MoodyStore.trouble = None
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        assert [event.visit_id for event in reader.events()] == ["boot-0-00001"]
    assert len(list((tmp_path / "store" / "set-aside").iterdir())) >= 1


def test_a_camera_starts_on_a_disk_that_is_not_to_be_had(make_visit: MakeVisit, clock: Clock, tmp_path: Path) -> None:
    tries: list[int] = []

    def open_third_time() -> EventStore:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailableError("the disk is read-only.", "disk read-only")
        return EventStore(replace(SMALL, folder=tmp_path / "store"))

    recorder = Recorder(open_third_time, clock, QUICK)
    recorder.visit(make_visit(1))
    wait_until(lambda: recorder.health().stored == 1)
    assert recorder.close()


def test_a_store_in_use_is_an_error_at_the_start(start: Callable[..., Recorder]) -> None:
    start()
    with pytest.raises(DeviceError, match="another process"):
        start()


def test_a_wrong_event_does_not_hold_up_the_others(
    start: Callable[..., Recorder], make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = start(RecorderLimits(retry_s=0.01))
    recorder.visit(make_visit(0, best_frame=make_visit(0).best_frame[0]))  # type: ignore[index]
    recorder.visit(make_visit(1, visit_id="../evil"))
    recorder.visit(make_visit(2))
    assert not recorder.close()
    assert recorder.health().lost == 1
    with open_reader(tmp_path / "store") as reader:
        assert [(event.visit_id, event.picture is not None) for event in reader.events()] == [
            ("boot-0-00000", False),
            ("boot-0-00002", True),
        ]


def test_listeners_are_told_that_there_is_something_new(start: Callable[..., Recorder], make_visit: MakeVisit) -> None:
    told = threading.Event()
    recorder = start()
    recorder.subscribe(told.set)
    recorder.visit(make_visit(0))
    assert told.wait(10)


def test_what_could_not_be_stored_before_the_end_is_said(
    start: Callable[..., Recorder], make_visit: MakeVisit, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = start()
    MoodyStore.trouble = StoreUnavailableError("the disk is full.", DISK_FULL)
    recorder.visit(make_visit(0))
    assert not recorder.close()
    assert "1 events could not be stored before the end" in caplog.messages[-1]


def test_while_nothing_can_be_stored_an_opening_waits_and_an_update_is_dropped(
    start: Callable[..., Recorder], make_visit: MakeVisit
) -> None:
    recorder = start()
    MoodyStore.trouble = StoreUnavailableError("no space left", DISK_FULL)
    recorder.visit(make_visit(1))
    wait_until(lambda: recorder.health().problem == DISK_FULL)
    recorder.change(VisitChange("opened", make_visit(2)))
    recorder.change(VisitChange("updated", make_visit(2, confidence=0.99)))
    assert recorder.health().waiting == 2
    MoodyStore.trouble = None
    wait_until(lambda: recorder.health().waiting == 0)
    assert recorder.store is not None
    assert [event.visit_id for event in recorder.store.events_after(0, 10)] == [make_visit(1).visit_id]
    assert recorder.store.queue.open_labels() == ("squirrel",)
    assert recorder.health().stored == 1


def test_an_opening_loses_its_picture_when_too_many_wait_and_is_told_all_the_same(
    start: Callable[..., Recorder], make_visit: MakeVisit
) -> None:
    recorder = start()
    MoodyStore.hold = threading.Event()
    recorder.visit(make_visit(0))
    for number in range(1, 6):
        recorder.change(VisitChange("opened", make_visit(number)))
    MoodyStore.hold.set()
    wait_until(lambda: recorder.health().waiting == 0)
    assert recorder.store is not None
    told = recorder.store.queue.after(Cursor(0, 0), ("opened",), 10)
    assert len(told) == 5
    assert sum(event.picture is not None for _, event in told) == 1
