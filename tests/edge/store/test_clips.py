"""Clips in the store: with their visits, inside the limit, and whole after every kind of end."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam_edge.events import OPENED, Clip, Moment, VisitChange
from trailcam_edge.store.disk.picture_folder import PictureFolder
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import SET_ASIDE_FOLDER
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.recorder import Recorder, RecorderLimits
from trailcam_edge.store.records import CSV_HEADER, csv_row, event_json
from trailcam_edge.store.settings import StoreSettings
from trailcam_edge.store.store_errors import StoreUnavailableError

from ..conftest import SMALL, MakeVisit, OpenStore, moment_at


def clip(number: int, size: int = 100, boot: str = "boot-0") -> Clip:
    return Clip(f"{boot}-{number:05}", bytes(size), -5.0, 12.5)


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "clips").iterdir()}


def test_a_clip_of_an_open_visit_stays_with_it_when_it_closes(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    store.add_change(VisitChange(OPENED, make_visit(1)))
    assert store.add_clip(clip(1))
    store.add_visit(make_visit(1))
    store.add_visit(make_visit(2))
    with open_reader(tmp_path / "store") as reader:
        with_clip, without = reader.events()
        assert (with_clip.clip, with_clip.clip_offset_s) == ("clips/boot-0-00001.mp4", -5.0)
        assert (without.clip, without.clip_offset_s) == (None, None)
        assert reader.select("1", (), "event_id", 1)[0].clip == with_clip.clip
    assert event_json(with_clip)["clip"] == "clips/boot-0-00001.mp4"
    assert dict(zip(CSV_HEADER, csv_row(with_clip), strict=True))["clip"] == "clips/boot-0-00001.mp4"
    assert csv_row(without)[-1] == ""
    assert (tmp_path / "store" / str(with_clip.clip)).read_bytes() == bytes(100)
    assert store.usage().clips_bytes == 4096
    (closed,) = (event for _, event in store.queue.after(store.queue.newest()._replace(event_id=0), {"closed"}, 1))
    assert closed.clip == with_clip.clip


def test_a_clip_of_a_visit_that_is_gone_is_not_kept(open_store: OpenStore, tmp_path: Path) -> None:
    assert not open_store().add_clip(clip(1))
    assert files(tmp_path / "store") == set()


def test_after_a_kill_clips_are_whole_or_gone(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = open_store()
    store.add_change(VisitChange(OPENED, make_visit(1)))
    for number in (2, 3, 4, 5):
        store.add_visit(make_visit(number))
    for number in range(1, 6):
        store.add_clip(clip(number))
    store.close()  # the visit 1 stays open, as after a kill
    with sqlite3.connect(folder / "events.db") as database:
        database.execute("DELETE FROM visits WHERE visit_id = 'boot-0-00003'")
    database.close()
    (folder / "clips" / "boot-0-00004.mp4").unlink()
    (folder / "clips" / "boot-0-00005.mp4").write_bytes(b"half")
    (folder / "clips" / ".trailcam-staging-x").write_bytes(b"half")
    (folder / "clips" / "boot-0-00009.mp4").write_bytes(b"renamed, but without a row")
    again = open_store()
    assert files(folder) == {"boot-0-00001.mp4", "boot-0-00002.mp4"}
    assert again.usage().clips_bytes == 2 * 4096
    with open_reader(folder) as reader:
        found = {event.visit_id: event.clip for event in reader.events()}
    assert found == {
        "boot-0-00002": "clips/boot-0-00002.mp4",
        "boot-0-00004": None,
        "boot-0-00005": None,
        "boot-0-00001": "clips/boot-0-00001.mp4",
    }


def test_clips_take_a_quarter_of_the_limit_and_the_oldest_of_the_most_common_label_goes(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()  # 4 MB: 1 MB of clips
    labels = ["lynx", "deer", "deer", "deer", "deer"]
    for number, label in enumerate(labels):
        store.add_visit(make_visit(number, label, best_frame=None))
        assert store.add_clip(clip(number, 200_000))
    assert store.usage().clips_bytes == 4 * 49 * 4096 + 0
    assert files(tmp_path / "store") == {f"boot-0-{number:05}.mp4" for number in (0, 2, 3, 4)}
    assert not store.add_clip(clip(0, 1_000_001))
    assert len(files(tmp_path / "store")) == 4


def test_a_clip_goes_right_before_the_picture_of_its_visit(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store(limits=replace(SMALL, max_bytes=4_000_000))
    number = 0
    while True:
        store.add_visit(make_visit(number))
        if number < 4:
            store.add_clip(clip(number, 100_000))
        with open_reader(tmp_path / "store") as reader:
            first = next(reader.events())
        if first.picture_state == "expired":
            break
        number += 1
        assert number < 100
    assert first.clip is None
    assert store.usage().taken_bytes <= 4_000_000
    with open_reader(tmp_path / "store") as reader:
        for event in reader.events():
            assert event.clip is None or event.picture is not None


def test_rows_that_are_deleted_take_their_clips_with_them(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    for number in range(3):
        store.add_visit(make_visit(number, best_frame=None))
        store.add_clip(clip(number))
    store.add_change(VisitChange(OPENED, make_visit(7, best_frame=None)))
    store.add_clip(clip(7))
    monkeypatch.setattr("trailcam_edge.store.quota._ROWS_FULL", 0.0)
    store.add_visit(make_visit(3, best_frame=None))
    assert files(tmp_path / "store") == {f"boot-0-{number:05}.mp4" for number in (1, 2, 7)}


def test_a_disk_that_fills_up_while_a_clip_is_written_keeps_nothing_of_it(
    open_store: OpenStore,
    make_visit: MakeVisit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store()
    store.add_visit(make_visit(1))

    def full(folder: PictureFolder, visit_id: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PictureFolder, "write", full)
        assert not store.add_clip(clip(1))
    assert "visit boot-0-00001 gets no clip: " in caplog.text
    assert "disk full" in caplog.text
    assert files(tmp_path / "store") == set()
    assert store.add_clip(clip(1))
    assert store.add_clip(clip(1, 5000))  # a second one takes its place
    assert store.usage().clips_bytes == 8192


def test_a_damaged_visit_takes_its_clip_aside(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = open_store()
    for number in (1, 2):
        store.add_visit(make_visit(number))
        store.add_clip(clip(number))
    store.close()
    with sqlite3.connect(folder / "events.db") as database:
        database.execute("UPDATE visits SET confidence = 0.1 WHERE visit_id = 'boot-0-00001'")
    database.close()
    open_store()
    assert files(folder) == {"boot-0-00002.mp4"}
    assert [path.name for path in (folder / SET_ASIDE_FOLDER).rglob("*.mp4")] == ["boot-0-00001.mp4"]


def test_the_recorder_drops_clips_while_nothing_can_be_stored_and_says_so(
    make_visit: MakeVisit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def now() -> Moment:
        return moment_at(1)

    def unavailable() -> EventStore:
        raise StoreUnavailableError("store: disk full (x).", "disk full")

    recorder = Recorder(unavailable, now, RecorderLimits(retry_s=60))
    assert not recorder.clip(clip(1))
    recorder.close()

    settings = StoreSettings(tmp_path / "store", max_bytes=4_000_000, min_free_bytes=0)
    recorder = Recorder(lambda: EventStore(settings), now)
    recorder.visit(make_visit(1))
    assert recorder.clip(clip(1))
    recorder.clip(clip(2))
    assert recorder.close()
    assert recorder.health().stored == 1
    assert "visit boot-0-00002 gets no clip: its visit is gone, or there is no space in the store." in caplog.text
    assert files(tmp_path / "store") == {"boot-0-00001.mp4"}
