"""In front of the camera, animals in turn; behind it, viewers of its live page."""

import http.client
import json
import multiprocessing
import random
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2

from trailcam_edge.sources import DEMO_FRAMES

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

TOKEN = "correct-horse-battery"  # noqa: S105 - of these measurements
LOGIN = {"Authorization": f"Bearer {TOKEN}"}
_ANIMAL_S, _EMPTY_S = 8.0, 6.0
_VOTE_SPACING_S = 0.25  # as in [visits]


class Scene:
    """Animals in turn with nothing between, the same for every viewer of the stream; notes when frames were sent.

    Args:
        height_px: of the frames, which are 16:9.
    """

    def __init__(self, height_px: int = 1080) -> None:
        entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
        animals = {entry["expected"]: _jpeg(entry["file"], height_px) for entry in entries if entry["kind"] == "animal"}
        self.pictures = list(animals.values())
        self._empty = _jpeg(next(entry["file"] for entry in entries if entry["kind"] == "empty"), height_px)
        self._animals = list(animals.items())
        self._started_s = time.monotonic()
        self.sent: dict[int, list[float]] = {}  # by the number of the appearance
        self.count = 0  # frames so far
        self.blind: list[tuple[float, float]] = []  # when no frame was taken: visits at such a time have no age

    def frames(self) -> Iterator[bytes]:
        """Yield JPEG files without end."""
        while True:
            self.count += 1
            number, at_s = divmod(time.monotonic() - self._started_s, _ANIMAL_S + _EMPTY_S)
            if at_s < _ANIMAL_S:
                self.sent.setdefault(int(number), []).append(time.monotonic())
                yield self._animals[int(number) % len(self._animals)][1]
            else:
                yield self._empty

    def ages(self, label: str, heard_s: float) -> tuple[float, float] | None:
        """Return how old the first frame is, and the third that can vote; None unless that animal was seen whole."""
        number = int((heard_s - self._started_s) // (_ANIMAL_S + _EMPTY_S))
        sent = self.sent.get(number, [])
        if self._animals[number % len(self._animals)][0] != label or not sent:
            return None
        if any(end_s > sent[0] and start_s < heard_s for start_s, end_s in self.blind):
            return None
        votes = [sent[0]]
        for moment in sent[1:]:
            if len(votes) < 3 and moment >= votes[-1] + _VOTE_SPACING_S:
                votes.append(moment)
        return heard_s - sent[0], heard_s - votes[-1]


def _jpeg(name: str, height_px: int) -> bytes:
    image = cv2.imread(str(DEMO_FRAMES / name))
    if image is None:
        raise ValueError(f"{name} cannot be read")
    size = (height_px * 16 // 9, height_px)
    return bytes(cv2.imencode(".jpg", cv2.resize(image, size), [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


class Person:
    """One viewer with a separate address: the current picture, the status, and lists with their thumbnails."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._number = port, number
        self._ending = threading.Event()
        self._seen: set[str] = set()
        self.pictures = self.lists = self.refused = 0
        self._threads = [threading.Thread(target=work) for work in (self._follow, self._report, self._look)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Leave."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, 20, (f"127.0.1.{self._number + 1}", 0))

    def _follow(self) -> None:
        connection, after = self._connect(), -1
        while not self._ending.wait(0.08):
            answer, _ = get(connection, f"/frame.jpg?viewer=v{self._number}&after={after}&small=1")
            if answer.status == 200:
                self.pictures += 1
                after = json.loads(answer.headers["X-Trailcam"])["sequence"]
            else:
                self.refused += answer.status != 204

    def _report(self) -> None:
        connection = self._connect()
        while not self._ending.wait(3.0):
            for path in ("/status.json", "/state.json"):
                get(connection, path)

    def _look(self) -> None:
        connection, chance = self._connect(), random.Random(self._number)  # noqa: S311 - the same people every time
        address = "/visits"
        while not self._ending.wait(chance.uniform(3, 7)):
            text = get(connection, address)[1].decode()
            self.lists += 1
            for path in re.findall(r'src="(/thumbs/[^"]+)"', text)[:8]:
                if path not in self._seen and not self._ending.is_set():
                    self._seen.add(path)
                    get(connection, path)
            older = re.search(r"/visits\?before=\d+", text)
            address = older[0] if older and chance.random() < 0.7 else "/visits"


class Crowd:
    """Several people in a separate process, so that they delay the camera of the measurement as little as possible.

    Args:
        port: of the page.
        number: of the people.
    """

    def __init__(self, port: int, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_crowd, args=(port, number, there))
        self._process.start()
        self._here.recv()  # they are there

    def close(self) -> dict[str, int]:
        """Let them leave; return what they got: pictures, lists, refusals."""
        self._here.send(None)
        got: dict[str, int] = self._here.recv()
        self._process.join()
        return got


def _crowd(port: int, number: int, there: "Connection") -> None:
    people = [Person(port, place) for place in range(number)]
    there.send(None)
    there.recv()
    for person in people:
        person.close()
    there.send({name: sum(getattr(person, name) for person in people) for name in ("pictures", "lists", "refused")})


def get(connection: http.client.HTTPConnection, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    """Return the answer to a request with the token, and its content."""
    connection.request("GET", path, headers=LOGIN)
    answer = connection.getresponse()
    return answer, answer.read()
