"""The live page in a real browser: Chromium without a screen, driven by Playwright. Nothing leaves this machine."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trailcam_core.classifier import Classifier
from trailcam_core.images.boxes import Box
from trailcam_core.images.decode import read_image
from trailcam_edge.app.services import DeviceServices
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import Moment, Visit
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources import DEMO_FRAMES
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.settings import StoreSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "correct-horse-battery"
WAIT_MS = 60_000.0

with socket.create_server(("127.0.0.1", 0)) as _free:
    ADDRESS = f"127.0.0.1:{_free.getsockname()[1]}"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, from the extra dev")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium, which this machine does not have: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # Without the sandbox, because test machines run as root in containers; only our own page is opened.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def elephant() -> FrameResult:
    """An answer of the built-in bundle to a frame of the demo."""
    entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    name = next(entry["file"] for entry in entries if entry["expected"] == "elephant")
    image = read_image(DEMO_FRAMES / name)
    answer = Classifier.open(num_threads=1).classify(image)
    frame = Frame(PackedPixels(image, "RGB"), time.monotonic(), 0, name)
    return FrameResult(frame, answer, 5.0, answer.label, 12.0, 3, ("elephant",))


class Camera:
    """A station and a browser's page that looks at it; every request of the page is noted."""

    def __init__(self, station: DeviceServices, browser: "Browser", width: int = 1180, **context: Any) -> None:
        self.station = station
        self.place = f"http://{ADDRESS}/"
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))

    def show_until(self, observation: FrameResult, script: str) -> None:
        """Let frames come until the page says that ``script`` holds."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while not self.page.evaluate(script):
            assert time.monotonic() < deadline, self.complaints
            self.station.handle_event(observation, "animals10 1.0.0")
            self.page.wait_for_timeout(50)

    def wait_until(self, script: str) -> None:
        """Wait until ``script`` holds, without the ``eval`` of ``wait_for_function``, which the page's policy bars."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while not self.page.evaluate(script):
            assert time.monotonic() < deadline, self.complaints
            self.page.wait_for_timeout(50)


def wanted(folder: Path, token_file: Path | None = None) -> Config:
    return Config(store=StoreSettings(folder, min_free_bytes=0), live=LiveSettings(ADDRESS, token_file))


def visit(station: DeviceServices, observation: FrameResult, name: str = "first") -> Visit:
    start, end = station._now(), station._now()
    end = Moment(end.monotonic_s + 4, end.wall, end.boot_id)
    return Visit(name, "elephant", start, end, 0.98, 4, 20, observation.frame.image, "animals10 1.0.0", 15.0)


def test_picture_label_visit_chart_and_health_appear_and_nothing_leaves_the_machine(
    tmp_path: Path, browser: "Browser", elephant: FrameResult
) -> None:
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelector('#label').textContent === 'elephant'")
        assert camera.page.evaluate("document.querySelector('#picture').naturalWidth") == 640
        assert "elephant" in str(camera.page.get_attribute("#picture", "alt"))
        assert camera.page.inner_text("#confidence").endswith("%")
        assert camera.page.is_visible("#meter")
        camera.show_until(replace(elephant, outcome=None), "document.querySelector('#label').textContent[0] === 'n'")
        assert not camera.page.is_visible("#meter")  # an empty bar is noise
        station.handle_event(visit(station, elephant), "animals10 1.0.0")
        camera.show_until(elephant, "document.querySelectorAll('#visits .name').length === 1")
        assert "elephant" in camera.page.inner_text("#visits")
        assert "1 today" in camera.page.inner_text("#today")
        assert camera.page.locator("#hours rect").count() == 1
        assert camera.page.locator("#days rect").count() == 1
        assert "1 visits. elephant 1" in str(camera.page.get_attribute("#hours svg", "aria-label"))
        camera.wait_until("document.querySelector('#visits img').naturalWidth > 0")
        assert "watching" in camera.page.inner_text("#state")
        camera.page.goto(camera.place + "camera")
        assert "Memory" in camera.page.inner_text("#health")
        response = camera.context.request.get(camera.place + f"pictures/{'first'}.jpg")
        assert response.status == 200
        assert all(url.startswith((camera.place, "blob:", "data:")) for url in camera.asked), camera.asked
        assert camera.complaints == []
        camera.context.close()


