"""Handle SIGTERM and SIGHUP like Ctrl-C, so that an interrupted program keeps its figures."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "interrupted"  # ``cut`` of a result after Ctrl-C, SIGTERM or SIGHUP
UNFINISHED = "not finished"  # ``cut`` of a result that was written during a run


@contextmanager
def interruptions() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` in the block when SIGTERM or SIGHUP arrives for the first time.

    A second SIGTERM acts as usual, for work that does not end. A second SIGHUP is ignored, since a terminal that is
    closed sends one and its shell another. An ignored SIGHUP, as under ``nohup``, stays ignored. Outside of the main
    thread, where Python handles no signals, nothing changes.
    """
    former: dict[int, signal.Handlers | int | None] = {}

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, _or_default(former[signal.SIGTERM]))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            former[number] = signal.getsignal(number)  # type: ignore[assignment]
            if number != signal.SIGHUP or former[number] != signal.SIG_IGN:
                signal.signal(number, interrupt)
    try:
        yield
    finally:
        for changed, handler in former.items():
            signal.signal(changed, _or_default(handler))


def _or_default(handler: signal.Handlers | int | None) -> signal.Handlers | int:
    return signal.SIG_DFL if handler is None else handler
