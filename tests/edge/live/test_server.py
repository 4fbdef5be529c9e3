"""The live page's server: real sockets on this machine."""

import http.client
import json
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DeviceError
from trailcam_core.images.boxes import Box
from trailcam_edge.live import handler, server
from trailcam_edge.live.access import Access, Address
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.limits import MAX_HEAD_BYTES, MAX_HEAD_LINES, Places, Viewers, client_group
from trailcam_edge.live.pages.assets import read_assets
from trailcam_edge.live.pages.desk import Writer
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.pages.router import Pages
from trailcam_edge.live.server import LiveServer, serve_live
from trailcam_edge.live.state import ProgramState
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels

TOKEN = "correct-horse-battery"
LOCAL = Address("127.0.0.1", 0)


class FakeReports:
    name = "gate"
    has_camera = True
    reviewer = "reviewer"
    writer: Writer | None = None
    library: Library | None = None

    def __init__(self) -> None:
        self.well = True
        self.words = ProgramState("watching", "watching")
        self.pictures: dict[str, Path] = {}
        self.clips: dict[str, Path] = {}

    def status(self) -> dict[str, Any]:
        return {"bundle": "ü"}

    def metrics(self) -> str:
        return "trailcam_frames_total 1\n"

    def alive(self) -> bool:
        return self.well

    def state(self) -> ProgramState:
        return self.words

    def facts(self) -> list[tuple[str, str]]:
        return [("Name", self.name)]

    def visit_picture(self, visit_id: str) -> Path | None:
        return self.pictures.get(visit_id)

    def visit_clip(self, visit_id: str) -> Path | None:
        return self.clips.get(visit_id)


class Bench:
    """A server and what is behind it."""

    def __init__(self, token: str | None = None, viewers: int = 10) -> None:
        self.view, self.reports = LiveView(), FakeReports()
        self.access = Access(LOCAL, token)
        self.server: LiveServer = serve_live(LOCAL, self.access, viewers, self.view, self.reports)
        self.frames = 0

    def show(self, level: int = 90, size: tuple[int, int] = (48, 64)) -> None:
        frame = Frame(PackedPixels(np.full((*size, 3), level, np.uint8), "RGB"), 0.0, self.frames, "f")
        self.frames += 1
        cow, other = Box(0.25, 0.5, 0.1, 0.2), Box(0.7, 0.1, 0.1, 0.1)
        mask = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.1))
        self.view.show(FrameResult(frame, None, 5.0, "cow", 12.0, 3, ("cow",), cow, (cow, other), (mask,)))

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.content = answer.read()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def raw(self, text: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as line:
            line.sendall(text)
            return line.recv(65_536)


@pytest.fixture(autouse=True)
def stops_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_POLL_S", 0.02)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.view.close()
    made.server.stop()


@pytest.fixture
def guarded() -> Iterator[Bench]:
    made = Bench(TOKEN)
    yield made
    made.view.close()
    made.server.stop()


def content(answer: http.client.HTTPResponse) -> bytes:
    return answer.content  # type: ignore[attr-defined, no-any-return]


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
    bench.view.picture(-1, 0.0)  # somebody looks
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


def test_names_of_viewers_do_not_take_the_places_of_other_addresses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_PICTURE_WAIT_S", 0.01)
    for number in range(5):
        assert bench.ask("GET", f"/frame.jpg?viewer=v{number}").status == 204
    answer = bench.ask("GET", "/frame.jpg?viewer=v5")
    assert answer.status == 503
    assert b"10 viewers are connected already, or half of them from your address" in content(answer)
    assert answer.headers["Retry-After"]
    assert bench.ask("GET", "/frame.jpg?viewer=v3").status == 204
    other = ("127.0.0.2", 0)
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=20, source_address=other) as line:
        line.sendall(b"GET /frame.jpg?viewer=v5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 204")


def test_a_viewer_who_stops_asking_makes_room() -> None:
    viewers = Viewers(1)
    assert viewers.admit("a", "192.0.2.1", 0.0)
    assert not viewers.admit("b", "192.0.2.2", 14.0)
    assert viewers.admit("b", "192.0.2.2", 15.1)
    assert not viewers.admit("a", "192.0.2.1", 16.0)


def test_two_hundred_names_of_one_address_get_half_of_the_places() -> None:
    viewers = Viewers(10)
    assert sum(viewers.admit(f"v{number}", "192.0.2.1", 1.0) for number in range(200)) == 5
    assert sum(viewers.admit(f"v{number}", f"2001:db8::{number}", 1.0) for number in range(1, 200)) == 5


