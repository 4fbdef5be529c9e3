"""End long work cleanly when somebody asks: Ctrl-C, or the service manager's SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "stop_on_signals"]


class Stop:
    """``event`` is set when the work should end; ``interrupted`` says that it was Ctrl-C."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.interrupted = False


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Give a ``Stop`` that SIGINT and SIGTERM set; a second one acts as usual, for work that does not end.

    Outside of the main thread Python takes no signals, so there nothing sets it.
    """
    stop = Stop()
    former: dict[int, signal.Handlers | int | None] = {}

    def end(number: int, _frame: FrameType | None) -> None:
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


def _restore(former: dict[int, signal.Handlers | int | None]) -> None:
    for number, handler in former.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    former.clear()
