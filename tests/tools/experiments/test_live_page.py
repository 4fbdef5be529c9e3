"""Parts of the measurement of the live page: the large store, and the ages of what is heard."""

from pathlib import Path

import pytest

from trailcam_edge.store.reader import open_reader
from trailcam_project.experiments.large_store import make_large_store
from trailcam_project.experiments.page_people import Scene


def test_a_large_store_is_sound_and_its_newest_visits_have_pictures(tmp_path: Path) -> None:
    make_large_store(tmp_path / "store", 400, [b"one", b"three"], with_picture=3, unreviewed=10)
    with open_reader(tmp_path / "store") as reader:
        events = list(reader.events())
        assert reader.damaged_rows == 0
        assert reader.connection.execute("SELECT count(*) FROM visits WHERE reviewed = 0").fetchone() == (10,)
    assert len(events) == 400
    pictures = [event.picture for event in events if event.picture is not None]
    assert pictures == [event.picture for event in events[397:]]
    contents = [(tmp_path / "store" / path).read_bytes() for path in pictures]
    assert contents == [b"one", b"three", b"one"]
    times = [event.started.unix_s for event in events]
    assert None not in times
    assert times == sorted(times, key=lambda unix_s: unix_s or 0)


def test_an_age_counts_from_the_first_frame_and_from_the_third_that_can_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    scene = Scene()
    frames = scene.frames()
    for number in range(10):
        now_s[0] = 100.0 + 0.2 * number
        next(frames)
    assert scene.ages("butterfly", 101.0) == pytest.approx((1.0, 0.2))  # votes at 0, 0.4 and 0.8 s
    assert scene.ages("dog", 101.0) is None
    scene.blind.append((99.0, 100.1))
    assert scene.ages("butterfly", 101.0) is None
