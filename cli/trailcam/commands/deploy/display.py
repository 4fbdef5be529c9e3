"""Output of ``trailcam deploy`` while it runs: lines that remain, and one line of progress below them."""

import logging
import sys
import threading
import time
from types import TracebackType

from tqdm import tqdm

from trailcam.logs import safe_message
from trailcam_deploy.fleet.run_fleet import DONE, HostOutcome

_BAR_EVERY_S = 0.2
_LOGGER = logging.getLogger("trailcam_deploy")


class FleetDisplay(logging.Handler):
    """Show log records, sent bytes and outcomes of devices on stderr; every method may be called by any thread.

    In a ``with`` block it handles the records of ``trailcam_deploy``, each with its device as ``host``.
    """

    def __init__(self, total: int, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._guard = threading.Lock()
        self._many = total > 1
        self._drawn_s = 0.0
        self._bar = (
            tqdm(total=total, desc="devices", unit="", file=sys.stderr, dynamic_ncols=True, leave=False)
            if total > 1 and sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> "FleetDisplay":
        self._before = _LOGGER.level, _LOGGER.propagate
        _LOGGER.setLevel(self.level)
        _LOGGER.propagate = False
        _LOGGER.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _LOGGER.removeHandler(self)
        _LOGGER.level, _LOGGER.propagate = self._before
        with self._guard:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print a log record."""
        self._line(f"{getattr(record, 'host', 'trailcam')}: {safe_message(record.getMessage())}")

    def outcome(self, outcome: HostOutcome) -> None:
        """Print the outcome of a device; the success of a single device is a result, for stdout."""
        if outcome.kind != DONE or (self._many and "\n" not in outcome.text):
            self._line(f"{outcome.host.id}: {outcome.kind}: {outcome.text}")
        with self._guard:
            if self._bar is not None:
                self._bar.update(1)

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show the bytes that were sent to the device ``stage``, at most every 0.2 s."""
        with self._guard:
            if not sys.stderr.isatty():
                return
            now_s = time.monotonic()
            if now_s < self._drawn_s + _BAR_EVERY_S and done < total:
                return
            self._drawn_s = now_s
            text = f"{stage}: {done / 1e6:.1f} of {total / 1e6:.1f} MB {note}".rstrip()
            if self._bar is not None:
                self._bar.set_postfix_str(text)
            else:
                print(f"\r\033[K{text}", end="\r" if done < total else "\r\033[K", file=sys.stderr, flush=True)

    def _line(self, text: str) -> None:
        with self._guard:
            if self._bar is not None:
                self._bar.clear()
            print(text, file=sys.stderr, flush=True)
            if self._bar is not None:
                self._bar.refresh()
