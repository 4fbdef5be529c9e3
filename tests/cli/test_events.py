"""``trailcam events``: lists, filters, exports."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trailcam.main import main
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.settings import StoreSettings

START = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = ["--latitude", "52.7", "--longitude", "23.8", "--contributor", "A. Person"]


def _moment(hour: float, clock: bool = True) -> Moment:
    return Moment(3600 * hour, START + timedelta(hours=hour) if clock else None, "boot-0" if clock else "boot-lost")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with six visits, one an hour; the last one is of a boot whose clock was never set."""
    folder = tmp_path_factory.mktemp("events") / "store"
    opened = EventStore(StoreSettings(folder, min_free_bytes=0))
    image = np.full((48, 64, 3), 90, np.uint8)
    for number, label in enumerate(["squirrel", "lynx", "squirrel", "unknown", "squirrel"]):
        start, end = _moment(number), _moment(number + 0.001)
        opened.add_visit(Visit(f"visit-{number}", label, start, end, 0.9, 3, 5, image, "tiny-1.0.0", 10.0))
    lost = _moment(1, clock=False)
    opened.add_visit(Visit("visit-5", "lynx", lost, lost, 0.8, 2, 2, None, "tiny-1.0.0", 10.0))
    opened.add_blind_time(BlindTime("disk full", _moment(2), _moment(3)))
    opened.extend_watch(opened.begin_watch(_moment(0), "tiny-1.0.0"), _moment(5), 100)
    opened.close()
    return folder


def _json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_is_for_people(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(store)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("squirrel") == 3
    assert "pictures/visit-1.jpg" in printed
    assert ">" in printed  # the last visit's time is a bound
    assert "\n6 visits.\n" in printed


def test_unknown_has_no_percentage_of_the_nearest_label(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(store)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("%") for line in lines[:6]] == [1, 1, 1, 0, 1, 1]
    assert lines[-1].startswith('unknown: no label is sure enough. "trailcam classify PICTURE"')
    assert main(["events", "--store", str(store), "--label", "lynx"]) == 0
    assert capsys.readouterr().out.endswith("2 visits.\n")
    assert main(["events", "--store", str(store), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["label"], row["confidence"]) for row in rows[2:4]] == [("squirrel", "0.900000"), ("unknown", "")]
    assert main(["events", "--store", str(store), "--json", "--label", "unknown"]) == 0
    assert [record["confidence"] for record in _json(capsys)] == [None]


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"], ["--reviewed"]])
def test_no_visit_has_a_reason(
    store: Path, capsys: pytest.CaptureFixture[str], form: list[str], tmp_path: Path
) -> None:
    assert main(["events", "--store", str(store), "--label", "fox", *form]) == 0
    assert 'no visit has the label "fox"; the labels are lynx, squirrel, unknown.' in capsys.readouterr().err
    opened = EventStore(StoreSettings(tmp_path / "clip", min_free_bytes=0))
    moment = Moment(1.0, None, "recording-1")
    opened.add_visit(Visit("v", "lynx", moment, moment, 0.8, 2, 2, None, "tiny-1.0.0", 10.0))
    opened.close()
    assert main(["events", "--store", str(tmp_path / "clip"), "--since", "7d", *form]) == 0
    expected = [] if form == ["--reviewed"] else ["visits of unknown time are left out by --since and --until"]
    assert [words for words in expected if words not in capsys.readouterr().err] == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--label", "lynx"], [1, 5]),
        (["--since", "2026-06-01T02:00Z"], [2, 3, 4, 5]),
        (["--until", "2026-06-01T02:00+00:00"], [0, 1]),
        (["--since", "2026-06-01T01:00Z", "--until", "2026-06-01T03:00Z"], [1, 2]),
        (["--limit", "2"], [4, 5]),
        (["--label", "squirrel", "--limit", "1"], [4]),
        (["--limit", "2", "--until", "2026-06-01T03:00Z"], [1, 2]),
        (["--limit", "9"], [0, 1, 2, 3, 4, 5]),
        (["--limit", "2", "--label", "fox"], []),
        (["--since", "1h"], []),
    ],
)
def test_filters_choose(store: Path, capsys: pytest.CaptureFixture[str], words: list[str], wanted: list[int]) -> None:
    assert main(["events", "--store", str(store), "--json", *words]) == 0
    assert [record["visit_id"] for record in _json(capsys)] == [f"visit-{number}" for number in wanted]


