"""Stations by folder and by table."""

from datetime import timedelta
from pathlib import Path, PurePath

import pytest

from trailcam_archive.card.stations import StationTable, read_stations
from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_core.errors import DataError

_CLOCK = CameraClock(read_zone("UTC"), timedelta(hours=1), "UTC")


def _read(tmp_path: Path, text: str) -> StationTable:
    path = tmp_path / "stations.csv"
    path.write_bytes(text.encode("utf-8"))
    return StationTable("SD", read_stations(path, _CLOCK))


def _name(table: StationTable, relative: str) -> str | None:
    row = table.of(PurePath(relative))
    return None if row is None else row.station.deployment_id


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("oak/DCIM/100MEDIA/1.jpg", "oak"),
        ("oak/1.jpg", "oak"),
        ("1.jpg", "SD"),
        ("DCIM/100RECNX/1.jpg", "SD"),
        ("100EK113/1.jpg", "SD"),
        ("DCIM.old/1.jpg", "DCIM.old"),
        ("fox-\udcff/1.jpg", "fox-\\xff"),
    ],
)
def test_a_station_is_a_folder_but_not_one_of_the_camera(relative: str, expected: str) -> None:
    assert _name(StationTable("SD"), relative) == expected


def test_a_single_station_has_everything() -> None:
    table = StationTable("oak", single=True)
    assert {_name(table, name) for name in ("1.jpg", "DCIM/1.jpg", "elm/1.jpg")} == {"oak"}


def test_a_table_has_places_clocks_and_folders(tmp_path: Path) -> None:
    table = _read(
        tmp_path,
        "\ufeffdeploymentID;latitude;longitude;cameraID;folder;timezone;shift;notes\n"
        "oak;52,70442;23.84995;RC-07;;;;x\n\nelm;;;;plots/elm;+02:00;;\nash;;;;;;-5m;\n",
    )
    oak = table.of(PurePath("2023/oak/DCIM/1.jpg"))
    assert oak is not None
    assert (oak.station.latitude, oak.station.longitude, oak.station.camera) == (52.70442, 23.84995, "RC-07")
    assert oak.clock is None
    elm = table.of(PurePath("plots/elm/1.jpg"))
    assert elm is not None
    assert elm.clock is not None
    assert (elm.clock.zone_name, elm.clock.shift) == ("+02:00", timedelta(hours=1))
    ash = table.of(PurePath("ash/1.jpg"))
    assert ash is not None
    assert ash.clock is not None
    assert (ash.clock.zone_name, ash.clock.shift) == ("UTC", -timedelta(minutes=5))
    assert _name(table, "beech/1.jpg") is None


def test_a_table_may_name_the_card_itself(tmp_path: Path) -> None:
    assert _name(_read(tmp_path, "deploymentID\nSD\n"), "DCIM/1.jpg") == "SD"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "its first line"),
        ("name,latitude\noak,1\n", "its first line"),
        ("deploymentID,deploymentID\na,b\n", "its first line"),
        ("deploymentID\n", "has no row"),
        ("deploymentID,latitude,longitude,camera\noak,52,7,23,8\n", "line 2: has 5 cells, but the first line has 4"),
        ('deploymentID,camera\noak,"RC\nelm,RC2\n', "is no CSV"),
        ('deploymentID,camera\noak,"' + "x" * 200_000 + '"\n', "is no CSV"),
        ('deploymentID,camera\noak,"R\nC"\n', "camera is"),
        ("deploymentID\noak\nelm\noak\n", "line 4: deploymentID oak is there a second time"),
        ("deploymentID,folder\noak,a\nelm,a\n", "line 3: folder a is there a second time"),
        ("deploymentID\n\x07\n", "printable"),
        (f"deploymentID\n{'x' * 101}\n", "1 to 100"),
        ("deploymentID,latitude,longitude\noak,91,0\n", "latitude is '91'"),
        ("deploymentID,latitude,longitude\noak,nan,0\n", "latitude is 'nan'"),
        ("deploymentID,latitude,longitude\noak,0,180.1\n", "longitude is '180.1'"),
        ("deploymentID,latitude,longitude\noak,1,\n", "one of latitude and longitude is missing"),
        ("deploymentID,timezone\noak,Mars/Olympus\n", "line 2: 'Mars/Olympus' is no time zone"),
        ("deploymentID,shift\noak,1h\n", "line 2: '1h' is no correction"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(DataError, match=r"stations\.csv") as caught:
        _read(tmp_path, text)
    assert expected in str(caught.value)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(b"deploymentID\n\xff\xfe\n")
    for path in (tmp_path / "s.csv", tmp_path / "gone.csv"):
        with pytest.raises(DataError, match=r"cannot be read \(|is no table"):
            read_stations(path, _CLOCK)


def test_a_folder_may_be_written_as_on_windows(tmp_path: Path) -> None:
    assert _name(_read(tmp_path, "deploymentID,folder\noak,plots\\oak\\\n"), "plots/oak/1.jpg") == "oak"
