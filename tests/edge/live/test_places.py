"""Who gets a connection to the live page, and a place among its viewers."""

import select
import socket
import time
from collections.abc import Iterator

import pytest

from trailcam_edge.live import handler
from trailcam_edge.live.limits import Places, Viewers, client_group

from .conftest import TOKEN, Bench, content


def test_names_of_viewers_do_not_take_the_places_of_other_addresses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_PICTURE_WAIT_S", 0.01)
    for number in range(5):
        assert bench.ask("GET", f"/frame.jpg?viewer=v{number}").status == 204
    answer = bench.ask("GET", "/frame.jpg?viewer=v5")
    assert answer.status == 503
    assert b"10 viewers are connected already, or half of them from your address" in content(answer)
    assert answer.headers["Retry-After"]
    assert bench.ask("GET", "/frame.jpg?viewer=v3").status == 204
    other = ("127.0.0.2", 0)
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=20, source_address=other) as line:
        line.sendall(b"GET /frame.jpg?viewer=v5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 204")


def test_a_viewer_who_stops_asking_makes_room() -> None:
    viewers = Viewers(1)
    assert viewers.admit("a", "192.0.2.1", 0.0)
    assert not viewers.admit("b", "192.0.2.2", 14.0)
    assert viewers.admit("b", "192.0.2.2", 15.1)
    assert not viewers.admit("a", "192.0.2.1", 16.0)


def test_two_hundred_names_of_one_address_get_half_of_the_places() -> None:
    viewers = Viewers(10)
    assert sum(viewers.admit(f"v{number}", "192.0.2.1", 1.0) for number in range(200)) == 5
    assert sum(viewers.admit(f"v{number}", f"2001:db8::{number}", 1.0) for number in range(1, 200)) == 5


def test_too_many_connections_are_refused_at_once_and_leave_no_trace(bench: Bench) -> None:
    lines = [socket.create_connection(("127.0.0.1", bench.server.port), timeout=20) for _ in range(1)]
    for _ in range(31):
        lines.append(socket.create_connection(("127.0.0.1", bench.server.port), timeout=20))
        lines[-1].sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert lines[-1].recv(15) == b"HTTP/1.1 200 OK"
    lines[0].sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert lines[0].recv(15) == b"HTTP/1.1 200 OK"
    assert bench.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 503")
    for line in lines:
        line.close()
    deadline = time.monotonic() + 20
    while bench.ask("GET", "/healthz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_slow_clients_of_the_same_address_lock_nobody_out(guarded: Bench) -> None:
    slow = []
    for _ in range(100):
        slow.append(socket.create_connection(("127.0.0.1", guarded.server.port), timeout=20))
        slow[-1].sendall(b"GET / HTTP/1.1\r\nHost: local")
    assert guarded.ask("GET", "/status.json", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.ask("GET", "/healthz").status == 200
    assert guarded.server._thread_places._value >= 16  # the threads of the others have ended
    for line in slow:
        line.close()


class Lines:
    """Pairs of connected sockets: of clients, and of the server."""

    def __init__(self) -> None:
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def new(self, text: bytes = b"") -> socket.socket:
        client, ours = socket.socketpair()
        client.sendall(text)
        self.pairs.append((client, ours))
        return ours


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    yield made
    for pair in made.pairs:
        for end in pair:
            end.close()


def is_connected(line: socket.socket) -> bool:
    return not (select.select([line], [], [], 0)[0] and line.recv(1, socket.MSG_PEEK) == b"")


def test_one_address_has_four_places_until_it_shows_the_token(lines: Lines) -> None:
    places = Places()
    held = [lines.new() for _ in range(4)]
    assert all(places.enter(line, "192.0.2.1") for line in held)
    assert places.enter(lines.new(), "192.0.2.1")
    assert [is_connected(line) for line in held] == [False, True, True, True]
    for line in held[1:]:
        places.answer(line)
    assert places.enter(lines.new(), "192.0.2.1")  # the place of the one that is still slow
    assert all(is_connected(line) for line in held[1:])
    busy = Places()
    for _ in range(4):
        line = lines.new(b"GET / HTTP/1.1\r\n\r\n")  # complete: only its thread is late
        assert busy.enter(line, "192.0.2.1")
    assert not busy.enter(lines.new(), "192.0.2.1")
    assert busy.enter(lines.new(), "192.0.2.2")
    busy.let_in(line)
    assert busy.enter(lines.new(), "192.0.2.1")


def test_places_are_kept_for_loopback_and_clients_with_the_token_keep_theirs(lines: Lines) -> None:
    places = Places()
    outside = [lines.new() for _ in range(25)]
    entered = [
        places.enter(line, f"192.0.2.{number}") for number, line in enumerate(outside) if not places.let_in(line)
    ]
    assert entered == [True] * 25
    assert [is_connected(line) for line in outside].count(False) == 1
    for line in outside[1:]:
        places.let_in(line)
    assert not places.enter(lines.new(), "198.51.100.1")
    inside = [lines.new() for _ in range(8)]
    for line in inside:
        assert places.enter(line, "127.0.0.1")
        places.let_in(line)
    assert not places.enter(lines.new(), "::1")
    assert all(is_connected(line) for line in (*outside[1:], *inside))
    places.leave(inside[0])
    assert places.enter(lines.new(), "::1")


def test_a_client_with_the_token_has_half_of_the_places_at_most(lines: Lines) -> None:
    places = Places()
    for _ in range(16):
        line = lines.new()
        assert places.enter(line, "2001:db8::1")
        places.let_in(line)
    assert not places.enter(lines.new(), "2001:db8::2")
    assert places.enter(lines.new(), "2001:db8:0:1::2")


@pytest.mark.parametrize(
    ("address", "group", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:192.0.2.7", "192.0.2.7", False),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", False),
        ("fe80::1%1", "fe80::", False),
    ],
)
def test_an_ipv6_client_is_known_by_its_network(address: str, group: str, loopback: bool) -> None:
    assert client_group(address) == (group, loopback)
