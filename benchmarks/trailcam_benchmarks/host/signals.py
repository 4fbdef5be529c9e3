"""Let a program that is asked to end keep what it has: SIGTERM and SIGHUP do what Ctrl-C does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "UNFINISHED", "interruptions"]

INTERRUPTED = "interrupted"  # what a result says of Ctrl-C, SIGTERM and SIGHUP
UNFINISHED = "not finished"  # and one that was written on the way, should nothing come after it


@contextmanager
def interruptions() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` where the block is when SIGTERM or SIGHUP arrives for the first time.

    A second SIGTERM acts as usual, for work that does not end. A second SIGHUP is ignored, since a terminal that is
    closed sends one and its shell another. Where SIGHUP was ignored, as under ``nohup``, it stays so. Outside of the
    main thread Python takes no signals, so there nothing changes.
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
