"""Storing: what goes in comes out, once, and the limits hold."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from trailcam_core.images.boxes import Box
from trailcam_edge.events import BlindTime
from trailcam_edge.store import quota as room
from trailcam_edge.store.quota import StoreUsage
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import CSV_HEADER, csv_row, event_json
from trailcam_edge.store.settings import StoreSettings

from ..conftest import SMALL, SUMMER, MakeVisit, OpenStore, moment_at


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_a_visit_comes_out_as_it_went_in(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    open_store().add_visit(make_visit(5, "lynx"))
    with open_reader(tmp_path / "store") as reader:
        (event,) = reader.events()
    assert (event.event_id, event.visit_id, event.label, event.bundle) == (1, "boot-0-00005", "lynx", "tiny-1.0.0")
    assert (event.confidence, event.votes, event.frames, event.latency_ms) == (0.9, 3, 5, 10.0)
    assert event.started.unix_s == SUMMER.timestamp() + 5
    assert event.started.known
    assert event.duration_s == 0.5
    assert event.picture == "pictures/boot-0-00005.jpg"


def test_a_box_comes_out_as_it_went_in_and_is_part_of_every_form(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    store.add_visit(make_visit(5, "lynx", box=Box(0.1, 0.25, 1 / 3, 0.5)))
    store.add_visit(make_visit(6, "lynx"))
    boxed, plain = store.events_after(0, 10)
    assert boxed.box == Box(0.1, 0.25, 1 / 3, 0.5)
    assert plain.box is None
    assert event_json(boxed)["box"] == {"x": 0.1, "y": 0.25, "width": 0.33333, "height": 0.5}
    assert event_json(plain)["box"] is None
    assert dict(zip(CSV_HEADER, csv_row(boxed), strict=True))["box_width"] == "0.33333"
    assert dict(zip(CSV_HEADER, csv_row(plain), strict=True))["box_width"] == ""
    assert CSV_HEADER[-12:-8] == ("box_x", "box_y", "box_width", "box_height")


def test_a_damaged_row_of_a_clip_is_no_clip(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    open_store().add_visit(make_visit(5, "lynx"))
    with closing(sqlite3.connect(tmp_path / "store" / "events.db")) as connection, connection:
        connection.execute("INSERT INTO clips VALUES ('boot-0-00005', 9, -2.0, 8.0, 1234)")
    with open_reader(tmp_path / "store") as reader:
        (event,) = reader.events()
        assert event.clip is None
        assert reader.damaged_rows == 1


def test_the_picture_says_what_it_is(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    colour = np.zeros((60, 80, 3), np.uint8)
    colour[..., 0] = 200  # red, to see that the colours are not swapped
    open_store().add_visit(make_visit(5, "lynx", best_frame=colour))
    with Image.open(tmp_path / "store" / "pictures" / "boot-0-00005.jpg") as picture:
        red, green, blue = picture.convert("RGB").getpixel((40, 30))
        exif = picture.getexif()
    assert red > 150
    assert max(green, blue) < 50
    assert exif[0x010E] == "lynx"
    assert exif.get_ifd(0x8769)[0x9003] == "2026:06:01 00:00:05"
    facts = json.loads(exif.get_ifd(0x8769)[0x9286].removeprefix(b"ASCII\0\0\0"))
    assert facts["bundle"] == "tiny-1.0.0"


def test_a_picture_taken_before_the_clock_was_set_gets_its_time_from_the_end_of_the_visit(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    visit = replace(make_visit(5), started=moment_at(5, clock=False))
    open_store().add_visit(visit)
    with Image.open(tmp_path / "store" / "pictures" / "boot-0-00005.jpg") as picture:
        exif = picture.getexif()
    assert exif.get_ifd(0x8769)[0x9003] == "2026:06:01 00:00:05"


def test_a_visit_is_stored_once_however_often_it_is_tried(open_store: OpenStore, make_visit: MakeVisit) -> None:
    store = open_store()
    assert store.add_visit(make_visit(1)) == store.add_visit(make_visit(1)) == store.last_event_id() == 1


def test_numbers_of_numpy_are_numbers(open_store: OpenStore, make_visit: MakeVisit) -> None:
    store = open_store()
    store.add_visit(make_visit(1, confidence=np.float32(0.5), votes=np.int64(3), latency_ms=np.float32(2)))
    assert store.events_after(0, 1)[0].confidence == 0.5


@pytest.mark.parametrize("name", ["", "../evil", ".hidden", "a/b", "x" * 200, "ä"])
def test_an_identifier_that_is_no_file_name_is_refused(open_store: OpenStore, make_visit: MakeVisit, name: str) -> None:
    with pytest.raises(ValueError, match="visit_id"):
        open_store().add_visit(make_visit(1, visit_id=name, best_frame=None))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 5), (5, 5, 4), (1, 70_000, 3)])
def test_an_image_that_is_none_is_refused(open_store: OpenStore, make_visit: MakeVisit, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image of shape"):
        open_store().add_visit(make_visit(1, best_frame=np.zeros(shape, np.uint8)))


def test_clock_corrections_date_older_events_and_change_no_row(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    store.add_visit(make_visit(5, clock=False))
    assert store.events_after(0, 1)[0].started.basis == "unknown"
    rows = store._database.rows("SELECT * FROM visits")
    store.begin_watch(moment_at(60), "tiny-1.0.0")
    assert store.events_after(0, 1)[0].started.unix_s == SUMMER.timestamp() + 5
    assert store._database.rows("SELECT * FROM visits") == rows


def test_the_limit_holds_for_everything_and_the_rare_stay(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    for number in range(120):
        store.add_visit(make_visit(number, "lynx" if number in (3, 50) else "squirrel"))
        assert _bytes(tmp_path / "store") <= SMALL.max_bytes
    events = store.events_after(0, 1000)
    assert len(events) == 120  # rows outlive pictures
    kept = [event for event in events if event.picture]
    assert [event.event_id for event in kept if event.label == "lynx"] == [4, 51]
    assert len(kept) < 60
    assert kept[-1].event_id == 120
    gone = [event for event in events if event.picture_state == "expired"]
    assert not any((tmp_path / "store" / "pictures" / f"{event.visit_id}.jpg").exists() for event in gone)


def test_the_floor_is_kept_but_the_last_picture_of_a_label_stays(
    open_store: OpenStore, make_visit: MakeVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(limits=StoreSettings(max_bytes=4_000_000, min_free_bytes=1_000_000))
    for number in range(6):
        store.add_visit(make_visit(number, "lynx" if number == 1 else "squirrel"))
    real = room.shutil.disk_usage

    class Full:
        free = 100_000

    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: Full)
    store.add_visit(make_visit(6))
    monkeypatch.setattr(room.shutil, "disk_usage", real)
    events = {event.event_id: event for event in store.events_after(0, 10)}
    assert events[7].picture_state == "dropped"
    assert {number for number, event in events.items() if event.picture} == {2, 6}


def test_a_database_that_is_full_loses_the_oldest_rows_of_the_commonest(
    open_store: OpenStore, make_visit: MakeVisit
) -> None:
    store = open_store()
    store._database.one("PRAGMA max_page_count = 44")
    for number in range(400):
        store.add_visit(make_visit(number, "lynx" if number < 3 else "squirrel", best_frame=None))
    assert store.counts()["lynx"] == 3
    assert store.counts()["squirrel"] < 390
    assert store.last_event_id() == 400


def test_a_sink_is_remembered_over_a_restart(open_store: OpenStore) -> None:
    store = open_store()
    assert store.acknowledged("mqtt") is None
    store.acknowledge("mqtt", 5)
    store.acknowledge("mqtt", 7)
    store.close()
    assert open_store().acknowledged("mqtt") == 7


def test_a_picture_that_somebody_deleted_is_noticed_and_said(
    open_store: OpenStore, make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    store = open_store()
    store.add_visit(make_visit(1))
    store.close()
    (tmp_path / "store" / "pictures" / "boot-0-00001.jpg").unlink()
    again = open_store()
    assert "1 pictures are gone" in caplog.messages[0]
    assert again.events_after(0, 1)[0].picture_state == "missing"


def test_files_that_no_row_knows_are_swept(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    store = open_store()
    store.add_visit(make_visit(1))
    store.close()
    pictures = tmp_path / "store" / "pictures"
    (pictures / "orphan.jpg").write_bytes(b"x")
    (pictures / ".trailcam-staging-abc").write_bytes(b"half")
    assert open_store().usage().pictures_bytes < 100_000
    assert [path.name for path in pictures.iterdir()] == ["boot-0-00001.jpg"]


def test_room_is_counted_as_the_disk_does(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    store = open_store()
    for number in range(5):
        store.add_visit(make_visit(number))
    usage = store.usage()
    assert isinstance(usage, StoreUsage)
    files = list((tmp_path / "store" / "pictures").iterdir())
    assert usage.pictures_bytes == sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    assert cv2.imread(str(files[0])) is not None


def test_blind_times_and_watches_come_out_in_order(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    store.add_blind_time(BlindTime("updating", moment_at(10), moment_at(20)))
    watch = store.begin_watch(moment_at(0), "tiny-1.0.0")
    store.extend_watch(watch, moment_at(60), 600)
    with open_reader(tmp_path / "store") as reader:
        (blind,) = reader.blind_times()
        (found,) = reader.watches()
    assert (blind.reason, blind.ended.unix_s) == ("updating", SUMMER.timestamp() + 20)
    assert (found.frames, found.ended.unix_s) == (600, SUMMER.timestamp() + 60)


def test_limits_that_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes is 1000, expected 4,000,000 or more"):
        StoreSettings(max_bytes=1000)
    with pytest.raises(ValueError, match="jpeg_quality"):
        StoreSettings(jpeg_quality=0)
