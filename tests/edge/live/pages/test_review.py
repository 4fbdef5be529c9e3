"""Reviews on the pages: what to look at, the forms, and what becomes of them."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from trailcam_edge.live.pages.filters import VisitFilter
from trailcam_edge.live.pages.queues.order import QUEUES
from trailcam_edge.live.pages.review import Visitor
from trailcam_edge.store.reviews.records import NewReview

from .conftest import Gate, make_visit

JO, KIM = Visitor(True, "Jo", "live page, ::1"), Visitor(True, "Kim", "live page, ::1")


def name(number: int) -> str:
    return f"{number:032x}"


def post(gate: Gate, path: str, visitor: Visitor = JO, status: int = 303, **form: Any) -> str:
    answer = gate.pages.post(path, urlencode(form, doseq=True), visitor)
    assert answer.status == status
    return answer.headers.get("Location", "") or answer.content.decode("utf-8")


def verdicts(gate: Gate, number: int) -> list[tuple[str, str, str | None]]:
    assert gate.library is not None
    one = gate.library.visit(name(number), VisitFilter())
    assert one is not None
    return [(review.reviewer, review.verdict, review.label) for review in one.reviews]


@pytest.fixture
def filled(gate: Gate) -> Gate:
    """Ten visits: eight of a lynx, one of a fox, one unknown."""
    for number, label in enumerate(["lynx"] * 8 + ["fox", "unknown"]):
        gate.store.add_visit(make_visit(number, label))
    return gate


def test_an_answer_is_stored_beside_the_event_and_leads_on(filled: Gate) -> None:
    after = f"/review/list/{name(4)}?from={name(5)}"
    location = post(filled, "/reviews", visit=name(5), verdict="label:fox", chosen="list", after=after)
    assert location == f"{after}&done=1-1"
    assert verdicts(filled, 5) == [("Jo", "label", "fox")]
    text = filled.text(f"/visits/{name(5)}")
    assert "<h1>lynx</h1>" in text
    assert "Jo: is fox (live page, ::1)" in text
    assert "is fox" in filled.text("/visits")


def test_undo_restores_what_this_reviewer_said_before(filled: Gate) -> None:
    for verdict in ("confirmed", "nothing"):
        post(filled, "/reviews", visit=name(1), verdict=verdict)
    assert post(filled, "/undo", rows="2-2", after=f"/visits/{name(1)}") == f"/visits/{name(1)}"
    post(filled, "/undo", rows="3-3")
    post(filled, "/undo", KIM, rows="4-4")
    assert verdicts(filled, 1) == [
        ("Jo", "confirmed", None),
        ("Jo", "nothing", None),
        ("Jo", "confirmed", None),
        ("Jo", "nothing", None),  # undone again
    ]
    post(filled, "/reviews", visit=name(2), verdict="wrong")
    post(filled, "/undo", rows="5-5")
    assert verdicts(filled, 2)[-1] == ("Jo", "withdrawn", None)
    assert name(2) in filled.text("/visits", review="no")


def test_several_at_once_are_undone_at_once_and_those_gone_are_said(filled: Gate) -> None:
    visits = [name(number) for number in (1, 2, 3, 99)]
    location = post(filled, "/reviews", visit=visits, verdict="nothing", after="/visits?select=1")
    assert location == "/visits?select=1&done=1-3&gone=1"
    text = filled.text("/visits", done="1-3", gone="1")
    assert "3 answers saved" in text
    assert "gone from the store" in text
    post(filled, "/undo", rows="1-3")
    assert all(verdicts(filled, number)[-1][1] == "withdrawn" for number in (1, 2, 3))


def test_a_review_of_a_visit_that_is_gone_stores_nothing(filled: Gate) -> None:
    location = post(filled, "/reviews", visit=name(77), verdict="confirmed", after="/visits")
    assert location == "/visits?gone=1"
    assert "The visit is gone" in filled.text("/visits", gone="1")


def test_two_reviewers_who_differ_are_shown_and_found(filled: Gate) -> None:
    post(filled, "/reviews", JO, visit=name(3), verdict="confirmed")
    post(filled, "/reviews", KIM, visit=name(3), verdict="label", label="fox")
    post(filled, "/reviews", JO, visit=name(4), verdict="label", label="FOX")
    post(filled, "/reviews", KIM, visit=name(4), verdict="label", label="fox")
    text = filled.text("/visits", review="disputed")
    assert f"/visits/{name(3)}" in text
    assert f"/visits/{name(4)}" not in text
    assert "disputed" in text


def test_labels_that_differ_by_case_are_one(filled: Gate) -> None:
    post(filled, "/reviews", visit=name(1), verdict="label", label="  LYNX ")
    post(filled, "/reviews", visit=name(2), verdict="label", label="Pine   Marten")
    post(filled, "/reviews", visit=name(3), verdict="label", label="pine marten")
    post(filled, "/reviews", visit=name(4), verdict="label:Fox")
    assert verdicts(filled, 1) == [("Jo", "confirmed", None)]
    assert verdicts(filled, 2) == verdicts(filled, 3) == [("Jo", "label", "Pine Marten")]
    assert verdicts(filled, 4) == [("Jo", "label", "fox")]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"visit": name(1)},
        {"visit": name(1), "verdict": "withdrawn"},
        {"visit": name(1), "verdict": "sheep"},
        {"visit": name(1), "verdict": "label"},
        {"visit": name(1), "verdict": "label", "label": "x" * 81},
        {"visit": name(1), "verdict": "label", "label": "a\x07b"},
        {"visit": name(1), "verdict": "confirmed", "chosen": "best"},
        {"visit": [name(n) for n in range(101)], "verdict": "confirmed"},
        {"visit": [name(n) for n in range(200)], "verdict": "confirmed"},
    ],
)
def test_a_form_of_somebody_else_stores_nothing(filled: Gate, form: dict[str, Any]) -> None:
    assert "Nothing was saved" in post(filled, "/reviews", status=400, **form)
    assert verdicts(filled, 1) == []


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/visits\r\nSet-Cookie: a=b", "/login", ""]
)
def test_a_form_leads_only_to_pages_of_reviews(filled: Gate, after: str) -> None:
    assert post(filled, "/undo", rows="1-1", after=after) == "/review"


def test_deleted_visits_are_left_out_unless_asked_for(filled: Gate) -> None:
    post(filled, "/reviews", visit=name(6), verdict="deleted")
    assert name(6) not in filled.text("/visits")
    assert name(6) in filled.text("/visits", review="deleted")


def walk(gate: Gate, queue: str, visitor: Visitor = JO, verdict: str = "confirmed") -> list[int]:
    """Answer a queue to its end as a browser would; return the visits."""
    seen: list[int] = []
    answer = gate.pages.answer(f"/review/{queue}", {}, visitor)
    while answer.status == 303:
        path, _, rest = answer.headers["Location"].partition("?")
        if path.count("/") < 3:
            break
        text = gate.pages.answer(
            path, dict([part.split("=") for part in rest.split("&") if part]), visitor
        ).content.decode()
        text = text[text.index('class="answers"') :]
        found = {field: re.search(rf'name="{field}" value="([^"]*)"', text) for field in ("visit", "chosen", "after")}
        form = {field: (match[1] if match else "").replace("&amp;", "&") for field, match in found.items()}
        seen.append(int(form["visit"], 16))
        answer = gate.pages.post("/reviews", urlencode(form | {"verdict": verdict}), visitor)
    return seen


def test_every_queue_has_its_order_and_its_end(filled: Gate) -> None:
    assert walk(filled, "unknown", verdict="wrong") == [9]
    assert walk(filled, "rare") == [8]
    assert walk(filled, "unsure") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert walk(filled, "list") == []
    assert "every one has a review" in filled.text("/review/list")


def test_the_random_sample_ignores_what_was_reviewed_for_being_hard(filled: Gate) -> None:
    walk(filled, "unsure")
    assert walk(filled, "random") == list(range(10))
    assert walk(filled, "random") == []
    assert [review[1] for review in verdicts(filled, 0)] == ["confirmed", "confirmed"]


def test_a_visit_far_down_the_random_order_was_not_drawn(gate: Gate) -> None:
    for number in range(25):
        gate.store.add_visit(make_visit(number))
    for number in (20, 19):
        post(gate, "/reviews", visit=name(number), verdict="confirmed", chosen="random")
    assert gate.library is not None
    with gate.library.reading() as reader:
        rows = dict(reader.connection.execute("SELECT visit_id, chosen FROM reviews"))
    assert rows == {name(19): "random", name(20): "list"}


def test_an_undone_answer_of_the_random_order_is_asked_for_again(filled: Gate) -> None:
    assert walk(filled, "random")[:3] == [0, 1, 2]
    post(filled, "/undo", rows="2-2")
    assert walk(filled, "random") == [1]


def test_visits_whose_names_are_not_random_are_in_no_sample(gate: Gate) -> None:
    gate.store.add_visit(make_visit(1, visit_id="imported-0001"))
    assert gate.pages.answer("/review/random", {}, JO).status == 200
    assert gate.pages.answer("/review/list", {}, JO).status == 303


def test_who_has_no_token_sees_no_buttons_and_learns_why(filled: Gate) -> None:
    for path in (f"/visits/{name(1)}", f"/review/list/{name(1)}"):
        assert "<button" not in filled.text(path)
        assert "Your answer" in filled.pages.answer(path, {}, JO).content.decode()
    assert "token_file" in filled.text("/review")
    assert "checkbox" not in filled.text("/visits", select="1")
    assert "checkbox" in filled.pages.answer("/visits", {"select": "1"}, JO).content.decode()


def test_the_name_of_a_reviewer_is_kept(filled: Gate) -> None:
    answer = filled.pages.post("/reviewer", urlencode({"reviewer": " Jo  Füchsin;x "}), JO)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert filled.pages.visitor(True, f"a=b; {cookie}", "::1").name == "Jo Füchsin;x"
    assert filled.pages.visitor(True, "trailcam_reviewer=%0a", "::1").name == "reviewer"
    assert filled.pages.post("/reviewer", "reviewer=+", JO).status == 400


def test_the_overview_counts_what_is_left(filled: Gate) -> None:
    text = filled.pages.answer("/review", {}, JO).content.decode()
    counts = dict(zip(QUEUES, re.findall(r"(\d+|more than 99) left", text), strict=True))
    assert counts == {"random": "10", "unsure": "9", "unknown": "1", "rare": "2", "list": "10"}


def test_the_page_states_the_accuracy_from_random_visits_only(filled: Gate) -> None:
    walk(filled, "unsure")
    assert "Not known yet" in filled.text("/accuracy")
    walk(filled, "random", verdict="nothing")
    text = filled.text("/accuracy")
    assert '<th scope="row">lynx</th><td>0 of 8</td><td>0%</td><td>0% to 32%</td>' in text
    assert '<th scope="row">all labels</th><td>0 of 9</td>' in text


def test_one_statement_stores_all_or_nothing(filled: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = (NewReview(name(n), "Jo", "confirmed", None, "list", "x") for n in (1, 2))
    object.__setattr__(bad, "verdict", None)
    with pytest.raises(ValueError, match="does not fit"):
        filled.store.add_reviews([good, bad], 1.8e9)
    assert verdicts(filled, 1) == []