def test_csv_has_the_fields_of_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(store), "--json"]) == 0
    records = _json(capsys)
    assert main(["events", "--store", str(store), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert all(record.pop("review") is None for record in records)
    box = ["box_x", "box_y", "box_width", "box_height"]
    said = ["review_verdict", "review_label", "reviewers", "review_disputed", "review_time"]
    place = ["station", "camera", "latitude", "longitude", "start_local", "end_local", "source", "clip"]
    for record in records:
        assert [record.pop(name) for name in ("box", "station", "source", "clip")] == [None] * 4
    assert [list(row) for row in rows] == [[*record, *box, *place, *said] for record in records]
    assert [row["label"] for row in rows] == [record["label"] for record in records]
    assert rows[5]["picture"] == ""


def test_csv_holds_no_formulas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ["=cmd|' /C calc'!A0", "+1", "-1", "@sum", "\tx", "a=b"]
    opened = EventStore(StoreSettings(tmp_path, min_free_bytes=0))
    for number, label in enumerate(labels):
        opened.add_visit(Visit(f"v{number}", label, _moment(0), _moment(0), 0.9, 1, 1, None, "=b", 1.0))
    opened.close()
    assert main(["events", "--store", str(tmp_path), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == [*("'" + label for label in labels[:5]), "a=b"]
    assert {row["bundle"] for row in rows} == {"'=b"}


def test_a_damaged_store_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = EventStore(StoreSettings(tmp_path, min_free_bytes=0))
    opened.add_visit(Visit("v", "lynx", _moment(0), _moment(0), 0.9, 1, 1, None, "b", 1.0))
    opened._database.connection.execute("UPDATE visits SET started_monotonic_s = 1e300")
    opened.close()
    for form in ([], ["--json"], ["--csv"], ["--camtrap-dp", str(tmp_path / "p.zip"), *PLACE]):
        assert main(["events", "--store", str(tmp_path), *form]) == 1
        told = capsys.readouterr().err
        assert "events.db: the database is damaged (1 rows of visits hold values out of range)" in told
        assert len(told.splitlines()) == 1


def test_blind_times_say_why(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(store), "--blind", "--json"]) == 0
    (record,) = _json(capsys)
    assert record["reason"] == "disk full"
    assert record["start"] == "2026-06-01T02:00:00.000Z"
    assert main(["events", "--store", str(store), "--blind", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("reason,start,end\ndisk full,2026-06-01T02")
    assert main(["events", "--store", str(store), "--blind", "--since", "2027-01-01"]) == 0
    assert capsys.readouterr().out == "0 blind times.\n"


def test_a_package_is_written(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taxa = tmp_path / "taxa.toml"
    taxa.write_text('\ufeffsquirrel = "Sciurus  vulgaris"\nfox = "Vulpes vulpes"\n', encoding="utf-8")
    path = tmp_path / "package.zip"
    words = ["--camtrap-dp", str(path), *PLACE, "--location-id", "loc1", "--camera-id", "cam1", "--taxa", str(taxa)]
    assert main(["events", "--store", str(store), *words]) == 0
    printed = capsys.readouterr()
    assert "6 observations, 5 pictures" in printed.out
    assert "no visit has the label fox; the labels are lynx, squirrel, unknown." in printed.err
    with zipfile.ZipFile(path) as package:
        metadata = json.loads(package.read("datapackage.json"))
        assert "loc1_cam1_52.70000_23.80000" in package.read("deployments.csv").decode()
    assert metadata["taxonomic"] == [{"scientificName": "Sciurus vulgaris", "vernacularNames": {"eng": "squirrel"}}]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--camtrap-dp", "x.zip"], "add --latitude, --longitude, --contributor"),
        (["--camtrap-dp", "x.zip", *PLACE, "--limit", "3"], "cannot be used with --camtrap-dp"),
        (["--camtrap-dp", "x.zip", *PLACE, "--latitude", "99"], "expected -90 to 90"),
        (["--camtrap-dp", "x.zip", *PLACE, "--taxa", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    store: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", "--store", str(store), *words]) == 1
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--limit", "0"], ["--limit", "-1"], ["--json", "--csv"]])
def test_what_cannot_be_read_is_a_usage_error(store: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["events", "--store", str(store), *words])
    assert stopped.value.code == 2


def test_a_wrong_name_in_taxa_is_said(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taxa.toml").write_text("squirrel = 3\n")
    words = ["--camtrap-dp", str(tmp_path / "x.zip"), *PLACE, "--taxa", str(tmp_path / "taxa.toml")]
    assert main(["events", "--store", str(store), *words]) == 1
    assert "squirrel is 3, expected a scientific name" in capsys.readouterr().err


def test_no_store_is_said_with_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(tmp_path)]) == 1
    assert "--store" in capsys.readouterr().err


def test_the_default_name_of_a_deployment_is_that_of_no_other(store: Path, tmp_path: Path) -> None:
    names = set()
    for location, camera in (("a_b", "c"), ("a", "b_c"), ("a_", "b"), ("a", "_b"), ("a%5Fb", "c"), ("a_b_c", "")):
        words = ["--location-id", location, *(["--camera-id", camera] if camera else [])]
        assert main(["events", "--store", str(store), "--camtrap-dp", str(tmp_path / "p.zip"), *PLACE, *words]) == 0
        with zipfile.ZipFile(tmp_path / "p.zip") as package:
            (row,) = csv.DictReader(io.StringIO(package.read("deployments.csv").decode()))
        names.add(row["deploymentID"])
    assert len(names) == 6
    assert "a%5Fb_c_52.70000_23.80000" in names


def test_events_can_be_listed_while_the_camera_writes(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = EventStore(StoreSettings(store, min_free_bytes=0))
    assert main(["events", "--store", str(store)]) == 0
    opened.close()
