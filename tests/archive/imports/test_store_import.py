"""What people have corrected on the page becomes training data; visits without a review do not."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trailcam.main import main
from trailcam_archive.imports.sample import Sample
from trailcam_archive.imports.sources import read_source
from trailcam_core.images.boxes import Box
from trailcam_edge.events import Moment, PictureSample, Visit
from trailcam_edge.store.event_store import EventStore
from trailcam_edge.store.reviews.records import NewReview, Verdict
from trailcam_edge.store.settings import StoreSettings

START = datetime(2026, 6, 1, 23, tzinfo=UTC)
BOX = Box(0.25, 0.25, 0.5, 0.5)


def _visit(number: int, label: str, has_picture: bool = True) -> Visit:
    """Make the visit of an hour."""

    def moment(second: float) -> Moment:
        return Moment(second, START + timedelta(seconds=second), "boot")

    return Visit(
        visit_id=f"v{number}",
        label=label,
        started=moment(3600.0 * number),
        ended=moment(3600.0 * number + 5),
        confidence=0.9,
        votes=3,
        frames=5,
        best_frame=np.full((300, 400, 3), 10 * number, np.uint8) if has_picture else None,
        bundle="tiny 1.0.0",
        latency_ms=9.0,
        box=BOX,
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "oak"
    events = EventStore(StoreSettings(folder=folder, min_free_bytes=0))
    labels = ["fox", "fox", "fox", "fox", "fox", "unknown", "fox", "person"]
    for number, label in enumerate(labels):
        events.add_visit(_visit(number, label, has_picture=number != 6))

    def review(number: int, verdict: Verdict, label: str | None = None, reviewer: str = "Jo") -> None:
        events.add_reviews([NewReview(f"v{number}", reviewer, verdict, label, "list", "a test")], None)

    review(0, "confirmed")
    review(1, "label", "badger")
    review(2, "nothing")
    review(3, "wrong")
    review(5, "confirmed")  # unknown it stays
    review(6, "confirmed")  # its picture is gone
    review(7, "confirmed")
    events.close()
    return folder


def test_only_what_was_reviewed_and_has_a_picture_is_taken(store: Path) -> None:
    assert list(read_source(store, None)) == [
        Sample(f"{store}/pictures/v0.jpg", "fox", "oak-2026-06-01", BOX),
        Sample(f"{store}/pictures/v1.jpg", "badger", "oak-2026-06-02", BOX),
        Sample(f"{store}/pictures/v2.jpg", None, "oak-2026-06-02"),
    ]


def test_a_data_set_is_made_of_it(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert main(["data", "import", str(store), "--out", str(data)]) == 0
    assert sorted(str(path.relative_to(data).parent) for path in data.rglob("*.jpg")) == [
        "negatives/scenes/oak-2026-06-02",
        "photos/badger/oak-2026-06-02",
        "photos/fox/oak-2026-06-01",
    ]
    assert main(["data", "import", str(store), "--out", str(data)]) == 0
    assert "3 were imported before" in capsys.readouterr().out
    with open(data / "import.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["review"] for row in rows}) == 3
    assert all(len(row["review"]) == 64 for row in rows)


def test_a_store_without_reviews_gives_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    EventStore(StoreSettings(tmp_path / "new", min_free_bytes=0)).close()
    assert main(["data", "import", str(tmp_path / "new"), "--out", str(tmp_path / "data")]) == 1
    printed = capsys.readouterr()
    assert "Train on it" not in printed.out
    assert 'imported once they are reviewed: "trailcam review STORE"' in printed.err


def test_the_list_of_an_earlier_release_gets_the_column_of_reviews(store: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "import.csv").write_text("file,label,group,source,box,confidence\ngone.jpg,Fox,g,s,,1\n")

    assert main(["data", "import", str(store), "--out", str(data)]) == 0

    with open(data / "import.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["file"], rows[0]["review"], len(rows)) == ("gone.jpg", "", 4)
    assert all(row["review"] and None not in row for row in rows[1:])


def test_reviewed_moments_without_a_visit_are_empty_scenes_or_missed_animals(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = EventStore(StoreSettings(folder=store, min_free_bytes=0))
    answers: list[tuple[str, Verdict, str | None, Box | None]] = [
        ("s1", "nothing", None, None),
        ("s2", "label", "lynx", None),
        ("s3", "label", "lynx", BOX),
        ("s4", "wrong", None, None),
        ("s5", "label", "person", None),
    ]
    for number, (name, verdict, label, box) in enumerate(answers):
        picture = np.full((300, 400, 3), 100 + number, np.uint8)
        taken = Moment(50.0, START + timedelta(seconds=50), "boot")
        events.add_sample(PictureSample(name, "quiet", taken, picture, "tiny 1.0.0", 24.0, None, box))
        events.add_reviews([NewReview(name, "Jo", verdict, label, "quiet", "a test")], None)
    events.close()
    group = "oak-2026-06-01"
    assert list(read_source(store, None))[3:] == [
        Sample(f"{store}/pictures/s1.jpg", None, group),
        Sample(f"{store}/pictures/s2.jpg", "lynx", group, is_placed=False),
        Sample(f"{store}/pictures/s3.jpg", "lynx", group, BOX),
    ]
    data = tmp_path / "data"
    assert main(["data", "import", str(store), "--out", str(data)]) == 0
    assert "1 missed animals are somewhere in a frame" in capsys.readouterr().out
    before = sorted(data.rglob("*.jpg"))
    assert len(list((data / "missed" / "lynx" / group).iterdir())) == 1
    assert len(list((data / "photos" / "lynx" / group).iterdir())) == 1
    assert main(["data", "import", str(store), "--out", str(data)]) == 0
    assert sorted(data.rglob("*.jpg")) == before, "the same store twice adds nothing"
