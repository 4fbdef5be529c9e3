"""End long work cleanly when somebody asks: Ctrl-C, or the service manager's SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "hangups", "stop_on_signals"]


class Stop:
    """``event`` is set when the work should end; ``asked`` says by a signal, ``interrupted`` that it was Ctrl-C."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.asked = False
        self.interrupted = False

    def start_again(self) -> bool:
        """Take back an ``event`` that the work itself has set; False if a signal wants the end as well."""
        self.event.clear()
        if self.asked:  # looked at after clearing: a signal in between is not lost
            self.event.set()
        return not self.asked


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Give a ``Stop`` that SIGINT and SIGTERM set; a second one acts as usual, for work that does not end.

    Outside of the main thread Python takes no signals, so there nothing sets it.
    """
    stop = Stop()
    former: dict[int, signal.Handlers | int | None] = {}

    def end(number: int, _frame: FrameType | None) -> None:
        stop.asked = True
        stop.interrupted = stop.interrupted or number == signal.SIGINT
        stop.event.set()
        _restore(former)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            former[number] = signal.signal(number, end)  # type: ignore[assignment]
    try:
        yield stop
    finally:
        _restore(former)


@contextmanager
def hangups() -> Iterator[threading.Event]:
    """Give an event that SIGHUP sets: read the configuration again."""
    event = threading.Event()
    former: dict[int, signal.Handlers | int | None] = {}
    if threading.current_thread() is threading.main_thread():
        former[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: event.set())  # type: ignore[assignment]
    try:
        yield event
    finally:
        _restore(former)


def _restore(former: dict[int, signal.Handlers | int | None]) -> None:
    for number, handler in former.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    former.clear()
