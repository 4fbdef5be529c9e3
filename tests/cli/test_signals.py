"""Signals that arrive at a bad moment. Each case is a process, which a fault would stop for ever."""

import subprocess
import sys

import pytest

LOCKED = """
import os, signal, time
from trailcam.process.signals import hangups, stop_on_signals

with stop_on_signals() as stop, hangups() as hangup:
    event = hangup if {number} == signal.SIGHUP else stop.event
    with event._cond:  # as the main thread holds it for a moment in Event.wait, when it waits for its turn to run
        os.kill(os.getpid(), {number})
        time.sleep(0.01)
    assert event.wait(20)
    assert {number} == signal.SIGHUP or stop.asked
print("set")
"""


@pytest.mark.parametrize("number", [1, 2, 15])
def test_a_signal_while_its_event_is_locked_is_not_lost_and_locks_nothing_up(number: int) -> None:
    script = LOCKED.format(number=number)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("set\n", "")


def test_a_wait_for_a_signal_ends() -> None:
    script = (
        "import os, signal, threading\n"
        "from trailcam.process.signals import stop_on_signals\n"
        "with stop_on_signals() as stop:\n"
        "    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "    print(stop.event.wait(20), stop.interrupted)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == "True False\n"