def test_boxes_and_masks_are_drawn_where_they_are_in_the_picture(
    tmp_path: Path, browser: "Browser", elephant: FrameResult
) -> None:
    box, other = Box(0.25, 0.5, 0.25, 0.25), Box(0.0, 0.0, 0.1, 0.1)
    mask = ((0.5, 0.0), (1.0, 0.0), (1.0, 0.2))
    shown = replace(elephant, box=box, boxes=(box, other), ignore=(mask,))
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(shown, "document.querySelectorAll('#marks rect').length === 3")
        assert camera.page.locator("#marks polygon.ignore").count() == 1
        picture, answer = (camera.page.locator(name).bounding_box() for name in ("#picture", "#marks rect.answer"))
        assert picture is not None
        assert answer is not None
        # the picture has the proportions 4:3 of the element, so it fills it
        assert (answer["x"] - picture["x"]) / picture["width"] == pytest.approx(0.25, abs=0.02)
        assert (answer["y"] - picture["y"]) / picture["height"] == pytest.approx(0.5, abs=0.02)
        assert answer["width"] / picture["width"] == pytest.approx(0.25, abs=0.02)
        camera.show_until(elephant, "document.querySelectorAll('#marks *').length === 0")


def test_labels_with_names_of_properties_are_counted_like_others(
    tmp_path: Path, browser: "Browser", elephant: FrameResult
) -> None:
    """Yesterday's label is in the days and not in the hours: each of these is a property of every object."""
    labels = ["constructor", "toString", "__proto__", "hasOwnProperty"]
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        for number, label in enumerate(labels):
            seen = visit(station, elephant, f"v{number}")
            assert seen.started.wall is not None
            before = replace(seen.started, wall=seen.started.wall - timedelta(days=2))
            station.handle_event(replace(seen, label=label, started=before), "animals10 1.0.0")
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelectorAll('#days rect').length === 4")
        assert camera.page.locator("#hours rect").count() == 0
        assert sorted(camera.page.locator("#visits .name").all_inner_texts()) == sorted(labels)
        assert camera.complaints == []
        camera.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(
    tmp_path: Path, browser: "Browser", elephant: FrameResult, scheme: str
) -> None:
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        station.handle_event(visit(station, elephant), "animals10 1.0.0")
        camera = Camera(station, browser, width=390, is_mobile=True, color_scheme=scheme)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelectorAll('#hours rect').length === 1")
        assert camera.page.evaluate("document.documentElement.scrollWidth") == 390
        assert camera.page.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, success criterion 1.4.3
        for path in ("visits", "visits/first", "species", "calendar", "camera"):
            camera.page.goto(camera.place + path)
            assert camera.page.evaluate("document.documentElement.scrollWidth") == 390, path
            assert camera.page.evaluate(CONTRAST) >= 4.5, path
            unnamed = camera.page.evaluate(
                "[...document.querySelectorAll('a, button, input, select')].filter("
                "e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length"
            )
            assert unnamed == 0, path
        assert camera.complaints == []
        camera.context.close()


def test_keys_and_the_filter_lead_from_visit_to_visit(
    tmp_path: Path, browser: "Browser", elephant: FrameResult
) -> None:
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        for number in range(3):
            station.handle_event(visit(station, elephant, f"v{number}"), "animals10 1.0.0")
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelectorAll('#visits .name').length === 3")
        camera.page.goto(camera.place + "visits")
        camera.page.select_option("[name=label]", "elephant")
        camera.page.click("text=Show")
        camera.page.click(".tile >> nth=0")
        camera.page.wait_for_url("**/visits/v2?label=elephant")
        ratios = "e => [e.clientWidth / e.clientHeight, e.naturalWidth / e.naturalHeight]"
        shown, natural = camera.page.eval_on_selector(".shot img", ratios)
        assert shown == pytest.approx(natural, rel=0.01)  # no bars
        camera.page.keyboard.press("ArrowRight")
        camera.page.wait_for_url("**/visits/v1?label=elephant")
        camera.page.keyboard.press("k")
        camera.page.wait_for_url("**/visits/v2?label=elephant")
        assert all(url.startswith((camera.place, "blob:", "data:")) for url in camera.asked), camera.asked
        assert camera.complaints == []
        camera.context.close()