def test_too_many_connections_are_refused_at_once_and_leave_no_trace(bench: Bench) -> None:
    lines = [socket.create_connection(("127.0.0.1", bench.server.port), timeout=20) for _ in range(1)]
    for _ in range(31):
        lines.append(socket.create_connection(("127.0.0.1", bench.server.port), timeout=20))
        lines[-1].sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert lines[-1].recv(15) == b"HTTP/1.1 200 OK"
    lines[0].sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert lines[0].recv(15) == b"HTTP/1.1 200 OK"
    assert bench.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 503")
    for line in lines:
        line.close()
    deadline = time.monotonic() + 20
    while bench.ask("GET", "/healthz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_slow_clients_of_the_same_address_lock_nobody_out(guarded: Bench) -> None:
    slow = []
    for _ in range(100):
        slow.append(socket.create_connection(("127.0.0.1", guarded.server.port), timeout=20))
        slow[-1].sendall(b"GET / HTTP/1.1\r\nHost: local")
    assert guarded.ask("GET", "/status.json", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.ask("GET", "/healthz").status == 200
    assert guarded.server._thread_places._value >= 16  # the threads of the others have ended
    for line in slow:
        line.close()


class Lines:
    """Pairs of connected sockets: of clients, and of the server."""

    def __init__(self) -> None:
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def new(self, text: bytes = b"") -> socket.socket:
        client, ours = socket.socketpair()
        client.sendall(text)
        self.pairs.append((client, ours))
        return ours


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    yield made
    for pair in made.pairs:
        for end in pair:
            end.close()


def is_connected(line: socket.socket) -> bool:
    return not (select.select([line], [], [], 0)[0] and line.recv(1, socket.MSG_PEEK) == b"")


def test_one_address_has_four_places_until_it_shows_the_token(lines: Lines) -> None:
    places = Places()
    held = [lines.new() for _ in range(4)]
    assert all(places.enter(line, "192.0.2.1") for line in held)
    assert places.enter(lines.new(), "192.0.2.1")
    assert [is_connected(line) for line in held] == [False, True, True, True]
    for line in held[1:]:
        places.answer(line)
    assert places.enter(lines.new(), "192.0.2.1")  # the place of the one that is still slow
    assert all(is_connected(line) for line in held[1:])
    busy = Places()
    for _ in range(4):
        line = lines.new(b"GET / HTTP/1.1\r\n\r\n")  # complete: only its thread is late
        assert busy.enter(line, "192.0.2.1")
    assert not busy.enter(lines.new(), "192.0.2.1")
    assert busy.enter(lines.new(), "192.0.2.2")
    busy.let_in(line)
    assert busy.enter(lines.new(), "192.0.2.1")


def test_places_are_kept_for_loopback_and_clients_with_the_token_keep_theirs(lines: Lines) -> None:
    places = Places()
    outside = [lines.new() for _ in range(25)]
    entered = [
        places.enter(line, f"192.0.2.{number}") for number, line in enumerate(outside) if not places.let_in(line)
    ]
    assert entered == [True] * 25
    assert [is_connected(line) for line in outside].count(False) == 1
    for line in outside[1:]:
        places.let_in(line)
    assert not places.enter(lines.new(), "198.51.100.1")
    inside = [lines.new() for _ in range(8)]
    for line in inside:
        assert places.enter(line, "127.0.0.1")
        places.let_in(line)
    assert not places.enter(lines.new(), "::1")
    assert all(is_connected(line) for line in (*outside[1:], *inside))
    places.leave(inside[0])
    assert places.enter(lines.new(), "::1")


def test_a_client_with_the_token_has_half_of_the_places_at_most(lines: Lines) -> None:
    places = Places()
    for _ in range(16):
        line = lines.new()
        assert places.enter(line, "2001:db8::1")
        places.let_in(line)
    assert not places.enter(lines.new(), "2001:db8::2")
    assert places.enter(lines.new(), "2001:db8:0:1::2")


@pytest.mark.parametrize(
    ("address", "group", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:192.0.2.7", "192.0.2.7", False),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", False),
        ("fe80::1%1", "fe80::", False),
    ],
)
def test_an_ipv6_client_is_known_by_its_network(address: str, group: str, loopback: bool) -> None:
    assert client_group(address) == (group, loopback)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * MAX_HEAD_BYTES, b"414"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_HEAD_BYTES, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 4_000 + b"\r\nC: " + b"d" * 4_200, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD_LINES, b"431"),
    ],
)
def test_a_head_has_a_budget_of_bytes_and_lines(guarded: Bench, head: bytes, status: bytes) -> None:
    assert guarded.raw(head).startswith(b"HTTP/1.1 " + status)  # refused before the head ends


def test_a_head_within_its_budget_is_answered_and_each_request_has_a_budget(bench: Bench) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bench.server.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/status.json", headers={"A": "b" * 8_000})
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (200, b'{"bundle": "\xc3\xbc"}')
    connection.close()


