"""Limits of the live page's server: bytes of a request head, connections, viewers, and deadlines of requests.

Clients that have not shown the token cost at most ``MAX_CONNECTIONS`` threads and, for all of their requests together,
``MAX_CONNECTIONS`` times ``MAX_HEAD_BYTES`` of memory.
"""

import contextlib
import http.client
import io
import ipaddress
import select
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

MAX_CONNECTIONS = 32  # a browser keeps two or three
MAX_HEAD_BYTES = 8_192  # request line and headers of one request
MAX_HEAD_LINES = 50
_KEPT_FOR_LOOPBACK = 8  # connections: "trailcam deploy" and monitoring ask on the device itself
_NOT_LET_IN_PER_ADDRESS = 4
_NOT_LET_IN_ON_LOOPBACK = 16  # SSH tunnels and reverse proxies: many clients with one address
_VIEWER_IDLE_S = 15.0


class HeadReader(io.BufferedReader):
    """Input of a connection that reads at most ``MAX_HEAD_BYTES`` in ``MAX_HEAD_LINES`` lines per request.

    ``http.server`` alone takes 100 lines of 65,536 bytes, before any token is checked.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw, MAX_HEAD_BYTES)
        self.begin()

    def begin(self) -> None:
        """Start the budget of the next request."""
        self._bytes_left, self._lines_left = MAX_HEAD_BYTES, MAX_HEAD_LINES

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line of a request head.

        Raises:
            http.client.LineTooLong: the head exceeds its budget.
        """
        room = self._bytes_left + 1
        line = super().readline(room if size is None or size < 0 else min(size, room))
        self._bytes_left -= len(line)
        self._lines_left -= 1
        if self._bytes_left < 0 or self._lines_left < 0:
            raise http.client.LineTooLong("request head")
        return line


@dataclass
class _Place:
    """A connection: the group of its address, and its state."""

    group: str
    is_loopback: bool
    state: Literal["reading", "answering", "let in"] = "reading"


class Places:
    """Places for connections, limited for each address and in total.

    Where there is no place, a newcomer takes that of the connection that has waited longest for the rest of its first
    request, so slow clients do not lock out others. A connection that has shown the token keeps its place.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._places: dict[socket.socket, _Place] = {}  # oldest first

    def enter(self, connection: socket.socket, address: str) -> bool:
        """Return True if there is a place for a new connection."""
        place = _Place(*client_group(address))
        with self._guard:
            crowd = self._crowd(place)
            if crowd is not None:
                slowest = next((each for each in crowd if not _has_request(each)), None)
                if slowest is None:
                    return False
                del self._places[slowest]
                disconnect(slowest)
            self._places[connection] = place
        return True

    def _crowd(self, place: _Place) -> Iterable[socket.socket] | None:
        """Return the connections of which one has to give way to ``place``; None if there is room."""
        everyone = list(self._places.values())
        neighbours = [each for each in everyone if each.group == place.group]
        outsiders = [each for each in everyone if not each.is_loopback]
        not_let_in = [each for each in neighbours if each.state != "let in"]
        limit = _NOT_LET_IN_ON_LOOPBACK if place.is_loopback else _NOT_LET_IN_PER_ADDRESS
        if len(not_let_in) >= limit or (not place.is_loopback and len(neighbours) >= MAX_CONNECTIONS // 2):
            crowd = neighbours
        elif not place.is_loopback and len(outsiders) >= MAX_CONNECTIONS - _KEPT_FOR_LOOPBACK:
            crowd = outsiders
        elif len(everyone) >= MAX_CONNECTIONS:
            crowd = everyone
        else:
            return None
        chosen = {id(each) for each in crowd if each.state == "reading"}
        return [connection for connection, each in self._places.items() if id(each) in chosen]

    def answer(self, connection: socket.socket) -> None:
        """Record that a request has arrived: the connection keeps its place until it is answered."""
        self._change(connection, "answering")

    def let_in(self, connection: socket.socket) -> None:
        """Record that the client has access."""
        self._change(connection, "let in")

    def leave(self, connection: socket.socket) -> None:
        """Free the place of a connection."""
        with self._guard:
            self._places.pop(connection, None)

    def disconnect_all(self) -> None:
        """Disconnect every client."""
        with self._guard:
            for connection in self._places:
                disconnect(connection)

    def _change(self, connection: socket.socket, state: Literal["answering", "let in"]) -> None:
        with self._guard:
            place = self._places.get(connection)
            if place is not None and place.state != "let in":
                place.state = state


class Viewers:
    """Admit at most ``limit`` viewers at a time, half of them from one address.

    A client chooses the name of its viewer, so names alone do not limit it. A viewer without a request for 15 s frees
    its place.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._per_address = max(1, limit // 2)
        self._guard = threading.Lock()
        self._asked_s: dict[tuple[str, str], float] = {}

    def admit(self, viewer: str, address: str, now_s: float) -> bool:
        """Return True if this viewer may have the next picture."""
        key = (client_group(address)[0], viewer)
        with self._guard:
            self._asked_s = {name: asked for name, asked in self._asked_s.items() if now_s < asked + _VIEWER_IDLE_S}
            if key not in self._asked_s:
                neighbours = sum(group == key[0] for group, _ in self._asked_s)
                if neighbours >= self._per_address or len(self._asked_s) >= self.limit:
                    return False
            self._asked_s[key] = now_s
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


def client_group(address: str) -> tuple[str, bool]:
    """Return the group of a client's address and True for loopback; an IPv6 client has all addresses of its /64."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            prefix = ipaddress.ip_network((found.packed, 64), strict=False)
            return str(prefix.network_address), found.is_loopback
        found = found.ipv4_mapped
    return str(found), found.is_loopback


def disconnect(connection: socket.socket) -> None:
    """Shut a connection down; one that has ended already is left as it is."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _has_request(connection: socket.socket) -> bool:
    """Return True if a whole request head waits to be read: the thread of the connection is late, not the client."""
    try:
        readable = bool(select.select([connection], [], [], 0)[0])
        return readable and b"\r\n\r\n" in connection.recv(MAX_HEAD_BYTES, socket.MSG_PEEK)
    except (OSError, ValueError):  # closed meanwhile
        return False
