"""The effort that a recorder notes: now and then, at its end, and in a store that replaces a damaged one."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.recorder import Recorder

from ..conftest import MakeVisit, moment_at
from .conftest import QUICK, MoodyStore, damage, wait_until


def test_effort_is_written_now_and_then_and_a_new_bundle_begins_a_new_watch(
    start: Callable[..., Recorder], tmp_path: Path
) -> None:
    recorder = start()
    for second in range(25):
        recorder.heartbeat(moment_at(second), "tiny-1.0.0" if second < 12 else "tiny-2.0.0", second)
        time.sleep(0.001)
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        watches = list(reader.watches())
    assert watches[-1].bundle == "tiny-2.0.0"
    assert watches[-1].frames == 24


def test_effort_since_the_last_note_is_written_when_it_is_closed(
    start: Callable[..., Recorder], tmp_path: Path
) -> None:
    noted = threading.Event()
    recorder = start()
    recorder.subscribe(noted.set)
    recorder.heartbeat(moment_at(0), "tiny-1.0.0", 1)
    assert noted.wait(10)
    recorder.heartbeat(moment_at(QUICK.heartbeat_s - 0.5), "tiny-1.0.0", 95)  # not due yet
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        (watch,) = reader.watches()
    assert (watch.frames, watch.ended.unix_s) == (95, moment_at(QUICK.heartbeat_s - 0.5).wall.timestamp())


def test_effort_goes_on_in_the_store_that_replaces_a_damaged_one(
    start: Callable[..., Recorder], make_visit: MakeVisit, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = start()
    recorder.heartbeat(moment_at(0), "tiny-1.0.0", 1)
    recorder.visit(make_visit(0))
    wait_until(lambda: recorder.health().stored == 1)
    damage(recorder, tmp_path)
    recorder.visit(make_visit(1))
    wait_until(lambda: any("set aside" in report for report in caplog.messages))
    MoodyStore.trouble = None
    recorder.heartbeat(moment_at(5), "tiny-1.0.0", 50)
    assert recorder.close()
    with open_reader(tmp_path / "store") as reader:
        (watch,) = reader.watches()
        assert [event.visit_id for event in reader.events()] == ["boot-0-00001"]
    assert (watch.bundle, watch.frames, watch.ended.unix_s) == ("tiny-1.0.0", 50, moment_at(5).wall.timestamp())
