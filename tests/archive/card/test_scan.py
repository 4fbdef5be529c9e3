"""The list of a card, before a pixel is decoded."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trailcam_archive.card.journal import CardJournal
from trailcam_archive.card.scan import CardContents, Scan
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.stations import StationTable, read_stations
from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_core.jobs.progress import silent
from trailcam_edge.store.event_store import EventStore

from ..times.media_bytes import avi, matroska, mp4

_TIME = datetime(2012, 6, 9, 14, 0, tzinfo=UTC)


@pytest.fixture
def scan(tmp_path: Path, open_store: Callable[[], EventStore]) -> Callable[..., CardContents]:
    """Return a function that scans the card of the test with a camera in Berlin."""

    def run(**settings: Any) -> CardContents:
        clock = CameraClock(read_zone("Europe/Berlin"), zone_name="Europe/Berlin")
        journal = CardJournal(open_store())
        problems: list[str] = []
        found = Scan(
            StationTable("card"), clock, CardSettings(**settings), journal, lambda path, _: problems.append(path.name)
        )
        return found.run(tmp_path / "card", silent, threading.Event())

    (tmp_path / "card").mkdir()
    return run


def _times(contents: CardContents) -> dict[str, float | None]:
    return {each.name: None if each.unix_s is None else each.unix_s - _TIME.timestamp() for each in contents.new}


def test_containers_in_utc_hold_local_time_on_request(tmp_path: Path, scan: Callable[..., CardContents]) -> None:
    (tmp_path / "card/a.mp4").write_bytes(mp4(_TIME))
    (tmp_path / "card/b.avi").write_bytes(avi(b"Sat Jun 09 14:00:00 2012"))
    (tmp_path / "card/c.mkv").write_bytes(matroska(_TIME))
    assert _times(scan()) == {"a.mp4": 0, "b.avi": -7200, "c.mkv": 0}
    assert _times(scan(clips_are_local=True)) == {"a.mp4": -7200, "b.avi": -7200, "c.mkv": -7200}


def test_times_without_a_zone_are_counted(tmp_path: Path, scan: Callable[..., CardContents]) -> None:
    (tmp_path / "card/a.mp4").write_bytes(mp4(_TIME))
    (tmp_path / "card/b.avi").write_bytes(avi(b"Sat Jun 09 14:00:00 2012"))
    (tmp_path / "card/c.avi").write_bytes(avi(b"Sat Jun 09 14:00:00 1980"))
    assert [scan().zoneless, scan(clips_are_local=True).zoneless] == [1, 2]


def test_the_zone_of_a_table_is_no_guess(tmp_path: Path, open_store: Callable[[], EventStore]) -> None:
    (tmp_path / "card/oak").mkdir(parents=True)
    (tmp_path / "card/oak/b.avi").write_bytes(avi(b"Sat Jun 09 14:00:00 2012"))
    clock = CameraClock(read_zone("Europe/Berlin"), zone_name="Europe/Berlin")
    journal = CardJournal(open_store())
    for zone, expected in (("+01:00", 0), ("", 1)):
        (tmp_path / "stations.csv").write_text(f"deploymentID,timezone,shift\noak,{zone},+1h\n")
        table = StationTable("card", read_stations(tmp_path / "stations.csv", clock))
        found = Scan(table, clock, CardSettings(), journal, lambda *_: None)
        assert found.run(tmp_path / "card", silent, threading.Event()).zoneless == expected


def test_a_stop_ends_the_list(tmp_path: Path, scan: Callable[..., CardContents], open_store: Any) -> None:
    (tmp_path / "card/a.mp4").write_bytes(mp4(_TIME))
    stop = threading.Event()
    stop.set()
    clock = CameraClock(UTC)
    found = Scan(StationTable("card"), clock, CardSettings(), CardJournal(open_store()), lambda *_: None)
    assert found.run(tmp_path / "card", silent, stop).new == []


@pytest.mark.parametrize("value", [-1.0, 86_401.0])
def test_a_gap_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="gap_s"):
        CardSettings(gap_s=value)
