"""Notify the service manager: ready, alive, reloading, stopping.

Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd; the protocol is lines in a datagram.
"""

import contextlib
import socket
import time

_STATUS_S = 10.0  # interval of the line that "systemctl status" shows


class Notifier:
    """Send notifications to the socket of systemd, or nowhere without one. Never waits, never raises."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        """Set the socket.

        Args:
            address: NOTIFY_SOCKET: a path, or "@" and a name in the abstract namespace.
            watchdog_s: WATCHDOG_USEC in seconds; the watchdog is fed four times in that period.
        """
        self._address = address and (f"\0{address[1:]}" if address.startswith("@") else address)
        self._feed_every_s = None if watchdog_s is None else watchdog_s / 4
        self._fed_s = self._status_s = float("-inf")
        self._ready = False

    def frame(self, status: str) -> None:
        """Report a processed frame: it marks the service as ready and feeds the watchdog."""
        now_s = time.monotonic()
        lines = [] if self._ready else ["READY=1"]
        self._ready = True
        if self._feed_every_s is not None and now_s >= self._fed_s + self._feed_every_s:
            self._fed_s = now_s
            lines.append("WATCHDOG=1")
        if lines or now_s >= self._status_s + _STATUS_S:
            self._status_s = now_s
            self._send(*lines, f"STATUS={status}")

    def reloading(self) -> None:
        """Report a reload of the configuration; the next frame reports its end."""
        self._ready = False
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report the end of the service; waiting events are being stored."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
            datagram.setblocking(False)
            with contextlib.suppress(OSError):  # without a listener the watchdog of systemd decides
                datagram.sendto("\n".join(lines).encode("utf-8"), self._address)
