"""The capture thread by itself; ``test_watch.py`` has it at work."""

import itertools
import time
from typing import Any

from trailcam_edge.camera.capture_thread import CaptureThread
from trailcam_edge.camera.latest_frame import LatestFrame
from trailcam_edge.camera.settings import RecoverySettings

from .. import live_fakes as fakes


def capture_of(script: Any, slot: LatestFrame, **waits: float) -> CaptureThread:
    settings = RecoverySettings(**({"stall_s": 0.2, "first_wait_s": 0.01, "longest_wait_s": 0.04} | waits))
    source = fakes.ScriptedSource(script)
    thread = CaptureThread(source, lambda: fakes.ScriptedSource(script), slot, settings, fakes.SteadyClock())
    thread.start()
    return thread


def wait_for_end(slot: LatestFrame) -> None:
    deadline_s = time.monotonic() + 10
    while not slot.ended and time.monotonic() < deadline_s:
        slot.take(0.05)


def test_back_off_doubles_up_to_its_limit_and_starts_anew_after_a_frame() -> None:
    attempts_s: list[float] = []

    def script() -> Any:
        attempts_s.append(time.monotonic())
        if len(attempts_s) in (1, 6):
            yield "red"
        if len(attempts_s) < 8:
            yield fakes.LOST

    slot = LatestFrame()
    thread = capture_of(script, slot)
    wait_for_end(slot)
    thread.stop()
    waits_s = [after - before for before, after in itertools.pairwise(attempts_s)]
    expected_s = [0.01, 0.02, 0.04, 0.04, 0.04, 0.01, 0.02]
    assert len(waits_s) == len(expected_s)
    assert all(wait >= least for wait, least in zip(waits_s, expected_s, strict=True))
    assert waits_s[5] < waits_s[4] + 0.02


def test_back_off_never_waits_longer_than_its_limit() -> None:
    attempts_s: list[float] = []

    def script() -> Any:
        attempts_s.append(time.monotonic())
        if len(attempts_s) == 1:
            yield "red"
        if len(attempts_s) < 10:
            yield fakes.LOST

    slot = LatestFrame()
    thread = capture_of(script, slot, first_wait_s=0.01, longest_wait_s=0.02)
    wait_for_end(slot)
    thread.stop()
    assert len(attempts_s) == 10
    # without the limit the last wait would be 2.56 s; the bound leaves room for a machine that is busy
    assert max(after - before for before, after in itertools.pairwise(attempts_s)) < 1.0


def test_a_frame_of_a_lost_source_does_not_wait_for_the_next_reader() -> None:
    slot = LatestFrame()
    thread = capture_of(lambda: iter(["red", fakes.LOST]), slot, first_wait_s=0.5, longest_wait_s=0.5)
    time.sleep(0.2)
    assert slot.take(0) is None
    blind = thread.blind_now()
    assert blind is not None
    assert blind.reason == "source lost"
    thread.stop()


def test_blind_times_are_told_once() -> None:
    slot = LatestFrame()
    thread = capture_of(lambda: iter(["red", 0.4, "red"]), slot)
    wait_for_end(slot)
    assert len(thread.take_blind_times()) == 1
    assert thread.take_blind_times() == ()
    thread.stop()


def test_a_camera_that_hung_and_hands_on_an_old_picture_was_blind_until_then() -> None:
    slot = LatestFrame()
    settings = RecoverySettings(stall_s=0.2, first_wait_s=0.01, longest_wait_s=0.04)
    source = fakes.ScriptedSource(lambda: iter(["red", 0.4, "red"]), step_s=0.01)  # exposed before it hung
    thread = CaptureThread(source, lambda: source, slot, settings, fakes.SteadyClock())
    thread.start()
    wait_for_end(slot)
    (blind,) = thread.take_blind_times()
    assert blind.ended.monotonic_s - blind.started.monotonic_s >= 0.4
    thread.stop()


def test_a_source_that_delivers_is_not_blind() -> None:
    slot = LatestFrame()
    thread = capture_of(lambda: iter(["red", 0.05] * 10), slot)
    slot.take(1)
    assert thread.blind_now() is None
    thread.stop()
    assert thread.error is None
