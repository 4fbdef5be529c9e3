"""Limits of the live page's server: concurrent viewers, and deadlines of requests."""

import contextlib
import socket
import threading

_VIEWER_IDLE_S = 15.0


class Viewers:
    """Admit at most ``limit`` viewers at a time; a viewer without a request for 15 s frees its place."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._guard = threading.Lock()
        self._asked_s: dict[str, float] = {}

    def admit(self, viewer: str, now_s: float) -> bool:
        """Return True if this viewer may have the next picture."""
        with self._guard:
            self._asked_s = {name: asked for name, asked in self._asked_s.items() if now_s < asked + _VIEWER_IDLE_S}
            if viewer not in self._asked_s and len(self._asked_s) >= self.limit:
                return False
            self._asked_s[viewer] = now_s
            return True


class Deadlines:
    """Times by which the requests of open connections have to arrive."""

    def __init__(self) -> None:
        self._deadlines: dict[socket.socket, float] = {}

    def expect_by(self, connection: socket.socket, deadline_s: float | None) -> None:
        """Set the deadline (monotonic) of a connection; None removes it."""
        if deadline_s is None:
            self._deadlines.pop(connection, None)
        else:
            self._deadlines[connection] = deadline_s

    def disconnect_overdue(self, now_s: float) -> None:
        """Disconnect every connection whose deadline has passed."""
        for connection, deadline_s in list(self._deadlines.items()):
            if now_s > deadline_s:
                self._deadlines.pop(connection, None)
                disconnect(connection)


def disconnect(connection: socket.socket) -> None:
    """Shut a connection down; one that has ended already is left as it is."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
