"""Tell the service manager how it goes: ready, alive, reloading, stopping.

Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd; the protocol is lines in a datagram.
"""

import socket
import time

__all__ = ["Notifier"]

_STATUS_S = 10.0  # how often the line that "systemctl status" shows is renewed


class Notifier:
    """Says things to the socket that systemd named; without one it says nothing. Never waits, never raises."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        """Name the socket.

        Args:
            address: NOTIFY_SOCKET: a path, or "@" and a name in the abstract namespace.
            watchdog_s: WATCHDOG_USEC in seconds; a sign of life is sent four times as often.
        """
        self._address = address and (f"\0{address[1:]}" if address.startswith("@") else address)
        self._feed_every_s = None if watchdog_s is None else watchdog_s / 4
        self._fed_s = self._status_s = float("-inf")
        self._ready = False

    def frame(self, status: str) -> None:
        """A frame came and was dealt with: the one sign of life that counts."""
        now_s = time.monotonic()
        words = [] if self._ready else ["READY=1"]
        self._ready = True
        if self._feed_every_s is not None and now_s >= self._fed_s + self._feed_every_s:
            self._fed_s = now_s
            words.append("WATCHDOG=1")
        if words or now_s >= self._status_s + _STATUS_S:
            self._status_s = now_s
            self._send(*words, f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; the next frame says that it is done."""
        self._ready = False
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun; what waits is being stored."""
        self._send("STOPPING=1")

    def _send(self, *words: str) -> None:
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)
            try:
                line.sendto("\n".join(words).encode("utf-8"), self._address)
            except OSError:
                return  # nobody listens; the watchdog judges