def test_a_request_that_drips_is_hung_up_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_HEAD_S", 0.3)
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=20) as line:
        sent = 0
        while not select.select([line], [], [], 0.05)[0]:  # readable when the other side hung up
            line.sendall(b"G")
            sent += 1
            assert sent < 200
        assert line.recv(1) == b""
    assert sent > 2


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"0" * 5_000 + b"\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nabcde", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 7\r\n\r\nGET / x", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /pictures/../events.db HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /pictures/unknown.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /?" + b"a=1&" * 50 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_odd_requests_get_their_status_and_the_server_lives_on(
    bench: Bench, request_text: bytes, status: bytes
) -> None:
    answer = bench.raw(request_text)
    assert answer.split(b" ")[1].startswith(status) or status in answer.split(b"\r\n")[0]
    assert bench.ask("GET", "/healthz").status == 200


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
    bench.view.picture(-1, 0.0)  # somebody looks
    bench.show(size=(1080, 1920))
    for _ in range(2):  # the other viewers get theirs of the same frame
        answer = bench.ask("GET", f"/frame.jpg?viewer=a&after=-1{query}")
        image = cv2.imdecode(np.frombuffer(content(answer), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape == (width * 9 // 16, width, 3)
        bench.ask("GET", "/frame.jpg?viewer=b&after=-1" + ("" if query else "&small=1"))


CLIP = bytes(range(256)) * 600


@pytest.mark.parametrize(
    ("asked", "status", "part", "stated"),
    [
        (None, 200, slice(None), None),
        ("bytes=0-", 200, slice(None), None),
        ("bytes=0-1", 206, slice(0, 2), "bytes 0-1/153600"),
        ("bytes=150000-", 206, slice(150_000, None), "bytes 150000-153599/153600"),
        ("bytes=153599-999999", 206, slice(153_599, None), "bytes 153599-153599/153600"),
        ("bytes=-5", 206, slice(-5, None), "bytes 153595-153599/153600"),
        ("bytes=153600-", 416, slice(0, 0), "bytes */153600"),
        ("bytes=-0", 416, slice(0, 0), "bytes */153600"),
        ("bytes=5-2", 200, slice(None), None),
        ("bytes=0-1,4-5", 200, slice(None), None),
        ("lines=0-1", 200, slice(None), None),
    ],
)
def test_a_browser_seeks_in_a_clip(
    bench: Bench, tmp_path: Path, asked: str | None, status: int, part: slice, stated: str | None
) -> None:
    (tmp_path / "abc.mp4").write_bytes(CLIP)
    bench.reports.clips["abc"] = tmp_path / "abc.mp4"
    answer = bench.ask("GET", "/clips/abc.mp4", **({} if asked is None else {"Range": asked}))
    assert answer.status == status
    assert content(answer) == CLIP[part]
    assert answer.headers["Content-Range"] == stated
    assert answer.headers["Content-Length"] == str(len(CLIP[part]))
    if status != 416:
        assert (answer.headers["Content-Type"], answer.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
        head = bench.ask("HEAD", "/clips/abc.mp4", **({} if asked is None else {"Range": asked}))
        assert (head.status, head.headers["Content-Length"], content(head)) == (status, str(len(CLIP[part])), b"")


def test_a_clip_needs_the_token_and_may_be_gone(bench: Bench, guarded: Bench, tmp_path: Path) -> None:
    (tmp_path / "abc.mp4").write_bytes(b"video")
    guarded.reports.clips["abc"] = tmp_path / "abc.mp4"
    assert guarded.ask("GET", "/clips/abc.mp4").status == 401
    assert content(guarded.ask("GET", "/clips/abc.mp4", Authorization=f"Bearer {TOKEN}")) == b"video"
    bench.reports.clips["abc"] = tmp_path / "gone.mp4"
    assert bench.ask("GET", "/clips/abc.mp4").status == 404
    assert bench.ask("GET", "/clips/..%2fabc.mp4").status == 404


def test_health_says_when_no_frames_come(bench: Bench) -> None:
    assert bench.ask("GET", "/healthz").status == 200
    bench.reports.well = False
    assert bench.ask("GET", "/healthz").status == 503


def test_without_the_token_nothing_but_the_form_is_shown(guarded: Bench) -> None:
    answer = guarded.ask("GET", "/")
    assert answer.status == 401
    assert b"<form" in content(answer)
    for path in ("/visits", "/visits/a", "/review", "/camera"):
        answer = guarded.ask("GET", path)
        assert answer.status == 401
        assert b"<form" in content(answer)
    for path in (
        "/frame.jpg",
        "/status.json",
        "/metrics",
        "/pictures/a.jpg",
        "/thumbs/a.jpg",
        "/latest",
        "/nothing",
        "/frame.jpg?token=" + TOKEN,
    ):
        assert guarded.ask("GET", path).status == 401
    assert guarded.ask("GET", "/healthz").status == 200
    assert guarded.ask("GET", "/?token=wrong").status == 401


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/reviews", "/undo", "/reviewer"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Cookie": "right"}, 403),  # no origin
        ({"Cookie": "right", "Origin": "null"}, 403),
        ({"Cookie": "right", "Origin": "https://evil.example"}, 403),
        ({"Cookie": "right", "Origin": "http://localhost:1"}, 403),  # another port of this host
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Cookie": "trailcam=wrong", "Origin": "own"}, 403),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}, 403),
        ({"Cookie": "right", "Origin": "own"}, 400),  # the form is empty
        ({"Cookie": "right", "Origin": "own", "Sec-Fetch-Site": "same-origin"}, 400),
        ({"Authorization": f"Bearer {TOKEN}"}, 400),
    ],
)
def test_only_the_token_and_a_page_of_this_host_may_write(
    guarded: Bench, path: str, headers: dict[str, str], status: int
) -> None:
    own = {"right": f"trailcam={guarded.access.cookie}", "own": f"http://127.0.0.1:{guarded.server.port}"}
    sent = {name.replace("-", "_"): own.get(value, value) for name, value in headers.items()}
    answer = guarded.ask("POST", path, "", Content_Type=FORM, **sent)
    expected = {400: (400, 503, 303)}.get(status, (status,))
    assert answer.status in expected, content(answer)
    if status == 403:
        assert answer.headers["Connection"] == "close"


