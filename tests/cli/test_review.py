"""``trailcam review``: the pages over a store on a computer; and reviews in ``trailcam events``."""

import csv
import http.client
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from trailcam.main import main
from trailcam_core.errors import DeviceError
from trailcam_edge.events import Moment, PictureSample, Visit
from trailcam_edge.live.pages.computer import StoreReports
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.open_database import open_database
from trailcam_edge.store.reviews.records import NewReview
from trailcam_edge.store.schema import MIGRATIONS
from trailcam_edge.store.settings import StoreSettings

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def name(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with four visits."""
    store = EventStore(StoreSettings(tmp_path / "store", min_free_bytes=0))
    for number, label in enumerate(["=lynx", "fox", "fox", "unknown"]):
        moment = Moment(float(number), None, "boot")
        store.add_visit(Visit(name(number), label, moment, moment, 0.9, 3, 5, IMAGE, "tiny-1.0.0", 10.0))
    store.close()
    return tmp_path / "store"


class Browser:
    """A client with the link that the command prints."""

    def __init__(self, link: str) -> None:
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", link)
        assert found is not None, link
        self.port = int(found[1])
        answer = self.ask("GET", f"/?token={found[2]}")
        assert answer.status == 303
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def answer(self, **form: str) -> int:
        origin = f"http://127.0.0.1:{self.port}"
        return self.ask("POST", "/reviews", urlencode(form), Cookie=self.cookie, Origin=origin).status


@pytest.fixture
def browser(folder: Path) -> Iterator[Browser]:
    command = [sys.executable, "-m", "trailcam", "review", str(folder), "--serve", "127.0.0.1:0", "--reviewer", "Jo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Browser(process.stdout.readline().removeprefix("Review at ").strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_answers_given_in_a_browser_are_exported_beside_the_events(
    folder: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.answer(visit=name(0), verdict="label:fox", chosen="random") == 303
    assert browser.answer(visit=name(1), verdict="confirmed", chosen="random") == 303
    assert browser.answer(visit=name(3), verdict="label", label="=bear", chosen="unknown") == 303
    assert browser.ask("POST", "/reviews", "visit=a&verdict=confirmed").status == 403
    assert main(["events", "--store", str(folder), "--reviewed", "--json"]) == 0
    found = lines(capsys)
    assert [(event["label"], event["review"]["label"]) for event in found] == [  # type: ignore[index]
        ("=lynx", "fox"),
        ("fox", None),
        ("unknown", "=bear"),
    ]
    assert found[0]["review"]["reviewers"] == ["Jo"]  # type: ignore[index]
    assert main(["events", "--store", str(folder), "--unreviewed", "--json"]) == 0
    assert [(event["visit_id"], event["review"]) for event in lines(capsys)] == [(name(2), None)]
    assert main(["events", "--store", str(folder), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["review_verdict"] for row in rows] == ["label", "confirmed", "", "label"]
    assert (rows[3]["review_label"], rows[3]["label"]) == ("'=bear", "unknown")
    assert main(["events", "--store", str(folder), "--reviewed"]) == 0
    assert "label fox by Jo" in capsys.readouterr().out
    assert main(["events", "--store", str(folder), "--accuracy", "--json"]) == 0
    accuracy, together = lines(capsys)
    assert together["bundle"] is None
    assert together["drift"] == []
    assert accuracy["labels"] == {
        "=lynx": {"right": 0, "number": 1, "precision": 0.0, "low": 0.0, "high": 0.7935},
        "fox": {"right": 1, "number": 1, "precision": 1.0, "low": 0.2065, "high": 1.0},
    }
    assert main(["events", "--store", str(folder), "--accuracy"]) == 0
    assert "fox                 1 of 1 right, 100% (21% to 100%)" in capsys.readouterr().out


def test_the_name_of_a_label_may_be_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = EventStore(StoreSettings(tmp_path, min_free_bytes=0))
    moment = Moment(1.0, None, "boot")
    store.add_visit(Visit(name(0), "black_headed_night_monkey", moment, moment, 0.9, 3, 5, IMAGE, "tiny-1.0.0", 10.0))
    store.close()
    with StoreReports(tmp_path, "Jo") as reports:
        reports.save([NewReview(name(0), "Jo", "confirmed", None, "random", "here")])
    assert main(["events", "--store", str(tmp_path), "--accuracy"]) == 0
    said = capsys.readouterr().out
    assert "  black_headed_night_monkey  1 of 1 right" in said
    assert "  all labels                 1 of 1 right" in said


def test_nothing_is_said_from_visits_that_were_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "--store", str(folder), "--accuracy"]) == 1
    assert "No random visit has been reviewed" in capsys.readouterr().err
    with StoreReports(folder, "Jo") as reports:
        reports.save([NewReview(name(1), "Jo", "wrong", None, "unsure", "here")])
    assert main(["events", "--store", str(folder), "--accuracy"]) == 1
    assert (
        "No review so far is of a random visit: 1 review of chosen ones is not representative."
        in capsys.readouterr().err
    )


def test_a_store_that_a_camera_uses_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = EventStore(StoreSettings(folder, min_free_bytes=0))
    assert main(["review", str(folder)]) == 1
    assert "another process stores its events here" in capsys.readouterr().err
    camera.close()


def test_no_store_is_made_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", str(tmp_path)]) == 1
    assert "no events here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_an_error_and_stays_where_it_is(folder: Path) -> None:
    (folder / "events.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DeviceError, match="damaged"):
        StoreReports(folder, "Jo")
    assert not (folder / "set-aside").exists()


def test_an_older_store_is_brought_up_to_date_and_a_newer_one_refused(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    open_database(old, MIGRATIONS[:2]).close()
    with StoreReports(old, "Jo") as reports:
        assert reports.library is not None
        assert reports.library.labels() == {}
    new = tmp_path / "new"
    shutil.copytree(old, new)
    connection = open_database(new)
    connection.execute("CREATE TABLE extra (id INTEGER) STRICT")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) ^ 1 << 4}")
    connection.close()
    with pytest.raises(DeviceError, match="Update Trailcam"):
        StoreReports(new, "Jo")


def test_missed_animals_are_stated_from_random_quiet_moments_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = EventStore(StoreSettings(folder, min_free_bytes=0))
    taken = Moment(5.0, datetime(2026, 6, 1, 12).astimezone(), "boot")
    for number, kind in ((11, "quiet"), (12, "quiet"), (13, "unknown")):
        store.add_sample(PictureSample(name(number), kind, taken, IMAGE, "tiny-1.0.0", 24.0))
    store.add_reviews([NewReview(name(13), "Jo", "label", "fox", "unknown", "here")], None)
    store.add_reviews([NewReview(name(1), "Jo", "confirmed", None, "random", "here")], None)
    assert main(["events", "--store", str(folder), "--accuracy"]) == 0
    said = capsys.readouterr().out
    assert "missed animals      not known: no random quiet moment has been reviewed" in said
    answers = [NewReview(name(11), "Jo", "nothing", None, "quiet", "here")]
    answers.append(NewReview(name(12), "Jo", "label", "fox", "quiet", "here"))
    store.add_reviews(answers, None)
    store.close()
    assert main(["events", "--store", str(folder), "--accuracy"]) == 0
    said = capsys.readouterr().out
    assert "missed animals      1 of 2 random quiet moments show one, 50.0% (9.5% to 90.5%)" in said
    assert "2026-W23" in said
    assert main(["events", "--store", str(folder), "--accuracy", "--json"]) == 0
    bundle, together = lines(capsys)
    assert bundle["missed"] == {"animals": 1, "number": 2, "fraction": 0.5, "low": 0.0945, "high": 0.9055}
    assert together["weeks"][0]["missed"] == bundle["missed"]  # type: ignore[index]
