"""The queue of the sinks: order, cursors, and the truth about what is open."""

import contextlib
import gc
import logging
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trailcam_edge.events import Moment, Visit, VisitChange
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import open_database
from trailcam_edge.store.queue.live_queue import Cursor
from trailcam_edge.store.schema import MIGRATIONS
from trailcam_edge.store.settings import StoreSettings

ALL = ("opened", "updated", "closed")
START = Cursor(0, 0)
OpenStore = Callable[[], EventStore]


def moment(number: float) -> Moment:
    return Moment(number, datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=number), "boot-0")


def visit(number: int, level: int = 90, **changes: object) -> Visit:
    image = np.full((48, 64, 3), level, np.uint8)
    made = Visit(f"v{number}", "lynx", moment(number), moment(number + 0.8), 0.7, 3, 3, image, "b 1", 10.0)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    made: list[EventStore] = []

    def open_it() -> EventStore:
        made.append(EventStore(StoreSettings(tmp_path / "store", min_free_bytes=0)))
        return made[-1]

    yield open_it
    for store in made:
        with contextlib.suppress(OSError):  # the test has closed it
            store.close()


def delivered(store: EventStore, kinds: tuple[str, ...] = ALL, after: Cursor = START) -> list[tuple[str, str]]:
    return [(event.kind, event.visit_id) for _, event in store.queue.after(after, kinds, 100)]


def test_events_come_in_the_order_in_which_they_were_stored(open_store: OpenStore) -> None:
    store = open_store()
    store.add_visit(visit(0))
    store.add_change(VisitChange("opened", visit(1)))
    store.add_change(VisitChange("opened", visit(2)))
    store.add_visit(visit(1))
    store.add_change(VisitChange("updated", visit(2, confidence=0.9)))
    store.add_visit(visit(2))
    assert delivered(store) == [
        ("closed", "v0"),
        ("opened", "v1"),
        ("opened", "v2"),
        ("closed", "v1"),
        ("updated", "v2"),
        ("closed", "v2"),
    ]
    assert delivered(store, ("closed",)) == [("closed", "v0"), ("closed", "v1"), ("closed", "v2")]
    assert delivered(store, ("opened",)) == [("opened", "v1"), ("opened", "v2")]


def test_every_cursor_leads_to_the_rest(open_store: OpenStore) -> None:
    store = open_store()
    for number in range(6):
        store.add_change(VisitChange("opened", visit(number)))
        store.add_visit(visit(number))
    everything = store.queue.after(Cursor(0, 0), ALL, 100)
    for place, (cursor, _) in enumerate(everything):
        assert store.queue.after(cursor, ALL, 100) == everything[place + 1 :]
    assert store.queue.after(Cursor(0, 0), ALL, 5) == everything[:5]
    assert everything[-1][0] == store.queue.newest()


