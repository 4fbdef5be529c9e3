"""What ``trailcam deploy`` prints while it works: lines that stay, and below them one line that moves."""

import sys
import threading
import time

from tqdm import tqdm

from trailcam_deploy.fleet.run_fleet import DONE, Outcome

__all__ = ["FleetDisplay"]

_BAR_EVERY_S = 0.2


class FleetDisplay:
    """Shows steps and outcomes of devices on stderr; every method may be called by any thread."""

    def __init__(self, total: int) -> None:
        self._guard = threading.Lock()
        self._many = total > 1
        self._drawn_s = 0.0
        self._bar = (
            tqdm(total=total, desc="devices", unit="", file=sys.stderr, dynamic_ncols=True, leave=False)
            if total > 1 and sys.stderr.isatty()
            else None
        )

    def diary(self, host_id: str) -> "_HostDiary":
        """Return what is told of one device."""
        return _HostDiary(self, host_id)

    def line(self, text: str) -> None:
        """Print a line that stays."""
        with self._guard:
            if self._bar is not None:
                self._bar.clear()
            print(text, file=sys.stderr, flush=True)
            if self._bar is not None:
                self._bar.refresh()

    def outcome(self, outcome: Outcome) -> None:
        """Print how it went with a device; the good news of a single one is a result, for stdout."""
        if outcome.kind != DONE or (self._many and "\n" not in outcome.text):
            self.line(f"{outcome.host.id}: {outcome.kind}: {outcome.text}")
        with self._guard:
            if self._bar is not None:
                self._bar.update(1)

    def moves(self, host_id: str, done: int, total: int) -> None:
        """Show bytes on the moving line, not too often."""
        with self._guard:
            if not sys.stderr.isatty():
                return
            now_s = time.monotonic()
            if now_s < self._drawn_s + _BAR_EVERY_S and done < total:
                return
            self._drawn_s = now_s
            text = f"{host_id}: {done / 1e6:.1f} of {total / 1e6:.1f} MB"
            if self._bar is not None:
                self._bar.set_postfix_str(text)
            else:
                print(f"\r\033[K{text}", end="\r" if done < total else "\r\033[K", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Clear the moving line."""
        with self._guard:
            if self._bar is not None:
                self._bar.close()
                self._bar = None


class _HostDiary:
    def __init__(self, display: FleetDisplay, host_id: str) -> None:
        self._display, self._host_id = display, host_id

    def says(self, text: str) -> None:
        self._display.line(f"{self._host_id}: {text}")

    def moves(self, done: int, total: int) -> None:
        self._display.moves(self._host_id, done, total)