def test_visits_are_reviewed_with_one_key_each_and_undone(
    tmp_path: Path, browser: "Browser", elephant: FrameResult
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    with DeviceServices(wanted(tmp_path / "store", token), "1.0") as station:
        for number in range(3):
            station.handle_event(visit(station, elephant, f"v{number}"), "animals10 1.0.0")
        camera = Camera(station, browser)
        camera.page.goto(f"{camera.place}?token={TOKEN}")
        camera.show_until(elephant, "document.querySelectorAll('#visits .name').length === 3")
        camera.page.goto(camera.place + "review/list")
        camera.page.wait_for_url("**/review/list/v2")
        camera.page.keyboard.press("c")
        camera.page.wait_for_url("**/review/list/v1?from=v2&done=1-1")
        camera.page.keyboard.press("n")
        camera.page.wait_for_url("**/review/list/v0?from=v1&done=2-2")
        camera.page.keyboard.press("u")
        camera.page.wait_for_url("**/review/list/v1")
        camera.page.keyboard.press("o")
        camera.page.keyboard.type("Wolf")
        camera.page.keyboard.press("Enter")
        camera.page.wait_for_url("**/review/list/v0?from=v1&done=4-4")
        camera.page.goto(camera.place + "visits?select=1")
        camera.page.keyboard.press("a")
        camera.page.click("text=Wrong")
        camera.page.wait_for_selector("text=3 answers saved")
        camera.page.keyboard.press("u")
        camera.page.wait_for_selector(".done", state="detached")
        assert camera.page.locator(".verdict").all_inner_texts() == ["confirmed", "is Wolf"]
        for path in ("review", "review/list/v0", "visits?select=1", "accuracy"):
            camera.page.set_viewport_size({"width": 390, "height": 844})
            camera.page.goto(camera.place + path)
            assert camera.page.evaluate("document.documentElement.scrollWidth") == 390, path
            assert camera.page.evaluate(CONTRAST) >= 4.5, path
        assert camera.complaints == []
        camera.context.close()


def test_the_page_says_that_the_program_has_ended(tmp_path: Path, browser: "Browser", elephant: FrameResult) -> None:
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelector('#state').textContent === 'watching'")
        camera.page.wait_for_timeout(300)
    camera.page.wait_for_selector("#state[data-state=ended]")
    camera.context.close()


CONTRAST = """() => {
  const light = colour => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(n => n / 255)
      .map(n => n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4);
    return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("h1, h2, p, span, dt, dd, b, time, a, li, th, td, small, button")]
    .filter(e => e.textContent && e.checkVisibility());
  return Math.min(...texts.map(element => {
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    return (pair[0] + .05) / (pair[1] + .05);
  }));
}"""


def test_the_token_is_asked_for_once(tmp_path: Path, browser: "Browser", elephant: FrameResult) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    with DeviceServices(wanted(tmp_path / "store", token), "1.0") as station:
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        assert camera.page.locator("#picture").count() == 0
        camera.page.fill("#token", "a-wrong-token-of-some-length")
        camera.page.click("button")
        camera.page.wait_for_selector("text=This token is wrong.")
        camera.page.fill("#token", TOKEN)
        camera.page.click("button")
        camera.page.wait_for_selector("#picture")
        camera.show_until(elephant, "document.querySelector('#label').textContent === 'elephant'")
        camera.page.goto(camera.place)
        assert camera.page.locator("#picture").count() == 1
        camera.context.close()
        other = Camera(station, browser)
        other.page.goto(f"{other.place}?token={TOKEN}")
        other.page.wait_for_selector("#picture")
        assert other.page.url == other.place  # the token is gone from the address bar
        other.context.close()


def test_an_animals_name_cannot_bring_a_script_along(tmp_path: Path, browser: "Browser", elephant: FrameResult) -> None:
    name = "<img src=x onerror=window.broken=1>"
    with DeviceServices(wanted(tmp_path), "1.0") as station:
        station.handle_event(Visit("v", name, station._now(), station._now(), 0.9, 3, 9, None, "b", 1.0), "b")
        camera = Camera(station, browser)
        camera.page.goto(camera.place)
        camera.show_until(elephant, "document.querySelectorAll('#visits .name').length === 1")
        assert camera.page.inner_text("#visits .name") == name
        assert camera.page.evaluate("window.broken") is None
        camera.context.close()
