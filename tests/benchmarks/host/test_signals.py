"""Signals that end a program: one interrupts, so that what was measured is kept."""

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from trailcam_benchmarks.host.signals import interruptions


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """What arrives at the handlers that stood before."""
    found: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        found.append(number)

    former = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield found
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_and_the_handlers_are_put_back(number: int, seen: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), interruptions():
        os.kill(os.getpid(), number)
    assert seen == []
    os.kill(os.getpid(), number)
    assert seen == [number]


def test_a_second_hangup_is_ignored_and_a_second_term_acts_as_usual(seen: list[int]) -> None:
    with interruptions():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert seen == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGTERM]


def test_under_nohup_a_hangup_stays_ignored(seen: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptions():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert seen == []
