"""The Camera Trap Data Package, as the frictionless validator sees it."""

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from frictionless import Report, system, validate
from frictionless.platform import platform as frictionless_files

from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box
from trailcam_edge.camtrap_dp.package import PackageSummary, Selection, _zip_info, write_camtrap_dp
from trailcam_edge.camtrap_dp.rows import Deployment, Project
from trailcam_edge.camtrap_dp.tables import DEPLOYMENT_COLUMNS, MEDIA_COLUMNS, OBSERVATION_COLUMNS
from trailcam_edge.events import BlindTime, Clip, Moment
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.settings import StoreSettings

from ..conftest import SUMMER, MakeVisit, OpenStore, moment_at

STANDARD = Path(__file__).parent / "standard"
PLACE = Deployment("loc1_cam1", 52.70442, 23.84995, "cam1", "loc1", "Białowieża", 30)
PROJECT = Project("Squirrels", "A. Person", licence="CC-BY-4.0", taxa={"squirrel": "Sciurus vulgaris"})

Write = Callable[..., PackageSummary]


@pytest.fixture
def write(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> Write:
    """Return a function that writes a package of a store with a bit of everything."""
    store = open_store()
    for number, label in enumerate(["squirrel", "lynx", "person", "unknown", "nothing", "squirrel"]):
        store.add_visit(make_visit(100 + 60 * number, label, box=None if number else Box(0.1, 0.25, 1 / 3, 0.5)))
    store.add_visit(make_visit(500, "squirrel", best_frame=None, box=Box(0.1, 0.2, 0.3, 0.4)))
    watch = store.begin_watch(moment_at(0), "tiny-1.0.0")
    store.extend_watch(watch, moment_at(3600), 100)
    watch = store.begin_watch(moment_at(100, "boot-1", clock=False), "tiny-1.0.0")
    store.extend_watch(watch, moment_at(3700, "boot-1", clock=False), 100)
    store.add_blind_time(BlindTime("disk full", moment_at(1000), moment_at(1900)))
    store.close()

    def write_one(**changes: Any) -> PackageSummary:
        with open_reader(tmp_path / "store") as reader:
            project = changes.pop("project", PROJECT)
            deployment = changes.pop("deployment", PLACE)
            selection = Selection(**changes)
            return write_camtrap_dp(
                tmp_path / "package.zip", reader, tmp_path / "store", {None: deployment}, project, selection
            )

    return write_one


def _unpack(tmp_path: Path, change: Callable[[dict[str, Any]], None] = lambda metadata: None) -> Path:
    """Unpack the package beside the standard's files, so that it is validated without a network."""
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "package.zip") as package:
        package.extractall(folder)
    geojson = Path(str(frictionless_files.frictionless.__file__)).parent / "assets" / "profiles" / "geojson.json"
    for path in STANDARD.glob("*.json"):
        text = path.read_text(encoding="utf-8").replace("http://json.schemastore.org/geojson.json", geojson.as_uri())
        (folder / path.name).write_text(text, encoding="utf-8")
    text = (folder / "datapackage.json").read_text(encoding="utf-8")
    assert text.count("https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/") == 4
    metadata = json.loads(text.replace("https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/", ""))
    metadata["profile"] = str(folder / metadata["profile"])
    change(metadata)
    (folder / "datapackage.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def _validate(folder: Path) -> Report:
    with system.use_context(trusted=True):
        return validate(str(folder / "datapackage.json"))


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text(encoding="utf-8"))))


def test_the_package_passes_the_frictionless_validator(write: Write, tmp_path: Path) -> None:
    summary = write()
    assert (summary.observations, summary.media, summary.undated) == (7, 6, 0)
    report = _validate(_unpack(tmp_path))
    assert report.valid, report.flatten(["title", "message"])
    assert report.stats["tasks"] == 4


def test_the_validator_can_say_no(write: Write, tmp_path: Path) -> None:
    write()
    folder = _unpack(tmp_path)
    path = folder / "observations.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",animal,", ",creature,"), encoding="utf-8")
    assert not _validate(folder).valid
    path.write_text(text.replace("loc1_cam1", "elsewhere"), encoding="utf-8")
    assert not _validate(folder).valid


@pytest.mark.parametrize("key", ["project", "spatial", "contributors", "taxonomic"])
def test_the_profile_is_part_of_what_is_validated(write: Write, tmp_path: Path, key: str) -> None:
    write()
    report = _validate(_unpack(tmp_path, lambda metadata: metadata.pop(key) and None))
    assert [f"'{key}' is a required property" in message for (message,) in report.flatten(["message"])] == [True]


@pytest.mark.parametrize(
    ("name", "columns"),
    [("deployments", DEPLOYMENT_COLUMNS), ("media", MEDIA_COLUMNS), ("observations", OBSERVATION_COLUMNS)],
)
def test_the_columns_are_the_standards_in_its_order(name: str, columns: tuple[str, ...]) -> None:
    schema = json.loads((STANDARD / f"{name}-table-schema.json").read_text(encoding="utf-8"))
    assert [field["name"] for field in schema["fields"]] == list(columns)


