"""A live page's server on this machine, with the parts behind it."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trailcam_core.images.boxes import Box
from trailcam_edge.live import server
from trailcam_edge.live.access import Access, Address
from trailcam_edge.live.latest_picture import LiveView
from trailcam_edge.live.pages.desk import Writer
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.server import LiveServer, serve_live
from trailcam_edge.live.state import ProgramState
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels

TOKEN = "correct-horse-battery"


LOCAL = Address("127.0.0.1", 0)
FORM = "application/x-www-form-urlencoded"


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
