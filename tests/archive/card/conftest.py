"""Cards of coloured animals, and a model that names colours."""

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from trailcam_archive.card import read_ahead
from trailcam_archive.card.decode_worker import read_photograph
from trailcam_archive.card.read_card import CardReader
from trailcam_archive.card.settings import CardSettings
from trailcam_archive.card.stations import StationTable
from trailcam_archive.times.clock import CameraClock, read_zone
from trailcam_core.classifier import Classification
from trailcam_core.inference.decision import decide
from trailcam_core.spec import InputSpec, OutputSpec
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.records import EventRecord, iso_time
from trailcam_edge.store.settings import StoreSettings

COLOURS = {"fox": (220, 40, 40), "frog": (40, 200, 40), "jay": (40, 60, 220)}
LABELS = (*COLOURS, "nothing")
SIZE = (240, 320)  # height and width
DAY = datetime(2012, 6, 9, 14, 0, 0)
CARD_VISITS = sorted(  # of the fixture ``card``
    [
        ("oak", "fox", "2012-06-09T14:00:00.000Z", 2.0),
        ("oak", "jay", "2012-06-09T14:05:00.000Z", 2.0),
        ("elm", "nothing", "2012-06-09T14:00:00.000Z", 2.0),
        ("elm", "frog", None, 0.0),  # alone, so the whole photograph is classified
    ],
    key=str,
)


class ColourClassifier:
    """Names the colour that fills most of a crop; grey is nothing."""

    def __init__(self, name: str = "colours 1.0.0") -> None:
        self.name = name
        self.input = InputSpec(32, 32, "stretch")
        self.output = OutputSpec(LABELS, temperature=1.0, reject=None)
        self.looks = 0

    def logits_of_input(self, fitted: Any) -> Any:
        """Return logits that grow with the share of each colour."""
        self.looks += 1
        shares = []
        for colour in COLOURS.values():
            distance = np.abs(fitted.astype(int) - np.array(colour)).max(axis=-1)
            shares.append(float(np.mean(distance < 60)))
        return np.array([*(120 * share for share in shares), 2.0], np.float32)

    def classify_input(self, fitted: Any, top_count: int = 3, start_s: float | None = None) -> Classification:
        """Return the answer for a picture of the size of the input."""
        return self.answer(self.logits_of_input(fitted), top_count)

    def answer(self, logits: Any, top_count: int = 3, start_s: float | None = None) -> Classification:
        """Return the answer for logits."""
        found = decide(logits, self.output, top_count, None)
        return Classification(found.label, found.confidence, found.top, 1.0, found.blank)


def scene(animal: str | None = None, left: int = 40) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return a grey scene, (H, W, 3) uint8 RGB, with a square of 60 px in the colour of an animal."""
    noise = np.random.default_rng(3).integers(100, 140, (*SIZE, 3), dtype=np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    if animal is not None:
        image[120:180, left : left + 60] = COLOURS[animal]
    return image


def photograph(path: Path, time: datetime | None, animal: str | None = None, left: int = 40) -> Path:
    """Write a JPEG with DateTimeOriginal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if time is not None:
        exif.get_ifd(0x8769)[0x9003] = time.strftime("%Y:%m:%d %H:%M:%S")
    file = io.BytesIO()
    picture = scene(animal, left)
    picture[:8, :8] = np.frombuffer(path.name.encode().ljust(192, b"."), np.uint8)[:192].reshape(8, 8, 3)  # no copies
    Image.fromarray(picture).save(file, "JPEG", quality=95, exif=exif)
    path.write_bytes(file.getvalue())
    return path


def clip(path: Path, animal: str | None, seconds: int = 6, rate_hz: int = 10, time: datetime | None = None) -> Path:
    """Write a clip: still for two seconds, then an animal walks through; IDIT states its time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, SIZE[::-1])
    for number in range(seconds * rate_hz):
        walked = number - 2 * rate_hz
        image = scene(animal if walked >= 0 else None, min(10 + 5 * max(walked, 0), 250))
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    if time is not None:
        _state_time(path, time)
    return path


def _state_time(path: Path, time: datetime) -> None:
    content = bytearray(path.read_bytes())
    text = time.strftime("%a %b %d %H:%M:%S %Y\n").encode() + b"\0"
    chunk = b"IDIT" + len(text).to_bytes(4, "little") + text
    size = int.from_bytes(content[16:20], "little")
    content[20 + size : 20 + size] = chunk
    content[16:20] = (size + len(chunk)).to_bytes(4, "little")
    content[4:8] = (int.from_bytes(content[4:8], "little") + len(chunk)).to_bytes(4, "little")
    path.write_bytes(content)


class _InProcess:
    """Decodes in this process: a test of the rules needs no other one."""

    def read(self, path: Path) -> Any:
        """Return a photograph."""
        return read_photograph(path)

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def decode_in_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in this process, unless the test is about the process of the decoder."""
    if "decoder" not in request.node.name:
        monkeypatch.setattr(read_ahead, "DecodeProcess", _InProcess)


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[], EventStore]]:
    """Return a function that opens the store of the test; it is closed at the end."""
    opened: list[EventStore] = []

    def open_one() -> EventStore:
        for store in opened:
            store.close()
        opened[:] = [EventStore(StoreSettings(tmp_path / "store", max_bytes=4_000_000_000, min_free_bytes=0))]
        return opened[0]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def reader_of(open_store: Callable[[], EventStore]) -> Callable[..., CardReader]:
    """Return a function that makes a reader of a card."""

    def make(card: Path, **more: Any) -> CardReader:
        clock = more.pop("clock", CameraClock(read_zone("UTC")))
        classifier = more.pop("classifier", None) or ColourClassifier()
        stations = more.pop("stations", None) or StationTable(card.name)
        stop = more.pop("stop", None)
        store = more.pop("store", None) or open_store()
        return CardReader(store, classifier, stations, clock, CardSettings(**more), stop)

    return make


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Two stations: at the oak a fox walks through a burst, then a jay; at the elm an empty burst, and a frog alone."""
    folder = tmp_path / "card"
    for number, left in enumerate((20, 120, 220)):
        photograph(folder / f"oak/DCIM/100TEST/{number}.jpg", DAY + timedelta(seconds=number), "fox", left)
    for number in range(3):
        jay = DAY + timedelta(minutes=5, seconds=number)
        photograph(folder / f"oak/DCIM/100TEST/{number + 3}.jpg", jay, "jay", 30 + 80 * number)
        photograph(folder / f"elm/{number}.jpg", DAY + timedelta(hours=number // 3, seconds=number))
    photograph(folder / "elm/9.jpg", None, "frog")
    return folder


def events_of(tmp_path: Path) -> list[EventRecord]:
    """Return the visits in the store of a test."""
    with open_reader(tmp_path / "store") as reader:
        return list(reader.events())


def short(events: list[EventRecord]) -> list[tuple[str | None, str, str | None, float]]:
    """Return station, label, start and duration of each visit, in order."""
    return sorted(
        ((each.station, each.label, iso_time(each.started.unix_s), each.duration_s) for each in events), key=str
    )
