"""A package of several stations: validated, and read back with the standard library alone."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box
from trailcam_edge.camtrap_dp.chosen import Selection
from trailcam_edge.camtrap_dp.package import PackageSummary, write_camtrap_dp
from trailcam_edge.camtrap_dp.rows import Deployment, Project
from trailcam_edge.events import BlindTime, Moment
from trailcam_edge.store.reader import open_reader

from ..conftest import MakeVisit, OpenStore, moment_at
from .test_package import _unpack, _validate

_OAK, _ELM = Deployment("oak", 52.5, 23.5, "RC-1"), Deployment("elm", 52.6, 23.6)
_PROJECT = Project("Forest", "A. Person", licence="CC0-1.0", taxa={"lynx": "Lynx lynx", "bobcat": "Lynx lynx"})
_BUNDLE = "animals10 1.0.0"


def _moment(second: float) -> Moment:
    return Moment(second, datetime.fromtimestamp(1_339_250_400 + second, UTC), "dated-card")


@pytest.fixture
def store(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> Path:
    """A store with the visits of two stations, of 2012, and one of unknown time."""
    opened = open_store()
    with opened.database.transaction() as connection:
        connection.execute(
            "INSERT INTO stations (deployment_id, latitude, longitude) VALUES ('oak', NULL, NULL), ('elm', 52.6, 23.6)"
        )
    for number, (station, label) in enumerate([("oak", "cow"), ("oak", "lynx"), ("elm", "bobcat"), ("elm", "unknown")]):
        box = Box(0.1, 0.2, 0.3, 0.4) if number == 0 else None
        times: dict[str, Any] = {"started": _moment(60 * number), "ended": _moment(60 * number + 2)}
        more: dict[str, Any] = {"station": station, "source": f"{station}/{number}.jpg", "bundle": _BUNDLE, "box": box}
        more["picture_offset_s"] = 1.5 if number == 0 else None
        opened.add_visit(make_visit(number, label, **times, **more))
    lost = Moment(0.0, None, "dated-unknown")
    opened.add_visit(make_visit(9, "cow", started=lost, ended=lost, station="elm", bundle=_BUNDLE))
    opened.add_blind_time(BlindTime("damaged recording", _moment(10), _moment(20), "oak"))
    opened.close()
    return tmp_path / "store"


def _write(store: Path, deployments: dict[str | None, Deployment], **selection: Any) -> PackageSummary:
    with open_reader(store) as reader:
        path = store.parent / "package.zip"
        return write_camtrap_dp(path, reader, store, deployments, _PROJECT, Selection(**selection))


def _table(store: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(store.parent / "package.zip") as package:
        return list(csv.DictReader(io.StringIO(package.read(name).decode("utf-8"))))


def test_every_station_is_a_deployment_and_the_package_is_valid(store: Path, tmp_path: Path) -> None:
    summary = _write(store, {"oak": _OAK, "elm": _ELM})
    assert (summary.observations, summary.deployments, summary.undated) == (4, 2, 1)
    report = _validate(_unpack(tmp_path))
    assert report.valid, report.flatten(["title", "message"])


def test_another_reader_finds_places_times_species_and_pictures(store: Path) -> None:
    _write(store, {"oak": _OAK, "elm": _ELM})
    with zipfile.ZipFile(store.parent / "package.zip") as package:
        metadata = json.loads(package.read("datapackage.json"))
        files = set(package.namelist())
    deployments = {row["deploymentID"]: row for row in _table(store, "deployments.csv")}
    assert {name: (row["latitude"], row["longitude"], row["cameraID"]) for name, row in deployments.items()} == {
        "oak": ("52.5", "23.5", "RC-1"),
        "elm": ("52.6", "23.6", ""),
    }
    assert (deployments["oak"]["deploymentStart"], deployments["elm"]["deploymentEnd"]) == (
        "2012-06-09T14:00:00Z",
        "2012-06-09T14:03:02Z",
    )
    events = [row for row in _table(store, "observations.csv") if row["observationLevel"] == "event"]
    assert [(row["deploymentID"], row["observationType"], row["scientificName"]) for row in events] == [
        ("oak", "animal", "Bos taurus"),
        ("oak", "animal", "Lynx lynx"),
        ("elm", "animal", "Lynx lynx"),
        ("elm", "unknown", ""),
    ]
    taxa = {each["scientificName"]: each for each in metadata["taxonomic"]}
    assert taxa.keys() == {row["scientificName"] for row in events} - {""}
    assert (taxa["Lynx lynx"]["vernacularNames"]["eng"], taxa["Bos taurus"]["taxonRank"]) == ("bobcat, lynx", "species")
    media = {row["mediaID"]: row for row in _table(store, "media.csv")}
    assert {row["filePath"] for row in media.values()} <= files
    (boxed,) = [row for row in _table(store, "observations.csv") if row["observationLevel"] == "media"]
    assert media[boxed["mediaID"]]["deploymentID"] == boxed["deploymentID"] == "oak"
    assert [row["timestamp"] for row in media.values()][:2] == ["2012-06-09T14:00:01Z", "2012-06-09T14:01:00Z"]
    assert media[boxed["mediaID"]]["mediaComments"] == "picture of oak/0.jpg"
    assert metadata["spatial"] == {"type": "MultiPoint", "coordinates": [[23.5, 52.5], [23.6, 52.6]]}


def test_one_station_may_be_chosen(store: Path) -> None:
    assert _write(store, {"elm": _ELM}, station="elm").observations == 2
    assert [row["deploymentID"] for row in _table(store, "deployments.csv")] == ["elm"]
    assert _write(store, {"elm": _ELM}, station="elm", label="bobcat").observations == 1


def test_stations_without_a_place_or_with_one_name_are_refused(store: Path) -> None:
    with pytest.raises(DataError, match="oak: without coordinates"):
        _write(store, {"elm": _ELM})
    with pytest.raises(DataError, match="one deploymentID among oak, oak"):
        _write(store, {"elm": Deployment("oak", 1, 1), "oak": _OAK})
    assert not (store.parent / "package.zip").exists()


def test_the_camera_of_the_machine_and_a_card_are_two_deployments(
    open_store: OpenStore, make_visit: MakeVisit, store: Path
) -> None:
    opened = open_store()
    opened.add_visit(make_visit(50, "cow"))
    watch = opened.begin_watch(moment_at(0), "tiny-1.0.0")
    opened.extend_watch(watch, moment_at(3600), 10)
    opened.close()
    summary = _write(store, {"oak": _OAK, "elm": _ELM, None: Deployment("own", 1, 1)})
    assert (summary.deployments, summary.watched_s) == (3, 3600)
    own = next(row for row in _table(store, "deployments.csv") if row["deploymentID"] == "own")
    assert own["deploymentStart"].startswith("2026-06-01")
    names = [row["scientificName"] for row in _table(store, "observations.csv") if row["deploymentID"] == "own"]
    assert names == [""]  # the names of the ten are those of the built-in bundle alone
