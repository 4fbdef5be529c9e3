"""The live page's server: real sockets on this machine."""

import http.client
import json
import re
import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.live import handler
from trailcam_edge.live.access import Access, Address
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.server import serve_live
from trailcam_edge.live.state import ProgramState

from .conftest import TOKEN, Bench, FakeReports, content


def test_the_page_may_run_nothing_but_itself_and_names_no_other_place(bench: Bench) -> None:
    answer = bench.ask("GET", "/")
    assert answer.status == 200
    text = content(answer).decode()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"\son[a-z]+=|\sstyle=", text)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self'; style-src 'self'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Python" not in answer.headers["Server"]


def test_script_and_style_are_for_everybody_and_kept_by_browsers(guarded: Bench) -> None:
    for name, kind in (("pages.css", "text/css"), ("pages.js", "text/javascript"), ("now.js", "text/javascript")):
        answer = guarded.ask("GET", read_assets().path(name))
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert "immutable" in answer.headers["Cache-Control"]
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", content(answer).decode())
    assert guarded.ask("GET", "/assets/../page.html").status == 401


def test_a_viewer_who_waits_hears_why_the_program_ends(bench: Bench) -> None:
    answers: list[http.client.HTTPResponse] = []
    waiting = threading.Thread(target=lambda: answers.append(bench.ask("GET", "/frame.jpg?viewer=a")))
    waiting.start()
    time.sleep(0.2)
    bench.reports.words = ProgramState("switching", "switching")
    bench.view.close()
    waiting.join(20)
    assert answers[0].status == 204
    assert answers[0].headers["X-Trailcam-State"] == "switching"


def test_a_picture_comes_as_soon_as_there_is_a_newer_one_with_its_answer(bench: Bench) -> None:
    def later() -> None:
        time.sleep(0.2)
        bench.show(level=200)

    threading.Thread(target=later).start()
    answer = bench.ask("GET", "/frame.jpg?viewer=a")
    assert answer.status == 200
    shown = json.loads(answer.headers["X-Trailcam"])
    assert (shown["outcome"], shown["sequence"], shown["dropped"], shown["open"]) == ("cow", 0, 3, ["cow"])
    assert (shown["box"], shown["boxes"]) == ([0.25, 0.5, 0.1, 0.2], [[0.25, 0.5, 0.1, 0.2], [0.7, 0.1, 0.1, 0.1]])
    assert (shown["ignore"], shown["only"]) == ([[[0.0, 0.0], [0.3, 0.0], [0.3, 0.1]]], [])
    image = cv2.imdecode(np.frombuffer(content(answer), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (48, 64, 3)
    assert abs(int(image.mean()) - 200) < 3


def test_nothing_is_kept_or_encoded_while_nobody_looks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.show()
    assert bench.view._image is None
    bench.view.picture(-1, 0.0)  # a viewer looks
    bench.show()
    assert bench.view._image is not None
    assert bench.view._pictures == {}  # the loop encodes nothing
    assert bench.view.picture(-1, 0.0) is bench.view.picture(-1, 0.0)  # one encoding for all
    monkeypatch.setattr("trailcam_edge.live.latest_picture._INTEREST_S", -1.0)
    bench.show()
    assert bench.view._image is None


def test_a_large_picture_is_shrunk(bench: Bench) -> None:
    bench.view.picture(-1, 0.0)
    bench.show(size=(1080, 1920))
    picture = bench.view.picture(-1, 0.0)
    assert picture is not None
    image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[:2] == (540, 960)


def test_no_new_picture_is_no_content(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_PICTURE_WAIT_S", 0.1)
    assert bench.ask("GET", "/frame.jpg?after=999").status == 204
    assert bench.ask("GET", "/frame.jpg?after=nonsense").status == 204


def test_status_metrics_and_pictures_are_served(bench: Bench, tmp_path: Path) -> None:
    assert json.loads(content(bench.ask("GET", "/status.json"))) == {"bundle": "ü"}
    answer = bench.ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert content(answer) == b"trailcam_frames_total 1\n"
    bench.reports.pictures["abc"] = tmp_path / "abc.jpg"
    assert bench.ask("GET", "/pictures/abc.jpg").status == 404  # deleted for room
    (tmp_path / "abc.jpg").write_bytes(b"jpeg")
    assert content(bench.ask("GET", "/pictures/abc.jpg")) == b"jpeg"
    head = bench.ask("HEAD", "/")
    assert head.status == 200
    assert content(head) == b""


@pytest.mark.parametrize(("query", "width"), [("", 960), ("&small=1", 640), ("&small=0", 960)])
def test_a_narrow_screen_gets_a_small_picture(bench: Bench, query: str, width: int) -> None:
    bench.view.picture(-1, 0.0)  # a viewer looks
    bench.show(size=(1080, 1920))
    for _ in range(2):  # the other viewers get theirs of the same frame
        answer = bench.ask("GET", f"/frame.jpg?viewer=a&after=-1{query}")
        image = cv2.imdecode(np.frombuffer(content(answer), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (width * 9 // 16, width, 3)
        bench.ask("GET", "/frame.jpg?viewer=b&after=-1" + ("" if query else "&small=1"))


def test_health_says_when_no_frames_come(bench: Bench) -> None:
    assert bench.ask("GET", "/healthz").status == 200
    bench.reports.well = False
    assert bench.ask("GET", "/healthz").status == 503


def test_a_port_in_use_is_said_with_another_to_take(bench: Bench) -> None:
    taken = Address("127.0.0.1", bench.server.port)
    with pytest.raises(DeviceError, match=rf"the port is in use .*--live 127\.0\.0\.1:{taken.port + 1}"):
        serve_live(taken, Access(taken, None), 10, LiveView(), FakeReports())


def test_an_address_of_another_machine_is_said() -> None:
    address = Address("192.0.2.1", 8080)
    with pytest.raises(DeviceError, match="no such address"):
        serve_live(address, Access(address, TOKEN), 10, LiveView(), FakeReports())


def test_closing_the_view_lets_waiting_viewers_go(bench: Bench) -> None:
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(bench.view.picture(-1, 30.0)))
    waiting.start()
    bench.view.close()
    waiting.join(20)
    assert found == [None]


def test_a_connection_that_is_kept_open_ends_with_the_server() -> None:
    bench = Bench()
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=20) as line:
        line.sendall(b"HEAD /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 200")
        bench.server.stop()
        assert line.recv(65_536) == b""
