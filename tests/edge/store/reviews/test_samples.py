"""Samples in the store: picture and row together, within its limit, with reviews of their own."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DeviceError
from trailcam_core.images.boxes import Box
from trailcam_edge.events import PictureSample
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.carry import carry_reviews, locked
from trailcam_edge.store.reviews.records import NewReview, Verdict
from trailcam_edge.store.reviews.samples import SampleRecord, quiet_moments, read_samples, reviewed_samples

from ...conftest import SMALL, MakeVisit, OpenStore, moment_at

NOISE = np.random.default_rng(1).integers(0, 256, (150, 150, 3)).astype(np.uint8)


def sample(number: int, kind: str = "quiet", **changes: Any) -> PictureSample:
    made = PictureSample(f"{number:032x}", kind, moment_at(number), NOISE, "tiny-1.0.0", 24.0)
    return replace(made, **changes)


def stored(store: EventStore, condition: str = "1") -> list[SampleRecord]:
    with open_reader(store.folder) as reader:
        return read_samples(reader, condition)


def say(store: EventStore, number: int, verdict: Verdict, label: str | None = None, reviewer: str = "Jo") -> None:
    saved = store.add_reviews([NewReview(f"{number:032x}", reviewer, verdict, label, "quiet", "here")], None)
    assert not saved.gone


def pictures(store: EventStore) -> set[str]:
    return {path.stem for path in (store.folder / "pictures").iterdir()}


def test_a_sample_is_stored_once_with_its_picture(open_store: OpenStore) -> None:
    store = open_store()
    assert store.add_sample(sample(1, outcome="fox", box=Box(0.1, 0.2, 0.3, 0.4)))
    assert store.add_sample(sample(1))
    store.close()
    store = open_store()
    (found,) = stored(store)
    assert found[2:8] == ("quiet", found.taken, "tiny-1.0.0", 24.0, "fox", Box(0.1, 0.2, 0.3, 0.4))
    assert found.taken.unix_s == moment_at(1).wall.timestamp()  # type: ignore[union-attr]
    content = np.fromfile(store.folder / str(found.picture), np.uint8)
    assert cv2.imdecode(content, cv2.IMREAD_COLOR).shape == (150, 150, 3)


def test_samples_are_deleted_for_room_as_visits_are(open_store: OpenStore, make_visit: MakeVisit) -> None:
    store = open_store()
    for number in range(120):
        assert store.add_sample(sample(number))
        usage = store.usage()
        assert usage.database_bytes + usage.pictures_bytes <= SMALL.max_bytes
    kept = {found.number for found in stored(store, "picture_bytes > 0")}
    assert 20 < len(kept) < 60
    assert kept == set(range(121 - len(kept), 121)), "the oldest go first"
    for number in range(3):
        store.add_visit(make_visit(number))
    assert len(list((store.folder / "pictures").glob("boot-*"))) == 3, "the more frequent kind goes first"
    assert pictures(store) == {found.sample_id for found in stored(store, "picture_bytes > 0")} | {
        f"boot-0-{number:05}" for number in range(3)
    }


def test_a_sample_without_room_is_not_kept(open_store: OpenStore) -> None:
    store = open_store()
    large = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3)).astype(np.uint8)
    assert not store.add_sample(sample(1, picture=large))
    assert stored(store) == []
    assert pictures(store) == set()


def test_a_picture_that_is_gone_or_without_a_row_is_found_at_the_start(open_store: OpenStore) -> None:
    store = open_store()
    for number in (1, 2):
        store.add_sample(sample(number))
    (store.folder / "pictures" / f"{1:032x}.jpg").unlink()
    (store.folder / "pictures" / f"{3:032x}.jpg").write_bytes(b"half")
    store.close()
    store = open_store()
    assert [found.picture for found in stored(store)] == [None, f"pictures/{2:032x}.jpg"]
    assert pictures(store) == {f"{2:032x}"}


def test_a_damaged_row_is_set_aside_with_its_picture(open_store: OpenStore) -> None:
    store = open_store()
    for number in (1, 2):
        store.add_sample(sample(number))
    store.close()
    connection = sqlite3.connect(store.folder / "events.db")
    connection.execute("UPDATE samples SET per_day = 25 WHERE number = 1")
    connection.commit()
    connection.close()
    store = open_store()
    assert [found.number for found in stored(store)] == [2]
    (row,) = (store.folder / "set-aside").glob("*/rows.jsonl")
    assert json.loads(row.read_text())["table"] == "samples"
    assert (row.parent / "pictures" / f"{1:032x}.jpg").exists()


def test_answers_for_samples_count_as_those_for_visits(open_store: OpenStore) -> None:
    store = open_store()
    for number in range(1, 7):
        store.add_sample(sample(number, "unknown" if number == 6 else "quiet"))
    say(store, 1, "confirmed")
    say(store, 2, "label", "Blank")
    say(store, 3, "label", "lynx")
    say(store, 4, "wrong")
    say(store, 6, "label", "fox")
    with open_reader(store.folder) as reader:
        found = {row.number: (answer.review.verdict, answer.review.label) for row, answer in reviewed_samples(reader)}
        moments = quiet_moments(reader)
    assert found == {
        1: ("nothing", None),
        2: ("nothing", None),
        3: ("label", "lynx"),
        4: ("wrong", None),
        6: ("label", "fox"),
    }
    assert len(moments) == 4, "what was chosen for having no label is not random"
    store.undo_reviews([1], "Jo", "here", None)
    assert {row.number for row in stored(store, "reviewed = 0")} == {1, 5}


@pytest.mark.parametrize(("verdict", "label"), [("deleted", None), ("label", "Person")])
def test_the_picture_of_a_person_or_of_what_is_deleted_goes_at_once(
    open_store: OpenStore, verdict: Verdict, label: str | None
) -> None:
    store = open_store()
    for number in (1, 2):
        store.add_sample(sample(number))
    say(store, 1, verdict, label)
    assert pictures(store) == {f"{2:032x}"}
    assert [found.picture is None for found in stored(store)] == [True, False]


def test_reviews_at_home_survive_the_next_copy_of_the_store(open_store: OpenStore, tmp_path: Path) -> None:
    camera, home, new = tmp_path / "camera", tmp_path / "home", tmp_path / "new"
    store = open_store(camera)
    for number in (1, 2, 3):
        store.add_sample(sample(number))
    say(store, 1, "nothing", reviewer="Kim")
    store.close()
    shutil.copytree(camera, home)
    at_home = open_store(home)
    say(at_home, 2, "label", "lynx")
    say(at_home, 3, "label", "person")
    at_home.close()
    store = open_store(camera)
    store.add_sample(sample(4))
    say(store, 4, "nothing", reviewer="Kim")
    store.close()
    for _ in range(2):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        shutil.copy(camera / "events.db", new)
        carry_reviews(home, new)
        shutil.copy(new / "events.db", home)
        with open_reader(home) as reader:
            found = {row.number: answer.reviewers for row, answer in reviewed_samples(reader)}
            rows = reader.connection.execute("SELECT count(*) FROM reviews").fetchone()[0]
            person = read_samples(reader, "number = 3")[0]
        assert found == {1: ("Kim",), 2: ("Jo",), 3: ("Jo",), 4: ("Kim",)}
        assert rows == 4, "a second time adds nothing"
        assert person.picture is None
    carry_reviews(tmp_path / "nothing", new)


def test_a_store_that_is_reviewed_at_present_is_not_replaced(open_store: OpenStore, tmp_path: Path) -> None:
    with locked(tmp_path / "home"), pytest.raises(DeviceError, match="another process"):
        open_store(tmp_path / "home")
    open_store(tmp_path / "home")
    with pytest.raises(DeviceError, match="another process"), locked(tmp_path / "home"):
        pass
