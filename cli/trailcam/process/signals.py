"""End long work cleanly on Ctrl-C or on the SIGTERM of the service manager."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """``event`` is set when the work should end, ``asked`` if by a signal, ``interrupted`` if by Ctrl-C."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.asked = False
        self.interrupted = False

    def start_again(self) -> bool:
        """Clear an ``event`` that the work itself has set; return False if a signal asks for the end as well."""
        self.event.clear()
        if self.asked:  # checked after clearing: a signal in between is not lost
            self.event.set()
        return not self.asked


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Yield a ``Stop`` that SIGINT and SIGTERM set. A second signal has its usual effect.

    Outside of the main thread Python takes no signals, so nothing sets it there.
    """
    stop = Stop()
    former: dict[int, signal.Handlers | int | None] = {}

    def end(number: int, _frame: FrameType | None) -> None:
        stop.asked = True
        stop.interrupted = stop.interrupted or number == signal.SIGINT
        _set_beside(stop.event)
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
    """Yield an event that SIGHUP sets, the request to reload the configuration."""
    event = threading.Event()
    former: dict[int, signal.Handlers | int | None] = {}
    if threading.current_thread() is threading.main_thread():
        former[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: _set_beside(event))  # type: ignore[assignment]
    try:
        yield event
    finally:
        _restore(former)


def _set_beside(event: threading.Event) -> None:
    """Set an event from the handler of a signal.

    ``Event.set`` takes a lock that the interrupted thread may hold, in ``Event.wait``: a handler that waited for it
    would never return. So another thread waits. It is begun without ``threading.Thread``, whose start takes locks too.
    """
    try:
        _thread.start_new_thread(event.set, ())
    except RuntimeError:  # the machine allows no more threads; the lock is nearly always free
        event.set()


def _restore(former: dict[int, signal.Handlers | int | None]) -> None:
    for number, handler in former.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    former.clear()
