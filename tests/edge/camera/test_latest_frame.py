"""The newest frame, and nothing older."""

import threading
import time
from collections.abc import Callable

import numpy as np

from trailcam_edge.camera.latest_frame import LatestFrame
from trailcam_edge.sources import Frame
from trailcam_edge.sources.pixels import PackedPixels

PIXELS = PackedPixels(np.zeros((4, 4, 3), np.uint8), "RGB")


def frame(sequence: int, give_back: Callable[[], None] = lambda: None) -> Frame:
    return Frame(PIXELS, time.monotonic(), sequence, str(sequence), give_back=give_back)


def test_only_the_newest_frame_is_handed_out_and_only_once() -> None:
    slot = LatestFrame()
    returned: list[int] = []
    for sequence in range(3):
        slot.put(frame(sequence, lambda number=sequence: returned.append(number)))  # type: ignore[misc]
    taken = slot.take(0)
    assert taken is not None
    assert taken.sequence == 2
    assert slot.take(0) is None
    assert slot.dropped == 2
    assert returned == [0, 1]


def test_a_waiting_reader_is_woken_by_a_frame_and_by_the_end() -> None:
    slot = LatestFrame()
    for wake in (lambda: slot.put(frame(7)), slot.end):
        timer = threading.Timer(0.05, wake)
        timer.start()
        started_s = time.monotonic()
        taken = slot.take(10)
        assert time.monotonic() - started_s < 5
        timer.join()
        assert taken is None or taken.sequence == 7


def test_the_last_frame_may_be_taken_after_the_end() -> None:
    slot = LatestFrame()
    slot.put(frame(1))
    slot.end()
    assert not slot.ended
    assert slot.take(0) is not None
    assert slot.ended


def test_a_frame_whose_camera_closes_is_given_back() -> None:
    slot = LatestFrame()
    returned: list[bool] = []
    slot.put(frame(1, lambda: returned.append(True)))
    slot.discard()
    slot.discard()
    assert returned == [True]
    assert slot.take(0) is None


def test_with_a_camera_and_a_reader_at_full_speed_no_frame_is_lost_count_of() -> None:
    slot = LatestFrame()
    returned: list[int] = []

    def camera() -> None:
        for sequence in range(5000):
            slot.put(frame(sequence, lambda number=sequence: returned.append(number)))  # type: ignore[misc]
        slot.end()

    thread = threading.Thread(target=camera)
    thread.start()
    taken: list[int] = []
    while not slot.ended:
        found = slot.take(1)
        if found is not None:
            taken.append(found.sequence)
    thread.join()
    assert taken == sorted(set(taken))
    assert taken[-1] == 4999
    assert sorted(taken + returned) == list(range(5000))
    assert slot.dropped == len(returned)
