"""Waiting for a machine that has something else to do."""

import pytest

from trailcam_benchmarks.host.idle import is_busy, wait_until_idle
from trailcam_benchmarks.host.machine import Condition


def condition(load: float | None) -> Condition:
    return Condition(None, None, None, load)


@pytest.mark.parametrize(("load", "busy"), [(0.6, False), (0.61, True), (1.86, True), (None, False)])
def test_two_cores_are_busy_above_a_load_of_six_tenths(load: float | None, busy: bool) -> None:
    assert is_busy(condition(load), 2) == busy


@pytest.mark.parametrize(
    ("loads", "last", "rested_s"),
    [((1.9, 1.2, 0.5), 0.5, 10.0), ((0.1,), 0.1, 0.0), ((1.9,) * 9, 1.9, 20.0), ((None,), None, 0.0)],
)
def test_a_busy_machine_is_waited_for_up_to_the_limit(
    loads: tuple[float | None, ...], last: float | None, rested_s: float
) -> None:
    left, rested = list(loads), []
    found = wait_until_idle(2, 20.0, lambda: condition(left.pop(0)), rested.append)
    assert found.load == last
    assert sum(rested) == rested_s
