"""Random quiet times on the pages: one after the other, their answers, and what they say of the camera."""

import re
from typing import Any
from urllib.parse import urlencode

from trailcam_core.images.boxes import Box
from trailcam_edge.events import PictureSample
from trailcam_edge.live.pages.review import Visitor
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.samples import reviewed_samples

from ..conftest import IMAGE, Gate, make_visit

JO, STRANGER = Visitor(True, "Jo", "live page, ::1"), Visitor()


def name(number: int) -> str:
    return f"{number:032x}"


def fill(gate: Gate) -> None:
    """Store three quiet moments and an animal without a label."""
    moment = make_visit(1).started
    for number, kind in ((3, "quiet"), (1, "quiet"), (2, "quiet"), (9, "unknown")):
        box = Box(0.1, 0.2, 0.3, 0.4) if kind == "unknown" else None
        gate.store.add_sample(PictureSample(name(number), kind, moment, IMAGE, "tiny-1", 24.0, None, box))
    gate.store.add_visit(make_visit(5, "fox"))


def post(gate: Gate, status: int = 303, **form: Any) -> str:
    answer = gate.pages.post("/reviews", urlencode(form), JO)
    assert answer.status == status
    return answer.headers["Location"]


def page(gate: Gate, path: str, visitor: Visitor = JO) -> str:
    return gate.pages.answer(path, {}, visitor).content.decode()


def first(gate: Gate, queue: str) -> str:
    return gate.pages.answer(f"/review/{queue}", {}, JO).headers.get("Location", "")


def test_quiet_moments_come_in_random_order_and_lead_on(gate: Gate) -> None:
    fill(gate)
    assert first(gate, "quiet") == f"/review/quiet/{name(1)}"
    text = page(gate, f"/review/quiet/{name(1)}")
    assert "No visit here" in text
    assert "24 moments a day" in text
    after = re.search(r'name="after" value="([^"]+)"', text)
    assert after is not None
    assert after[1] == f"/review/quiet/{name(2)}?from={name(1)}"
    location = post(gate, visit=name(1), verdict="nothing", chosen="quiet", after=after[1])
    assert location == f"{after[1]}&done=1-1"
    assert "Answer saved." in gate.text(f"/review/quiet/{name(2)}", done="1-1", **{"from": name(1)})
    post(gate, visit=name(2), verdict="label:fox", chosen="quiet")
    post(gate, visit=name(3), verdict="wrong", chosen="quiet")
    assert "every one has a review" in page(gate, "/review/quiet")
    with open_reader(gate.folder) as reader:
        found = [(answer.review.verdict, answer.review.chosen) for _, answer in reviewed_samples(reader)]
    assert found == [("nothing", "quiet"), ("label", "quiet"), ("wrong", "quiet")]


def test_the_overview_counts_them_and_their_pictures_are_served(gate: Gate) -> None:
    fill(gate)
    text = page(gate, "/review")
    assert re.search(r'href="/review/quiet".*?3 left', text, re.DOTALL)
    assert re.search(r'href="/review/unlabelled".*?1 left', text, re.DOTALL)
    assert gate.pages.answer(f"/views/{name(1)}.jpg", {}, JO).status == 200
    text = page(gate, f"/review/unlabelled/{name(9)}")
    assert "Not recognised" in text
    assert "<rect" in text
    assert 'value="unknown"' in text, "why it was chosen"


def test_who_has_no_token_sees_no_buttons(gate: Gate) -> None:
    fill(gate)
    assert "<form" not in page(gate, f"/review/quiet/{name(1)}", STRANGER)
    assert gate.pages.answer(f"/review/quiet/{name(77)}", {}, JO).status == 404


def test_accuracy_has_missed_animals_and_weeks(gate: Gate) -> None:
    fill(gate)
    assert "By week" not in page(gate, "/accuracy")
    post(gate, visit=name(5), verdict="confirmed", chosen="random")
    text = page(gate, "/accuracy")
    assert "no random quiet moment has been reviewed" in text
    assert "2026-W23" in text
