"""The zone of this computer, and the begin of a clip by it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trailcam_archive.times.clock import read_zone
from trailcam_archive.times.local import local_zone, recorded_at

from .media_bytes import avi, mp4

_TIME = datetime(2012, 6, 9, 14, 21, 7)


@pytest.mark.parametrize(
    ("variable", "name"), [("Europe/Berlin", "Europe/Berlin"), (":Asia/Tokyo", "Asia/Tokyo"), ("UTC", "UTC")]
)
def test_the_variable_names_the_zone(variable: str, name: str) -> None:
    assert local_zone(variable)[1] == name


def test_without_a_name_the_zone_is_that_of_the_system_or_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    zone, name = local_zone()
    assert name
    monkeypatch.setattr("trailcam_archive.times.local._LOCAL_TIME", Path(os.devnull))
    zone, name = local_zone("EST5EDT,M3.2.0,M11.1.0")
    assert read_zone(name).utcoffset(None) == zone.utcoffset(None) == datetime.now().astimezone().utcoffset()


def test_a_clip_began_when_its_container_states(tmp_path: Path) -> None:
    berlin = read_zone("Europe/Berlin")
    (tmp_path / "a.AVI").write_bytes(avi(b"Sat Jun 09 14:21:07 2012"))
    assert recorded_at(tmp_path / "a.AVI", berlin) == (_TIME - timedelta(hours=2)).replace(tzinfo=UTC)
    (tmp_path / "a.mp4").write_bytes(mp4(_TIME.replace(tzinfo=UTC)))
    assert recorded_at(tmp_path / "a.mp4", berlin) == _TIME.replace(tzinfo=UTC)


def test_a_clip_that_states_nothing_or_cannot_be_read_has_no_begin(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(avi(None))
    (tmp_path / "b.mp4").write_bytes(mp4(datetime.now(UTC) + timedelta(days=9)))
    (tmp_path / "c.txt").write_bytes(avi(b"Sat Jun 09 14:21:07 2012"))
    for name in ("a.avi", "b.mp4", "c.txt", "gone.avi"):
        assert recorded_at(tmp_path / name, UTC) is None
