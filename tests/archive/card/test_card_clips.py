"""Clips of a card: their time, what moves in them, their holes, and a decoder that dies."""

from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

from trailcam_archive.card.read_card import CardReader
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import iso_time

from .conftest import CARD_VISITS, DAY, clip, events_of, photograph, short

ReaderOf = Callable[..., CardReader]


def test_a_clip_gives_a_visit_at_the_time_of_its_container(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    clip(card / "1.avi", "jay", seconds=7, time=DAY)
    reader_of(card).run(card)
    (visit,) = events_of(tmp_path)
    assert (visit.label, visit.source) == ("jay", "1.avi")
    assert visit.started.unix_s is not None
    assert 2 <= visit.started.unix_s - DAY.replace(tzinfo=UTC).timestamp() < 4
    assert visit.duration_s > 2
    assert visit.box is not None


def test_a_clip_and_its_photograph_are_one_sequence_with_one_visit(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    for number, left in enumerate((20, 120, 220)):
        photograph(card / f"{number}.jpg", DAY + timedelta(seconds=number), "jay", left)
    clip(card / "9.avi", "jay", seconds=7, time=DAY + timedelta(seconds=5))
    summary = reader_of(card).run(card)
    (visit,) = events_of(tmp_path)
    assert summary.files == 4
    assert iso_time(visit.started.unix_s) == "2012-06-09T14:00:00.000Z"
    assert 8 < visit.duration_s < 13


def test_a_clip_in_which_nothing_moves_is_classified_as_a_whole(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    clip(card / "1.avi", None, seconds=3, time=DAY)
    reader_of(card).run(card)
    (visit,) = events_of(tmp_path)
    assert (visit.label, visit.box, visit.picture_state) == ("nothing", None, "kept")


def test_a_hole_in_a_clip_is_stated_and_what_lies_behind_it_is_seen(tmp_path: Path, reader_of: ReaderOf) -> None:
    card = tmp_path / "card"
    path = clip(card / "1.avi", "jay", seconds=12, time=DAY)
    content = bytearray(path.read_bytes())
    frames = [place for place in range(len(content) - 4) if content[place : place + 4] == b"00dc"]
    for start in frames[21:60]:  # the pictures from 2.1 s to 6 s are zero
        size = int.from_bytes(content[start + 4 : start + 8], "little")
        content[start + 8 : start + 8 + size] = bytes(size)
    path.write_bytes(content)
    summary = reader_of(card).run(card)
    assert any("1.avi" in problem and "do not decode" in problem for problem in summary.problems)
    assert "jay" in {each.label for each in events_of(tmp_path)}
    with open_reader(tmp_path / "store") as reader:
        holes = [(each.reason, each.station) for each in reader.blind_times()]
    assert holes == [("damaged recording", "card")]


def test_a_clip_that_makes_its_decoder_abort_costs_that_clip(
    card: Path, tmp_path: Path, reader_of: ReaderOf, shared_data: Path
) -> None:
    (card / "oak/abort.avi").write_bytes((shared_data / "field/clips/aborts_opencv.avi").read_bytes())
    summary = reader_of(card).run(card)
    assert set(CARD_VISITS) <= set(short(events_of(tmp_path)))
    assert all("abort.avi" in problem for problem in summary.problems)
