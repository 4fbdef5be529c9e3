"""Reviews in the store: beside the events, never over them, and never more room than there is."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from trailcam_core.records import FieldError
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.records import NewReview, Review, review_json, reviewed_label, standing
from trailcam_edge.store.reviews.tables import count_reviews, reviews_of, standings

from ...conftest import SMALL, MakeVisit, OpenStore

NOW_S = 1_780_000_000.0


def review(number: int, reviewer: str, verdict: str, label: str | None = None) -> Review:
    return Review(number, "v", reviewer, verdict, label, "list", "here", NOW_S)


def answer(visit_id: str, verdict: str = "confirmed", reviewer: str = "Jo") -> NewReview:
    return NewReview(visit_id, reviewer, verdict, "fox" if verdict == "label" else None, "list", "here")  # type: ignore[arg-type]


def test_the_newest_answer_of_each_reviewer_counts() -> None:
    reviews = [review(1, "Jo", "wrong"), review(3, "Jo", "confirmed"), review(2, "Kim", "confirmed")]
    found = standing(reviews)
    assert found is not None
    assert (found.review.review_id, found.reviewers, found.disputed) == (3, ("Kim", "Jo"), False)
    assert standing([*reviews, review(4, "Kim", "nothing")]).disputed  # type: ignore[union-attr]
    assert standing([review(1, "Jo", "wrong"), review(2, "Jo", "withdrawn")]) is None
    assert standing([]) is None


@pytest.mark.parametrize(
    ("verdict", "label", "expected"),
    [
        ("confirmed", None, "lynx"),
        ("label", "fox", "fox"),
        ("nothing", None, "nothing"),
        ("wrong", None, None),
        ("deleted", None, None),
    ],
)
def test_what_a_visit_shows_according_to_people(verdict: str, label: str | None, expected: str | None) -> None:
    assert reviewed_label("lynx", standing([review(1, "Jo", verdict, label)])) == expected


def test_without_a_review_nothing_is_claimed() -> None:
    assert reviewed_label("lynx", None) is None
    assert review_json(None) is None


@pytest.mark.parametrize(
    ("verdict", "label", "reviewer"),
    [
        ("right", None, "Jo"),
        ("label", None, "Jo"),
        ("label", "", "Jo"),
        ("label", " fox", "Jo"),
        ("label", "f\nox", "Jo"),
        ("confirmed", "fox", "Jo"),
        ("confirmed", None, ""),
        ("confirmed", None, "J" * 81),
    ],
)
def test_what_is_no_answer_is_refused(verdict: str, label: str | None, reviewer: str) -> None:
    with pytest.raises(FieldError):
        NewReview("v", reviewer, verdict, label, "list", "here")  # type: ignore[arg-type]


def test_events_stay_as_they_are(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    store = open_store()
    store.add_visit(make_visit(1))
    before = store.events_after(0, 9)
    saved = store.add_reviews([answer("boot-0-00001", "label"), answer("gone")], NOW_S)
    assert (saved.review_ids, saved.gone) == ((1,), ("gone",))
    assert store.events_after(0, 9) == before
    with open_reader(tmp_path / "store") as reader:
        found = standings(reader.connection)
        assert review_json(found["boot-0-00001"]) == {
            "verdict": "label",
            "label": "fox",
            "reviewers": ["Jo"],
            "disputed": False,
            "time": "2026-05-28T20:26:40.000Z",
            "chosen": "list",
            "origin": "here",
        }


def test_a_full_database_loses_reviews_of_visits_that_are_gone_and_no_visit(
    open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path
) -> None:
    store = open_store(limits=replace(SMALL, max_bytes=4_000_000))
    for number in range(3):
        store.add_visit(make_visit(number, best_frame=None))
    connection = store._database.connection
    long = "x" * 60
    for _ in range(300):  # reviews of visits that were deleted since
        with store._database.transaction():
            rows = [(f"gone-{long}", long, long) for _ in range(20)]
            connection.executemany(
                "INSERT INTO reviews (visit_id, reviewer, verdict, chosen, origin) VALUES (?, ?, 'wrong', 'list', ?)",
                rows,
            )
        if store._database.one("PRAGMA page_count") > 0.96 * store._database.one("PRAGMA max_page_count"):
            break
    full = count_reviews(connection)
    store.add_reviews([answer("boot-0-00001")], None)
    assert count_reviews(connection) < full
    assert store.last_event_id() == 3
    assert len(store.events_after(0, 9)) == 3
    assert reviews_of(connection, ["boot-0-00001"])["boot-0-00001"][0].unix_s is None


def test_a_damaged_review_is_left_out(open_store: OpenStore, make_visit: MakeVisit, tmp_path: Path) -> None:
    store = open_store()
    store.add_visit(make_visit(1, best_frame=None))
    store.add_reviews([answer("boot-0-00001"), answer("boot-0-00001", "nothing", "Kim")], NOW_S)
    store.close()
    other = sqlite3.connect(tmp_path / "store" / "events.db")
    other.execute("UPDATE reviews SET reviewer = 'Joe' WHERE review_id = 1")
    other.commit()
    other.close()
    with open_reader(tmp_path / "store") as reader:
        assert [each.reviewer for each in reviews_of(reader.connection, ["boot-0-00001"])["boot-0-00001"]] == ["Kim"]
