"""The ring: bounded in seconds and bytes, and every cut can be decoded."""

from dataclasses import replace

import pytest

from trailcam_edge.clips.ring import H264, ClipFrame, Ring

FOREVER = 1e9


def frame(at_s: float, size_bytes: int = 10, kind: str = "jpeg", is_key: bool = True) -> ClipFrame:
    return ClipFrame(at_s, bytes(size_bytes), (4, 4), kind, is_key)


def times(frames: tuple[ClipFrame, ...]) -> list[float]:
    return [each.at_s for each in frames]


def test_frames_older_than_the_span_go_unless_a_clip_needs_them() -> None:
    ring = Ring(3.0, 1000)
    for second in range(6):
        ring.add(frame(second))
    assert times(ring.between(0, FOREVER)) == [2, 3, 4, 5]
    for second in range(6, 12):
        ring.add(frame(second), keep_from=4)
    assert times(ring.between(0, FOREVER)) == [4, 5, 6, 7, 8, 9, 10, 11]


def test_the_bytes_are_a_limit_that_nothing_passes() -> None:
    ring = Ring(FOREVER, 100)
    for second in range(50):
        ring.add(frame(second), keep_from=0)
        assert ring.size_bytes <= 100
    assert times(ring.between(0, FOREVER)) == list(range(40, 50))
    ring.add(frame(50, 500))
    assert times(ring.between(0, FOREVER)) == [50]  # one alone is kept, of any size


def test_time_that_goes_backwards_is_left_out() -> None:
    ring = Ring(10, 1000)
    for at_s in (5.0, 4.0, 5.0, 6.0):
        ring.add(frame(at_s))
    assert times(ring.between(0, FOREVER)) == [5, 6]


def test_one_time_far_in_the_future_does_not_end_the_clips() -> None:
    ring = Ring(3.0, 1000)
    for at_s in (5.0, 6.0, 1e8, 7.0, 8.0, 5.0):
        ring.add(frame(at_s))
    assert times(ring.between(0, FOREVER)) == [7, 8]
    assert ring.size_bytes == 20


@pytest.mark.parametrize(
    ("first_s", "last_s", "expected"),
    [(2.5, 5, [2, 3, 4, 5]), (4, 5, [4, 5]), (0, 3, [2, 3]), (6, 9, []), (0, 1, [])],
)
def test_h264_begins_with_a_key_frame(first_s: float, last_s: float, expected: list[float]) -> None:
    ring = Ring(FOREVER, 1000)
    for second in (1, 2, 3, 4, 5):
        ring.add(frame(second, kind=H264, is_key=second in (2, 4)))
    assert times(ring.between(first_s, last_s)) == expected


def test_frames_of_another_stream_drop_the_former_ones() -> None:
    ring = Ring(FOREVER, 1000)
    ring.add(frame(1))
    ring.add(replace(frame(2), kind=H264))
    assert times(ring.between(0, FOREVER)) == [2]
    assert ring.size_bytes == 10