def test_an_open_visit_has_its_picture_and_what_is_known_by_now(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    store.add_change(VisitChange("opened", visit(1)))
    store.add_change(VisitChange("updated", visit(1, level=200, confidence=0.95, frames=9)))
    (_, opened), (_, updated) = store.queue.after(Cursor(0, 0), ALL, 100)
    assert (opened.event_id, opened.confidence, opened.frames) == (0, 0.95, 9)
    assert updated.picture == "pictures/v1.jpg"
    assert (tmp_path / "store" / updated.picture).is_file()
    assert store.queue.open_labels() == ("lynx",)
    store.add_visit(visit(1))
    assert store.queue.open_labels() == ()


def test_an_update_replaces_one_that_a_sink_has_not_taken(open_store: OpenStore) -> None:
    store = open_store()
    store.add_change(VisitChange("opened", visit(1)))
    for number in range(5):
        store.add_change(VisitChange("updated", visit(1, confidence=0.8 + number / 100)))
    assert delivered(store) == [("opened", "v1"), ("updated", "v1")]


def test_the_picture_of_the_end_is_not_written_again_if_it_is_the_same(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    open_visit = visit(1)
    store.add_change(VisitChange("opened", open_visit))
    path = tmp_path / "store" / "pictures" / "v1.jpg"
    before = path.stat().st_ino
    store.add_visit(replace(open_visit, frames=20))
    assert path.stat().st_ino == before
    (event,) = store.events_after(0, 10)
    assert (event.picture_state, event.frames) == ("kept", 20)
    store.add_change(VisitChange("opened", visit(2)))
    store.add_visit(visit(2, level=3))
    assert store.usage().pictures_bytes == 2 * 4096


def test_a_visit_that_a_kill_left_open_is_closed_at_the_next_start(
    open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = open_store()
    store.add_visit(visit(0))
    store.add_change(VisitChange("opened", visit(1)))
    store.add_change(VisitChange("opened", visit(2, best_frame=None)))
    store.queue.move("mqtt", store.queue.newest())
    cursor = store.queue.cursor("mqtt")
    assert cursor is not None
    store.close()  # its rows are those of a process that was killed here
    again = open_store()
    assert "2 visits were open" in caplog.messages[0]
    assert delivered(again, after=cursor) == [("closed", "v1"), ("closed", "v2")]
    assert again.queue.open_labels() == ()
    one, two = again.events_after(1, 10)
    assert (one.picture_state, two.picture_state) == ("kept", "none")
    assert (one.duration_s, one.votes) == (pytest.approx(0.8), 3)


def test_a_power_cut_between_a_new_picture_and_its_row_keeps_the_picture(
    open_store: OpenStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    for number in (1, 2):
        store.add_change(VisitChange("opened", visit(number)))
    store.close()
    pictures = tmp_path / "store" / "pictures"
    (pictures / "v1.jpg").write_bytes((pictures / "v1.jpg").read_bytes() + b"newer")
    (pictures / "v2.jpg").unlink()
    again = open_store()
    one, two = again.events_after(0, 10)
    assert (one.picture_state, two.picture_state) == ("kept", "missing")
    assert (pictures / "v1.jpg").is_file()
    assert not any("picture" in message for message in caplog.messages)


def test_a_late_change_of_a_visit_that_has_ended_is_no_open_visit(open_store: OpenStore) -> None:
    store = open_store()
    store.add_visit(visit(1))
    store.add_change(VisitChange("updated", visit(1)))
    assert store.queue.open_labels() == ()
    assert delivered(store) == [("closed", "v1")]


def test_a_sink_keeps_its_cursor_and_its_memory(open_store: OpenStore) -> None:
    store = open_store()
    assert store.queue.cursor("phone") is None
    assert store.queue.memory("phone") == ""
    store.queue.move("phone", Cursor(0, 0), '{"лось": 1}')
    store.close()
    again = open_store()
    assert again.queue.cursor("phone") == Cursor(0, 0)
    assert again.queue.memory("phone") == '{"лось": 1}'


def test_the_last_event_is_that_of_an_open_visit_only_if_asked(open_store: OpenStore) -> None:
    store = open_store()
    assert store.queue.last_event(with_open=True) is None
    store.add_visit(visit(1))
    store.add_change(VisitChange("opened", visit(2)))
    for with_open, expected in ((False, "v1"), (True, "v2")):
        last = store.queue.last_event(with_open)
        assert last is not None
        assert last.visit_id == expected
    assert store.queue.labels() == ("lynx",)


def test_the_queue_of_live_events_is_bounded(open_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailcam_edge.store.queue.open_visits._MAX_LIVE_EVENTS", 5)
    store = open_store()
    for number in range(9):
        store.add_change(VisitChange("opened", visit(number, best_frame=None)))
    assert delivered(store) == [("opened", f"v{number}") for number in range(4, 9)]


def test_a_store_of_version_2_keeps_its_sinks(tmp_path: Path, open_store: OpenStore) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    connection = open_database(folder, MIGRATIONS[:2])
    connection.execute("INSERT INTO sinks VALUES ('mqtt', 0)")
    connection.close()
    store = open_store()
    assert store.queue.cursor("mqtt") == Cursor(0, 0)
    assert store.acknowledged("mqtt") == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE live_events SET kind = 'opener'",
        "UPDATE open_visits SET confidence = 7.0",
        "UPDATE sinks SET live_id = -1",
    ],
)
def test_a_damaged_value_of_a_live_table_sets_the_database_aside(
    tmp_path: Path, open_store: OpenStore, damage: str
) -> None:
    store = open_store()
    store.add_change(VisitChange("opened", visit(1)))
    store.queue.move("mqtt", Cursor(0, 0))
    store.close()
    connection = sqlite3.connect(tmp_path / "store" / "events.db")
    connection.execute(damage)
    connection.commit()
    connection.close()
    open_store()
    assert len(list((tmp_path / "store" / "set-aside").iterdir())) == 1


def test_a_picture_that_a_better_one_replaced_is_not_kept_in_memory(open_store: OpenStore) -> None:
    store = open_store()
    first = visit(1)
    store.add_change(VisitChange("opened", first))
    assert first.best_frame is not None
    alive = weakref.ref(first.best_frame)
    del first
    gc.collect()
    assert alive() is None
