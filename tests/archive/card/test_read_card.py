"""A card becomes visits: true times, one visit for each animal of a sequence, and nothing twice."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from trailcam_archive.card.read_card import CardReader, CardSummary
from trailcam_archive.times.clock import CameraClock, read_shift, read_zone
from trailcam_core.errors import DataError
from trailcam_edge.live.pages.library import Library
from trailcam_edge.store.effort import summarise_effort
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import iso_time

from .conftest import CARD_VISITS, DAY, clip, events_of, photograph, short

ReaderOf = Callable[..., CardReader]


def test_a_card_becomes_visits_with_times_boxes_and_pictures(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    steps: list[tuple[str, int, int]] = []
    summary = reader_of(card).run(card, lambda stage, done, total, note="": steps.append((stage, done, total)))
    events = events_of(tmp_path)
    assert short(events) == CARD_VISITS
    assert (summary.files, summary.undated, summary.left, summary.problems) == (10, 1, 0, [])
    assert dict(summary.visits) == {("oak", "fox"): 1, ("oak", "jay"): 1, ("elm", "nothing"): 1, ("elm", "frog"): 1}
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
    assert library.labels() == {"fox": 1, "frog": 1, "jay": 1, "nothing": 1}
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
    before = events_of(tmp_path)
    again = reader_of(card).run(card)
    assert (again.files, again.known, sum(again.visits.values())) == (0, 10, 0)
    moved = card.rename(tmp_path / "elsewhere")
    assert reader_of(moved).run(moved).known == 10
    assert events_of(tmp_path) == before
    with open_reader(tmp_path / "store") as reader:
        assert len(list(reader.watches())) == 2


def test_new_files_of_a_card_are_added_and_extend_its_effort(card: Path, tmp_path: Path, reader_of: ReaderOf) -> None:
    reader_of(card).run(card)
    photograph(card / "oak/7.jpg", DAY + timedelta(hours=9), "frog")
    photograph(card / "oak/8.jpg", DAY - timedelta(hours=9), "frog")
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
    assert short(events_of(tmp_path)) == CARD_VISITS


def test_a_crash_between_visits_and_files_repeats_the_sequence_and_adds_nothing_twice(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(card)
    monkeypatch.setattr(reader._journal, "add_files", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        reader.run(card)
    assert len(events_of(tmp_path)) == 1
    reader_of(card).run(card)
    assert short(events_of(tmp_path)) == CARD_VISITS


def test_the_clock_of_a_camera_is_corrected_for_its_zone_and_its_error(
    card: Path, tmp_path: Path, reader_of: ReaderOf
) -> None:
    clock = CameraClock(read_zone("Europe/Berlin"), read_shift("+1h23m"), "Europe/Berlin")
    reader_of(card, clock=clock).run(card)
    fox = next(each for each in events_of(tmp_path) if each.label == "fox")
    assert iso_time(fox.started.unix_s) == "2012-06-09T13:23:00.000Z"  # 14:00 CEST is 12:00 UTC
    with pytest.raises(DataError, match="has it for station"):
        reader_of(card).run(card)


def test_no_visit_lies_in_the_future_and_none_is_dated_by_now(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    photograph(card / "1.jpg", datetime.now() + timedelta(days=400), "fox")
    photograph(card / "2.jpg", datetime(1999, 12, 31, 23, 59), "fox")
    clip(card / "3.avi", "jay", seconds=3)
    assert reader_of(card).run(card).undated == 3
    assert {each.started.unix_s for each in events_of(tmp_path)} == {None}


def test_start_dates_the_one_recording_that_states_no_time(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    photograph(card / "1.jpg", None, "fox")
    start = datetime(2020, 5, 1, 6, 0, tzinfo=UTC)
    reader_of(card, start=start).run(card)
    (visit,) = events_of(tmp_path)
    assert visit.started.unix_s == start.timestamp()
    photograph(card / "2.jpg", None, "jay")
    with pytest.raises(DataError, match="dates only one"):
        reader_of(card, start=start).run(card)


def test_a_long_sequence_takes_little_memory_and_is_one_visit(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    for number in range(20):
        photograph(card / f"{number:02}.jpg", DAY + timedelta(seconds=30 * number), "fox", 10 + 12 * number)
    reader_of(card).run(card)
    (visit,) = events_of(tmp_path)
    assert (visit.label, visit.duration_s) == ("fox", 570.0)


def test_an_empty_card_is_no_error(tmp_path: Path, reader_of: ReaderOf) -> None:
    (tmp_path / "card").mkdir()
    assert reader_of(tmp_path / "card").run(tmp_path / "card") == CardSummary()