def test_visits_become_observations(write: Write, tmp_path: Path) -> None:
    write()
    found = _rows(_unpack(tmp_path), "observations")
    rows = {row["observationID"]: row for row in found if row["observationLevel"] == "event"}
    kinds = [row["observationType"] for row in rows.values()]
    assert kinds == ["animal", "animal", "human", "unknown", "blank", "animal", "animal"]
    first = rows["boot-0-00100"]
    assert first["scientificName"] == "Sciurus vulgaris"
    assert (first["eventStart"], first["eventEnd"]) == ("2026-06-01T00:01:40Z", "2026-06-01T00:01:40Z")
    assert first["classifiedBy"] == "tiny-1.0.0"
    assert float(first["classificationProbability"]) == 0.9
    assert rows["boot-0-00160"]["observationTags"] == "label:lynx"
    assert rows["boot-0-00160"]["scientificName"] == ""


def test_reviewed_visits_are_classified_by_people_and_keep_the_answer_of_the_model(
    write: Write, open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store()
    answers = [
        ("boot-0-00100", "Jo", "nothing", None),  # a squirrel with a box
        ("boot-0-00160", "Jo", "label", "squirrel"),  # a lynx
        ("boot-0-00160", "Kim", "confirmed", None),
        ("boot-0-00280", "Jo", "label", "Person"),  # unknown
        ("boot-0-00340", "Jo", "deleted", None),  # blank
        ("boot-0-00400", "Jo", "wrong", None),  # a squirrel
    ]
    store.add_reviews([NewReview(*answer, "list", "live page") for answer in answers], SUMMER.timestamp())
    store.close()
    assert write().deleted == 1
    folder = _unpack(tmp_path)
    assert _validate(folder).valid
    found = _rows(folder, "observations")
    rows = {row["observationID"]: row for row in found if row["observationLevel"] == "event"}
    kinds = {name: (row["observationType"], row["classificationMethod"]) for name, row in rows.items()}
    assert kinds == {
        "boot-0-00100": ("blank", "human"),
        "boot-0-00160": ("animal", "human"),
        "boot-0-00220": ("human", "machine"),
        "boot-0-00280": ("human", "human"),
        "boot-0-00400": ("unknown", "human"),
        "boot-0-00500": ("animal", "machine"),
    }
    lynx = rows["boot-0-00160"]
    assert (lynx["classifiedBy"], lynx["classificationProbability"]) == ("Kim", "")
    assert lynx["classificationTimestamp"] == "2026-06-01T00:00:00Z"
    assert lynx["observationTags"] == "label:lynx|machineLabel:lynx|machineProbability:0.9|machine:tiny-1.0.0"
    assert lynx["observationComments"] == "reviewers differ: Jo, Kim"
    assert rows["boot-0-00100"]["scientificName"] == ""
    assert [row for row in found if row["observationLevel"] == "media"] == []  # no box where nothing is
    public = {row["mediaID"]: row["filePublic"] for row in _rows(folder, "media")}
    assert public["boot-0-00280"] == "false"


def test_a_box_is_a_media_based_observation_of_its_picture(write: Write, tmp_path: Path) -> None:
    write()
    folder = _unpack(tmp_path)
    (row,) = [row for row in _rows(folder, "observations") if row["observationLevel"] == "media"]
    assert (row["observationID"], row["mediaID"], row["eventID"]) == ("boot-0-00100-box", *["boot-0-00100"] * 2)
    assert [row[f"bbox{name}"] for name in ("X", "Y", "Width", "Height")] == ["0.1", "0.25", "0.33333", "0.5"]
    metadata = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    assert metadata["project"]["observationLevel"] == ["event", "media"]
    events = [row for row in _rows(folder, "observations") if row["observationLevel"] == "event"]
    assert {row["bboxX"] for row in events} == {""}


def test_pictures_are_in_the_package_and_those_of_people_are_not_public(write: Write, tmp_path: Path) -> None:
    write()
    folder = _unpack(tmp_path)
    media = _rows(folder, "media")
    assert all((folder / row["filePath"]).read_bytes()[:2] == b"\xff\xd8" for row in media)
    assert [row["filePublic"] for row in media] == ["true", "true", "false", "true", "true", "true"]


def test_clips_are_media_beside_the_pictures(
    write: Write, open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    for number, visit_id in ((100, "boot-0-00100"), (220, "boot-0-00220")):
        store.add_clip(Clip(visit_id, bytes([number]) * 50, -5.0, 12.0))
    store.close()
    summary = write()
    assert (summary.media, summary.clips) == (6, 2)
    folder = _unpack(tmp_path)
    report = _validate(folder)
    assert report.valid, report.flatten(["title", "message"])
    rows = {row["mediaID"]: row for row in _rows(folder, "media")}
    clip, picture = rows["boot-0-00100-clip"], rows["boot-0-00100"]
    assert (clip["filePath"], clip["fileMediatype"]) == ("media/boot-0-00100.mp4", "video/mp4")
    assert (clip["timestamp"], picture["timestamp"]) == ("2026-06-01T00:01:35Z", "2026-06-01T00:01:40Z")
    assert (clip["filePublic"], rows["boot-0-00220-clip"]["filePublic"]) == ("true", "false")  # a person
    assert (folder / clip["filePath"]).read_bytes() == bytes([100]) * 50


def test_effort_is_stated_with_when_the_camera_was_blind_and_why(write: Write, tmp_path: Path) -> None:
    write()
    folder = _unpack(tmp_path)
    (deployment,) = _rows(folder, "deployments")
    assert deployment["deploymentStart"] == "2026-06-01T00:00:00Z"
    assert "Watched 1.75 h of 2.03 h." in deployment["deploymentComments"]
    assert "disk full 0.25 h (1 times)" in deployment["deploymentComments"]
    assert deployment["timestampIssues"] == "true"  # the second boot never knew the time
    assert [row["reason"] for row in _rows(folder, "blind-times")] == ["disk full", "not running"]
    assert _rows(folder, "blind-times")[0]["end"] == "2026-06-01T00:31:40Z"


def test_two_labels_of_one_species_are_one_entry_that_readers_can_join(write: Write, tmp_path: Path) -> None:
    write(project=Project("P", "C", taxa={"squirrel": "Sciurus vulgaris", "lynx": "Sciurus vulgaris", "cow": "Bos"}))
    metadata = json.loads((_unpack(tmp_path) / "datapackage.json").read_text(encoding="utf-8"))
    assert metadata["taxonomic"] == [
        {"scientificName": "Sciurus vulgaris", "vernacularNames": {"eng": "lynx, squirrel"}}
    ]


def test_dates_that_a_zip_file_cannot_hold_are_cut_off(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    assert _zip_info("a", 4.4e9).date_time == (2107, 12, 31, 23, 59, 58)
    assert _zip_info("a", -4.4e9).date_time == (1980, 1, 1, 0, 0, 0)
    store = open_store()
    store.add_visit(make_visit(1))
    future = Moment(9.0, datetime(2108, 1, 1, tzinfo=UTC), "boot-0")
    store.add_visit(make_visit(9, started=future, ended=future))
    store.close()
    with open_reader(tmp_path / "store") as reader:
        assert (
            write_camtrap_dp(tmp_path / "p.zip", reader, tmp_path / "store", {None: PLACE}, PROJECT).observations == 2
        )
    with zipfile.ZipFile(tmp_path / "p.zip") as package:
        assert {info.date_time[:3] for info in package.infolist() if info.filename.endswith("jpg")} == {(2026, 6, 1)}


def test_a_package_of_many_visits_takes_little_memory(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store(limits=StoreSettings(min_free_bytes=0))
    store.add_visit(make_visit(1, best_frame=None))
    columns = "label, started_boot_id, started_monotonic_s, started_wall_s, ended_boot_id, ended_monotonic_s, "
    columns += "ended_wall_s, confidence, votes, frames, bundle, latency_ms, picture_bytes, picture_state"
    store._database.connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
        f"INSERT INTO visits (visit_id, {columns}) SELECT visit_id || '-' || i, {columns} FROM visits, n"
    )
    store.close()
    with open_reader(tmp_path / "store") as reader:
        tracemalloc.start()
        summary = write_camtrap_dp(tmp_path / "p.zip", reader, tmp_path / "store", {None: PLACE}, PROJECT)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert summary.observations == 10_001
    assert peak_bytes < 2_000_000  # a list of them takes 9 MB
    with zipfile.ZipFile(tmp_path / "p.zip") as package:
        assert package.read("observations.csv").count(b"\n") == 10_002


def test_filters_choose_visits_and_effort(write: Write, tmp_path: Path) -> None:
    start_s = moment_at(150).wall.timestamp()  # type: ignore[union-attr]
    summary = write(label="squirrel", since_s=start_s)
    assert summary.observations == 2
    (deployment,) = _rows(_unpack(tmp_path), "deployments")
    assert deployment["deploymentStart"] == "2026-06-01T00:02:30Z"


def test_nothing_to_write_is_an_error_and_leaves_no_file(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to write"):
        write(since_s=4e9)
    assert not (tmp_path / "package.zip").exists()


def test_a_failure_leaves_the_older_package(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.zip").write_bytes(b"older")
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write()
    assert (tmp_path / "package.zip").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package.zip", "store"]


def test_visits_without_any_date_are_left_out_and_counted(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store()
    store.add_visit(make_visit(1, clock=False, boot="first"))
    store.close()
    with open_reader(tmp_path / "store") as reader, pytest.raises(DataError, match="nothing to write"):
        write_camtrap_dp(tmp_path / "p.zip", reader, tmp_path / "store", {None: PLACE}, PROJECT)


@pytest.mark.parametrize(("latitude", "longitude"), [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0)])
def test_a_place_that_is_not_on_earth_is_refused(latitude: float, longitude: float) -> None:
    with pytest.raises(ValueError, match="degrees"):
        Deployment("x", latitude, longitude)
