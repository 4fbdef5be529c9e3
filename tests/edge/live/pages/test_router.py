"""The pages as a browser gets them, without a socket."""

import re
from pathlib import Path

from trailcam_edge.events import Clip
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.pages.filters import VisitFilter
from trailcam_edge.live.pages.library import Visits
from trailcam_edge.live.pages.router import Pages
from trailcam_edge.live.pages.visits import visits_page
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.wall_time import WallTime

from .conftest import NOON, Gate, make_visit

LINK = re.compile(r'<li class="tile"><a href="/visits/([0-9a-f]{32})')


def tiles(text: str) -> list[int]:
    return [int(name, 16) for name in LINK.findall(text)]


def test_the_list_is_newest_first_in_days_and_pages(gate: Gate) -> None:
    for number in range(30):
        gate.store.add_visit(make_visit(number, hours=0 if number < 20 else 24))
    first = gate.text("/visits")
    assert tiles(first) == list(range(29, 5, -1))
    assert first.index("2 June 2026") < first.index("1 June 2026")
    older = re.search(r'href="/visits\?before=(\d+)"', first)
    assert older is not None
    assert "after=" not in first
    second = gate.text("/visits", before=older[1])
    assert tiles(second) == list(range(5, -1, -1))
    assert "before=" not in second
    newer = re.search(r'href="/visits\?after=(\d+)"', second)
    assert newer is not None
    assert tiles(gate.text("/visits", after=newer[1])) == list(range(29, 5, -1))