def test_without_a_token_nobody_writes_also_on_loopback(bench: Bench) -> None:
    origin = f"http://127.0.0.1:{bench.server.port}"
    assert bench.ask("POST", "/reviews", "visit=a&verdict=confirmed", Origin=origin).status == 403


def test_a_form_of_reviews_has_a_limit(guarded: Bench) -> None:
    for size, status in ((16_384, 503), (16_385, 413)):  # 503: this camera has no store
        answer = guarded.ask("POST", "/reviews", "a" * size, Authorization=f"Bearer {TOKEN}")
        assert answer.status == status


def test_two_cameras_on_one_host_have_cookies_of_their_own() -> None:
    first, second = (Access(Address("127.0.0.1", port), TOKEN) for port in (8080, 8081))
    assert first.cookie_name != second.cookie_name
    cookies = f"{first.cookie_name}={first.cookie}; {second.cookie_name}=old"
    assert first.verdict(cookies, None) == "right"
    assert second.verdict(cookies, None) == "wrong"


def test_the_link_and_the_form_give_a_cookie_that_lets_in(guarded: Bench) -> None:
    for answer in (
        guarded.ask("GET", f"/?token={TOKEN}"),
        guarded.ask("POST", "/login", f"token={TOKEN}", Content_Type="application/x-www-form-urlencoded"),
    ):
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert TOKEN not in cookie
        assert guarded.ask("GET", "/", Cookie=cookie.split(";")[0]).status == 200
    assert guarded.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/login", "token=guess", {}, 403),
        ("POST", "/login", "", {}, 403),
        ("GET", "/?token=guess", None, {}, 401),
        ("GET", "/", None, {"Cookie": "trailcam=guess"}, 401),
        ("GET", "/status.json", None, {"Authorization": "Bearer guess"}, 401),
        ("HEAD", "/frame.jpg", None, {"Authorization": "Bearer guess"}, 401),
    ],
)
def test_a_wrong_token_is_answered_late_wherever_it_is(
    guarded: Bench,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
    status: int,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(handler.time, "sleep", waited.append)
    answer = guarded.ask(method, path, body, **headers)
    assert answer.status == status
    assert waited == [1.0]
    assert answer.headers["Connection"] == "close"
    assert "Set-Cookie" not in answer.headers
    if method != "HEAD":
        assert b"This token is wrong." in content(answer)


def test_no_token_is_asked_for_at_once_and_open_paths_tell_nothing_of_one(
    guarded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.time, "sleep", lambda _: pytest.fail("waited"))
    assert guarded.ask("GET", "/").status == 401
    assert guarded.ask("GET", "/status.json").status == 401
    assert guarded.ask("GET", "/healthz", Authorization="Bearer guess").status == 200
    assert guarded.ask("GET", "/login", Cookie="trailcam=guess").status == 200


def test_the_token_leaves_the_address_bar_also_of_who_is_let_in(guarded: Bench) -> None:
    answer = guarded.ask("GET", "/?token=old", Cookie=f"trailcam={guarded.access.cookie}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")


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


def test_the_message_on_the_form_is_escaped() -> None:
    assert b"&lt;b&gt;" in Pages(FakeReports(), read_assets()).login(200, "<b>").content
