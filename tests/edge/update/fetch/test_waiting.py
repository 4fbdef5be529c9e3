"""Calls that return in time, fail, or do not come back."""

import threading

import pytest

from trailcam_edge.update.fetch.waiting import LateError, within


def test_a_call_that_returns_in_time_gives_its_result() -> None:
    assert within(5, lambda: 3) == 3
    assert within(5, lambda: None) is None


def test_the_error_of_a_call_is_that_of_the_caller() -> None:
    def fail() -> None:
        raise OSError("the line is cut")

    with pytest.raises(OSError, match="the line is cut"):
        within(5, fail)


@pytest.mark.parametrize("limit_s", [0.05, 0.0, -1.0])
def test_a_call_that_does_not_come_back_is_left_alone(limit_s: float) -> None:
    end = threading.Event()
    with pytest.raises(LateError):
        within(limit_s, end.wait)
    end.set()
