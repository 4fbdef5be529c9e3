"""A card becomes visits: true times, one visit for each animal of a sequence, and nothing twice."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trailcam_archive.card import decode_worker, read_ahead, read_card, scan
from trailcam_archive.card.read_ahead import DecodeProcess
from trailcam_archive.card.read_card import CardReader, CardSummary
from trailcam_archive.card.stations import StationRow, StationTable
from trailcam_archive.times.clock import CameraClock, read_shift, read_zone
from trailcam_core.errors import DataError, DeviceError, SourceError
from trailcam_edge.live.pages.library import Library
from trailcam_edge.store.effort import summarise_effort
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import EventRecord, Station, iso_time

from .conftest import ColourClassifier, clip, photograph

_DAY = datetime(2012, 6, 9, 14, 0, 0)
ReaderOf = Callable[..., CardReader]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Two stations: at the oak a fox walks through a burst, then a jay; at the elm an empty burst, and a frog alone."""
    folder = tmp_path / "card"
    for number, left in enumerate((20, 120, 220)):
        photograph(folder / f"oak/DCIM/100TEST/{number}.jpg", _DAY + timedelta(seconds=number), "fox", left)
    for number in range(3):
        jay = _DAY + timedelta(minutes=5, seconds=number)
        photograph(folder / f"oak/DCIM/100TEST/{number + 3}.jpg", jay, "jay", 30 + 80 * number)
        photograph(folder / f"elm/{number}.jpg", _DAY + timedelta(hours=number // 3, seconds=number))
    photograph(folder / "elm/9.jpg", None, "frog")
    return folder


def _events(tmp_path: Path) -> list[EventRecord]:
    with open_reader(tmp_path / "store") as reader:
        return list(reader.events())


def _short(events: list[EventRecord]) -> list[tuple[str | None, str, str | None, float]]:
    return sorted(
        ((each.station, each.label, iso_time(each.started.unix_s), each.duration_s) for each in events), key=str
    )


_EXPECTED = sorted(
    [
        ("oak", "fox", "2012-06-09T14:00:00.000Z", 2.0),
        ("oak", "jay", "2012-06-09T14:05:00.000Z", 2.0),
        ("elm", "blank", "2012-06-09T14:00:00.000Z", 2.0),
        ("elm", "frog", None, 0.0),  # alone, so the whole photograph is classified
    ],
    key=str,
)


def test_a_card_becomes_visits_with_times_boxes_and_pictures(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    steps: list[tuple[str, int, int]] = []
    summary = reader_of(card).run(card, lambda stage, done, total, note="": steps.append((stage, done, total)))
    events = _events(tmp_path)
    assert _short(events) == _EXPECTED
    assert (summary.files, summary.undated, summary.left, summary.problems) == (10, 1, 0, [])
    assert dict(summary.visits) == {("oak", "fox"): 1, ("oak", "jay"): 1, ("elm", "blank"): 1, ("elm", "frog"): 1}
    assert steps[-1] == ("classifying", 10, 10)
    fox = next(each for each in events if each.label == "fox")
    assert fox.started.basis == "clock"
    assert fox.box is not None
    assert fox.box.width * 320 == pytest.approx(60, abs=12)
    assert fox.source is not None
    number = int(Path(fox.source).stem)
    left = (20, 120, 220)[number]
    assert fox.picture_offset_s == number
    assert fox.box.x * 320 == pytest.approx(left, abs=6)
    picture = (tmp_path / "store" / str(fox.picture)).read_bytes()
    assert f"2012:06:09 14:00:0{number}".encode() in picture  # of the photograph, not of the visit
    undated = next(each for each in events if each.started.unix_s is None)
    assert undated.started.basis == undated.ended.basis == "unknown"


def test_the_pages_show_the_visits_of_a_card_on_their_days(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    reader_of(card).run(card)
    library = Library(tmp_path / "store")
    assert library.labels() == {"blank": 1, "fox": 1, "frog": 1, "jay": 1}
    days = {day.day.day: day.total for day in library.month(date(2012, 6, 1)) if day.total}
    assert sum(days.values()) == 3  # the fourth has no time
    assert days.keys() <= {9, 10}  # by the zone of this machine
    assert sum(day.total for day in library.month(datetime.now().date().replace(day=1))) == 0


def test_effort_is_from_the_first_to_the_last_recording_of_a_station(
    card: Path, tmp_path: Path, reader_of: ReaderOf
) -> None:
    reader_of(card).run(card)
    with open_reader(tmp_path / "store") as reader:
        spans = {
            each.station: (iso_time(each.started.unix_s), iso_time(each.ended.unix_s), each.frames)
            for each in reader.watches()
        }
    assert spans == {
        "oak": ("2012-06-09T14:00:00.000Z", "2012-06-09T14:05:02.000Z", 6),
        "elm": ("2012-06-09T14:00:00.000Z", "2012-06-09T14:00:02.000Z", 4),
    }


def test_the_same_card_adds_nothing_wherever_it_lies(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    reader_of(card).run(card)
    before = _events(tmp_path)
    again = reader_of(card).run(card)
    assert (again.files, again.known, sum(again.visits.values())) == (0, 10, 0)
    moved = card.rename(tmp_path / "elsewhere")
    assert reader_of(moved).run(moved).known == 10
    assert _events(tmp_path) == before
    with open_reader(tmp_path / "store") as reader:
        assert len(list(reader.watches())) == 2


def test_new_files_of_a_card_are_added_and_extend_its_effort(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    reader_of(card).run(card)
    photograph(card / "oak/7.jpg", _DAY + timedelta(hours=9), "frog")
    photograph(card / "oak/8.jpg", _DAY - timedelta(hours=9), "frog")
    summary = reader_of(card).run(card)
    assert (summary.files, summary.known) == (2, 10)
    with open_reader(tmp_path / "store") as reader:
        (oak,) = [each for each in reader.watches() if each.station == "oak"]
        effort = summarise_effort([oak], [])
    assert effort is not None
    assert effort.watched_s == 18 * 3600
    assert oak.frames == 8


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_run_that_is_stopped_goes_on_where_it_was(
    card: Path, tmp_path: Path, reader_of: ReaderOf, stop_after: int
) -> None:
    stop = threading.Event()
    sequences: list[int] = []

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "classifying":
            sequences.append(done)
            if len(sequences) == stop_after:
                stop.set()

    first = reader_of(card, stop=stop).run(card, progress)
    assert first.left == 10 - sequences[-1] > 0
    second = reader_of(card).run(card)
    assert (second.known, second.files) == (sequences[-1], first.left)
    assert _short(_events(tmp_path)) == _EXPECTED


def test_a_crash_between_visits_and_files_repeats_the_sequence_and_adds_nothing_twice(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(card)
    monkeypatch.setattr(reader._journal, "add_files", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        reader.run(card)
    assert len(_events(tmp_path)) == 1
    reader_of(card).run(card)
    assert _short(_events(tmp_path)) == _EXPECTED


def test_the_clock_of_a_camera_is_corrected_for_its_zone_and_its_error(
    card: Path, tmp_path: Path, reader_of: ReaderOf
) -> None:
    clock = CameraClock(read_zone("Europe/Berlin"), read_shift("+1h23m"), "Europe/Berlin")
    reader_of(card, clock=clock).run(card)
    fox = next(each for each in _events(tmp_path) if each.label == "fox")
    assert iso_time(fox.started.unix_s) == "2012-06-09T13:23:00.000Z"  # 14:00 CEST is 12:00 UTC
    with pytest.raises(DataError, match="has it for station"):
        reader_of(card).run(card)


def test_no_visit_lies_in_the_future_and_none_is_dated_by_now(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    photograph(card / "1.jpg", datetime.now() + timedelta(days=400), "fox")
    photograph(card / "2.jpg", datetime(1999, 12, 31, 23, 59), "fox")
    clip(card / "3.avi", "jay", seconds=3)
    assert reader_of(card).run(card).undated == 3
    assert {each.started.unix_s for each in _events(tmp_path)} == {None}


def test_start_dates_the_one_recording_that_states_no_time(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    photograph(card / "1.jpg", None, "fox")
    start = datetime(2020, 5, 1, 6, 0, tzinfo=UTC)
    reader_of(card, start=start).run(card)
    (visit,) = _events(tmp_path)
    assert visit.started.unix_s == start.timestamp()
    photograph(card / "2.jpg", None, "jay")
    with pytest.raises(DataError, match="dates only one"):
        reader_of(card, start=start).run(card)


def test_a_clip_gives_a_visit_at_the_time_of_its_container(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    clip(card / "1.avi", "jay", seconds=7, time=_DAY)
    reader_of(card).run(card)
    (visit,) = _events(tmp_path)
    assert (visit.label, visit.source) == ("jay", "1.avi")
    assert visit.started.unix_s is not None
    assert 2 <= visit.started.unix_s - _DAY.replace(tzinfo=UTC).timestamp() < 4
    assert visit.duration_s > 2
    assert visit.box is not None


def test_a_clip_and_its_photograph_are_one_sequence_with_one_visit(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    for number, left in enumerate((20, 120, 220)):
        photograph(card / f"{number}.jpg", _DAY + timedelta(seconds=number), "jay", left)
    clip(card / "9.avi", "jay", seconds=7, time=_DAY + timedelta(seconds=5))
    summary = reader_of(card).run(card)
    (visit,) = _events(tmp_path)
    assert summary.files == 4
    assert iso_time(visit.started.unix_s) == "2012-06-09T14:00:00.000Z"
    assert 8 < visit.duration_s < 13


def test_a_clip_in_which_nothing_moves_is_classified_as_a_whole(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    clip(card / "1.avi", None, seconds=3, time=_DAY)
    reader_of(card).run(card)
    (visit,) = _events(tmp_path)
    assert (visit.label, visit.box, visit.picture_state) == ("blank", None, "kept")


def test_a_hole_in_a_clip_is_stated_and_what_lies_behind_it_is_seen(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    path = clip(card / "1.avi", "jay", seconds=12, time=_DAY)
    content = bytearray(path.read_bytes())
    frames = [place for place in range(len(content) - 4) if content[place : place + 4] == b"00dc"]
    for start in frames[21:60]:  # the pictures from 2.1 s to 6 s are zero
        size = int.from_bytes(content[start + 4 : start + 8], "little")
        content[start + 8 : start + 8 + size] = bytes(size)
    path.write_bytes(content)
    summary = reader_of(card).run(card)
    assert any("1.avi" in problem and "do not decode" in problem for problem in summary.problems)
    assert "jay" in {each.label for each in _events(tmp_path)}
    with open_reader(tmp_path / "store") as reader:
        holes = [(each.reason, each.station) for each in reader.blind_times()]
    assert holes == [("damaged recording", "card")]


def test_a_clip_that_makes_its_decoder_abort_costs_that_clip(
    card: Path, tmp_path: Path, reader_of: ReaderOf, shared_data: Path
) -> None:
    (card / "oak/abort.avi").write_bytes((shared_data / "field/clips/aborts_opencv.avi").read_bytes())
    summary = reader_of(card).run(card)
    assert set(_EXPECTED) <= set(_short(_events(tmp_path)))
    assert all("abort.avi" in problem for problem in summary.problems)


def test_a_broken_photograph_is_listed_costs_itself_and_is_tried_again(
    card: Path, tmp_path: Path, reader_of: ReaderOf
) -> None:
    whole = (card / "oak/DCIM/100TEST/1.jpg").read_bytes()
    (card / "oak/DCIM/100TEST/1.jpg").write_bytes(whole[: len(whole) // 3])
    (card / "oak/0.heic").write_bytes(b"nothing")
    summary = reader_of(card).run(card)
    assert sorted(Path(problem.split(":")[0]).name for problem in summary.problems) == ["0.heic", "1.jpg"]
    assert ("oak", "fox", "2012-06-09T14:00:00.000Z", 2.0) in _short(_events(tmp_path))
    (card / "oak/DCIM/100TEST/1.jpg").write_bytes(whole)
    assert reader_of(card).run(card).files == 1


def test_a_file_on_a_failing_sector_costs_that_file(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scan.fingerprint

    def failing(path: Path) -> bytes:
        if path.name == "9.jpg":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(scan, "fingerprint", failing)
    summary = reader_of(card).run(card)
    assert summary.problems == [f"{card / 'elm/9.jpg'}: Input/output error."]
    assert len(_events(tmp_path)) == 3


def test_a_photograph_that_kills_its_decoder_costs_that_photograph(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        f"import os; import {decode_worker.__name__} as w; real = w.read_photograph\n"
        "w.read_photograph = lambda path: os.abort() if path.name == '4.jpg' else real(path)\nw.main()"
    )
    monkeypatch.setattr(read_ahead, "CODE", code)
    summary = reader_of(card).run(card)
    (problem,) = summary.problems
    assert "4.jpg: the photograph made its decoder abort (SIGABRT)" in problem
    assert _short(_events(tmp_path)) == _EXPECTED


def test_a_decoder_that_hangs_is_ended(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "CODE", "import sys, time; sys.stdin.readline(); time.sleep(60)")
    monkeypatch.setattr(read_ahead, "_LONGEST_S", 0.3)
    decoder = DecodeProcess()
    with pytest.raises(SourceError, match=r"0\.jpg: the photograph made its decoder hang for 0\.3 s"):
        decoder.read(card / "elm/0.jpg")
    decoder.close()


def test_a_decoder_reads_on_after_an_error(card: Path, tmp_path: Path) -> None:
    decoder = DecodeProcess()
    try:
        with pytest.raises(SourceError, match="gone"):
            decoder.read(tmp_path / "gone")
        assert decoder.read(card / "elm/0.jpg").shape == (240, 320, 3)
    finally:
        decoder.close()


def test_copies_count_once_and_names_need_not_be_utf8(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    first = photograph(card / "1.jpg", _DAY, "fox")
    odd = os.fsdecode(b"fox-\xff")
    (card / odd).mkdir()
    (card / odd / os.fsdecode(b"\xfe.jpg")).write_bytes(first.read_bytes())
    photograph(card / odd / "2.jpg", _DAY, "jay")
    (card / "loop").symlink_to(card)
    summary = reader_of(card).run(card)
    assert summary.copies == ["fox-\\xff/2.jpg"] or summary.copies == ["fox-\\xff/\\xfe.jpg"]
    assert {each.station for each in _events(tmp_path)} == {"card", "fox-\\xff"}


def test_a_store_of_another_model_is_refused(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    reader_of(card).run(card)
    with pytest.raises(DataError, match=r"classified by colours 1\.0\.0, this is colours 2\.0\.0"):
        reader_of(card, classifier=ColourClassifier("colours 2.0.0")).run(card)


def test_two_runs_into_one_store_are_refused(card: Path, open_store: Callable[[], EventStore]) -> None:
    store = open_store()
    with pytest.raises(DeviceError, match="another process stores its events here"):
        EventStore(type(store._quota._settings)(store.folder))


def test_a_full_disk_ends_the_run_and_loses_nothing(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**12, 10**6, 10**6])
    usage = type("Usage", (), {})
    with monkeypatch.context() as patch:
        patch.setattr(read_card.shutil, "disk_usage", lambda _: _with(usage, next(free)))
        with pytest.raises(DeviceError, match="goes on where it was"):
            reader_of(card).run(card)
    assert len(_events(tmp_path)) == 1
    reader_of(card).run(card)
    assert _short(_events(tmp_path)) == _EXPECTED


def test_a_picture_that_cannot_be_written_ends_the_run_and_its_visit_is_not_stored(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(card)
    with monkeypatch.context() as patch:
        patch.setattr(reader._store._pictures, "write", _fail_to_write)
        with pytest.raises(DeviceError, match=r"a picture cannot be written.*goes on where it was"):
            reader.run(card)
    assert _events(tmp_path) == []
    reader_of(card).run(card)
    assert _short(_events(tmp_path)) == _EXPECTED
    assert {each.picture_state for each in _events(tmp_path)} == {"kept"}


def _fail_to_write(*_: object) -> None:
    raise OSError(28, "No space left on device")


def _with(kind: Any, free: int) -> Any:
    usage = kind()
    usage.free = usage.total = free
    usage.used = 0
    return usage


def test_two_cameras_of_one_name_are_refused(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    def table(latitude: float, camera: str | None) -> StationTable:
        return StationTable("card", {"oak": StationRow(Station("oak", latitude, 23.0, camera))})

    summary = reader_of(card, stations=table(52.0, None)).run(card)
    assert len(summary.strangers) == 4
    reader_of(card, stations=table(52.0, "RC-1")).run(card)  # what was missing is added
    with pytest.raises(DataError, match=r"oak has the latitude 52\.0 there, now it is 53\.0"):
        reader_of(card, stations=table(53.0, None)).run(card)
    with pytest.raises(DataError, match="oak has the camera RC-1 there, now it is RC-2"):
        reader_of(card, stations=table(52.0, "RC-2")).run(card)


def test_a_long_sequence_takes_little_memory_and_is_one_visit(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    for number in range(20):
        photograph(card / f"{number:02}.jpg", _DAY + timedelta(seconds=30 * number), "fox", 10 + 12 * number)
    reader_of(card).run(card)
    (visit,) = _events(tmp_path)
    assert (visit.label, visit.duration_s) == ("fox", 570.0)


def test_an_empty_card_is_no_error(tmp_path: Path, reader_of: ReaderOf) -> None:
    (tmp_path / "card").mkdir()
    assert reader_of(tmp_path / "card").run(tmp_path / "card") == CardSummary()
