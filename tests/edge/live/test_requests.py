"""Requests that are too long, too slow or odd."""

import http.client
import select
import socket

import pytest

from trailcam_edge.live import handler
from trailcam_edge.live.limits import MAX_HEAD_BYTES, MAX_HEAD_LINES

from .conftest import Bench


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * MAX_HEAD_BYTES, b"414"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_HEAD_BYTES, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 4_000 + b"\r\nC: " + b"d" * 4_200, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD_LINES, b"431"),
    ],
)
def test_a_head_has_a_budget_of_bytes_and_lines(guarded: Bench, head: bytes, status: bytes) -> None:
    assert guarded.raw(head).startswith(b"HTTP/1.1 " + status)  # refused before the head ends


def test_a_head_within_its_budget_is_answered_and_each_request_has_a_budget(bench: Bench) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bench.server.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/status.json", headers={"A": "b" * 8_000})
        with connection.getresponse() as answer:
            assert (answer.status, answer.read()) == (200, b'{"bundle": "\xc3\xbc"}')
    connection.close()


def test_a_request_that_drips_is_hung_up_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_HEAD_S", 0.3)
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=20) as line:
        sent = 0
        while not select.select([line], [], [], 0.05)[0]:  # readable when the other side hung up
            line.sendall(b"G")
            sent += 1
            assert sent < 200
        assert line.recv(1) == b""
    assert sent > 2


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"0" * 5_000 + b"\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nabcde", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 7\r\n\r\nGET / x", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /pictures/../events.db HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /pictures/unknown.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /?" + b"a=1&" * 50 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_odd_requests_get_their_status_and_the_server_lives_on(
    bench: Bench, request_text: bytes, status: bytes
) -> None:
    answer = bench.raw(request_text)
    assert answer.split(b" ")[1].startswith(status) or status in answer.split(b"\r\n")[0]
    assert bench.ask("GET", "/healthz").status == 200
