"""Cards and stores that are damaged, full, or those of another model or camera."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam_archive.card import decode_worker, read_ahead, read_card, scan
from trailcam_archive.card.read_ahead import DecodeProcess
from trailcam_archive.card.read_card import CardReader
from trailcam_archive.card.stations import StationRow, StationTable
from trailcam_core.errors import DataError, DeviceError, SourceError
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.records import Station

from .conftest import CARD_VISITS, DAY, ColourClassifier, events_of, photograph, short

ReaderOf = Callable[..., CardReader]


def test_a_broken_photograph_is_listed_costs_itself_and_is_tried_again(
    card: Path, tmp_path: Path, reader_of: ReaderOf
) -> None:
    whole = (card / "oak/DCIM/100TEST/1.jpg").read_bytes()
    (card / "oak/DCIM/100TEST/1.jpg").write_bytes(whole[: len(whole) // 3])
    (card / "oak/0.heic").write_bytes(b"nothing")
    summary = reader_of(card).run(card)
    assert sorted(Path(problem.split(":")[0]).name for problem in summary.problems) == ["0.heic", "1.jpg"]
    assert ("oak", "fox", "2012-06-09T14:00:00.000Z", 2.0) in short(events_of(tmp_path))
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
    assert len(events_of(tmp_path)) == 3


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
    assert short(events_of(tmp_path)) == CARD_VISITS


def test_a_decoder_that_hangs_is_ended(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "CODE", "import sys, time; sys.stdin.readline(); time.sleep(60)")
    monkeypatch.setattr(read_ahead, "_LONGEST_S", 0.3)
    decoder = DecodeProcess()
    with pytest.raises(SourceError, match=r"0\.jpg: the photograph made its decoder hang for 0\.3 s"):
        decoder.read(card / "elm/0.jpg")
    decoder.close()


def test_a_pause_of_the_run_counts_one_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s: list[float] = []
    ended: list[bool] = []
    watchdog = read_ahead._Watchdog(120.0, lambda: ended.append(True))
    monkeypatch.setattr(watchdog.finished, "wait", waits_s.append)
    watchdog.run()
    assert (sum(waits_s), max(waits_s), ended) == (120.0, 1.0, [True])


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
    first = photograph(card / "1.jpg", DAY, "fox")
    odd = os.fsdecode(b"fox-\xff")
    (card / odd).mkdir()
    (card / odd / os.fsdecode(b"\xfe.jpg")).write_bytes(first.read_bytes())
    photograph(card / odd / "2.jpg", DAY, "jay")
    (card / "loop").symlink_to(card)
    summary = reader_of(card).run(card)
    assert summary.copies == ["fox-\\xff/2.jpg"] or summary.copies == ["fox-\\xff/\\xfe.jpg"]
    assert {each.station for each in events_of(tmp_path)} == {"card", "fox-\\xff"}


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
    assert len(events_of(tmp_path)) == 1
    reader_of(card).run(card)
    assert short(events_of(tmp_path)) == CARD_VISITS


def test_a_picture_that_cannot_be_written_ends_the_run_and_its_visit_is_not_stored(
    card: Path, tmp_path: Path, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(card)
    with monkeypatch.context() as patch:
        patch.setattr(reader._store._pictures, "write", _fail_to_write)
        with pytest.raises(DeviceError, match=r"a picture cannot be written.*goes on where it was"):
            reader.run(card)
    assert events_of(tmp_path) == []
    reader_of(card).run(card)
    assert short(events_of(tmp_path)) == CARD_VISITS
    assert {each.picture_state for each in events_of(tmp_path)} == {"kept"}


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