def test_label_day_and_confidence_choose(gate: Gate) -> None:
    for number in range(6):
        gate.store.add_visit(make_visit(number, "lynx" if number % 2 else "Lynx", hours=24 * (number // 3)))
    assert tiles(gate.text("/visits", label="lynx")) == [5, 3, 1]
    assert tiles(gate.text("/visits", day="2026-06-01")) == [2, 1, 0]
    assert tiles(gate.text("/visits", day="2026-06-02", label="Lynx")) == [4]
    assert tiles(gate.text("/visits", confidence="54")) == [5, 4]
    assert "No visit passes this filter" in gate.text("/visits", label="fox")
    assert "No visit passes this filter" in gate.text("/visits", day="2031-01-01")


def test_a_visit_shows_its_answer_and_its_neighbours_of_the_same_filter(gate: Gate) -> None:
    for number in range(5):
        gate.store.add_visit(make_visit(number, "lynx" if number % 2 else "fox"))
    text = gate.text(f"/visits/{3:032x}", label="lynx")
    assert f'src="/views/{3:032x}.jpg"' in text
    assert 'alt="lynx, 53%, 1 Jun 2026, 12:00:03"' in text
    assert '<rect x="10.00" y="20.00" width="30.00" height="40.00">' in text
    assert f'href="/visits/{1:032x}?label=lynx" class="older" rel="next"' in text
    assert 'class="newer off"' in text
    assert "3 votes in 5 frames" in text


def test_visits_of_a_card_are_below_the_name_of_their_station() -> None:
    start, day = WallTime(NOON.timestamp(), "clock"), "Today, 1 June"
    here = EventRecord(1, "a" * 32, "fox", start, start, "b", 1.0, 2.5, 0.9, 3, 9, "b 1", 9.0, None, "none")
    found = Visits((here._replace(station="<oak>"), here._replace(station="bridge"), here), {}, None, None)
    text = "".join(map(str, visits_page(found, VisitFilter(), {}, NOON)))
    assert re.findall(r"<h2>(.*?)</h2>", text) == [f"&lt;oak&gt;: {day}", f"bridge: {day}", day]


def test_a_visit_without_a_picture_says_why(gate: Gate) -> None:
    gate.store.add_visit(make_visit(1, best_frame=None))
    text = gate.text(f"/visits/{1:032x}")
    assert "no picture" in text
    assert "<img" not in text


def test_a_visit_with_a_clip_plays_it(gate: Gate) -> None:
    for number in (1, 2):
        gate.store.add_visit(make_visit(number))
    gate.store.add_clip(Clip(f"{1:032x}", b"video", -5.0, 12.0))
    page = gate.text(f"/visits/{1:032x}")
    assert f'<video src="/clips/{1:032x}.mp4" poster="/views/{1:032x}.jpg" controls preload="none"' in page
    assert "It begins 5 s before the visit." in page
    assert "<video" not in gate.text(f"/visits/{2:032x}")
    assert gate.text("/visits").count("with clip") == 1
    assert gate.pages.clip(f"/clips/{1:032x}.mp4") == gate.folder / "clips" / f"{1:032x}.mp4"
    assert gate.pages.clip("/clips/../events.db") is None


def test_a_visit_that_is_gone_is_a_page_of_its_own(gate: Gate) -> None:
    assert "This visit is gone" in gate.text(f"/visits/{9:032x}", 404)


def test_species_have_first_and_last_visit_and_the_best_picture(gate: Gate) -> None:
    for number, label in enumerate(["fox", "lynx", "lynx", "lynx"]):
        gate.store.add_visit(
            make_visit(number, label, hours=number, best_frame=None if number == 3 else make_visit(0).best_frame)
        )
    text = gate.text("/species")
    assert text.index(">lynx<") < text.index(">fox<")
    assert "2 labels, 4 visits" in text
    assert f'href="/visits/{2:032x}">best picture, 52%' in text
    assert "1 Jun 2026, 13:00" in text
    assert "1 Jun 2026, 15:00" in text


def test_the_calendar_counts_days_and_goes_where_visits_are(gate: Gate) -> None:
    for number in range(5):
        gate.store.add_visit(make_visit(number, "fox" if number else "lynx", hours=24 * 15 * number))
    june = gate.text("/calendar", month="2026-06")
    assert 'aria-label="1 June: 1 visit: lynx 1"' in june
    assert 'href="/visits?day=2026-06-16"' in june
    assert "2 visits in this month" in june
    assert "month=2026-07" in june
    assert "month=2026-05" not in june
    assert "July 2026" in gate.text("/calendar")  # the month of the last visit
    assert "July 2026" in gate.text("/calendar", month="nonsense")


def test_state_and_facts_are_on_the_pages_and_names_are_escaped(gate: Gate) -> None:
    gate.store.add_visit(make_visit(0, '"><script>x</script> 🦊 שועל'))
    for path in ("/", "/visits", f"/visits/{0:032x}", "/species", "/calendar", "/camera", "/latest"):
        text = gate.text(path)
        assert "<script>" not in text
        if path != "/latest":
            assert "no camera for 3 min" in text
            assert "Gate &lt;b&gt;" in text
    assert "picamera2" in gate.text("/camera")
    assert '<dd class="bad">0.1 GB free' in gate.text("/camera")
    assert gate.pages.answer("/state.json", {}).content == b'{"state": "no camera", "words": "no camera for 3 min"}'


def test_without_a_store_there_is_no_list_and_the_page_says_so(gate: Gate) -> None:
    gate.library = None
    assert "has no store" in gate.text("/visits", 503)
    assert 'href="/species"' not in gate.text("/")


def test_a_store_that_cannot_be_read_is_one_message(gate: Gate, tmp_path: Path) -> None:
    gate.store.close()
    (tmp_path / "store" / "events.db").write_bytes(b"no database" * 100)
    assert "The store cannot be read" in gate.text("/visits", 503)


def test_without_a_camera_the_list_is_the_first_page(gate: Gate) -> None:
    gate.has_camera = False
    answer = Pages(gate, read_assets()).answer("/", {})
    assert (answer.status, answer.headers["Location"]) == (303, "/visits")


def test_pictures_come_in_three_sizes_and_may_be_gone(gate: Gate) -> None:
    gate.store.add_visit(make_visit(1))
    for kind in ("pictures", "thumbs", "views"):
        answer = gate.pages.answer(f"/{kind}/{1:032x}.jpg", {})
        assert (answer.status, answer.kind) == (200, "image/jpeg")
        assert "max-age" in answer.headers["Cache-Control"]
        assert gate.pages.answer(f"/{kind}/{2:032x}.jpg", {}).status == 404
    assert gate.pages.answer("/thumbs/../events.db", {}).status == 404
