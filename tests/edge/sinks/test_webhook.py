"""The webhook against real servers that fail, stall and lie."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trailcam_edge.sinks.http_post import HttpPost
from trailcam_edge.sinks.settings import WebhookSettings
from trailcam_edge.sinks.webhook import WebhookSink
from trailcam_edge.sinks.worker import BodyTooLargeError, SinkError, SinkRejectedError, SinkWorker
from trailcam_edge.store.event_store import EventStore

from .conftest import event, wait_until


class Server(ThreadingHTTPServer):
    """Answers with what a test says, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.say(204)
        self.date: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=secret"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.server.answer(self)

    def do_GET(self) -> None:
        self.server.got.append(("GET", {}, b""))
        self.say(200)

    def say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(timestamp)

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that speaks no HTTP of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                try:
                    talk(connection)
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(5)


def test_an_event_is_posted_as_json_with_its_token(server: Server) -> None:
    WebhookSink(WebhookSettings(server.url), token="t0p").deliver(event(1, label="Lüchs"))
    path, headers, body = server.got[0]
    assert path == "/hook?key=secret"
    assert headers["Authorization"] == "Bearer t0p"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "visit-1"
    assert json.loads(body)["label"] == "Lüchs"


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401, 403, 404, 408])
def test_an_answer_that_may_change_is_tried_again(server: Server, status: int) -> None:
    server.answer = lambda handler: handler.say(status, Retry_After="120")
    with pytest.raises(SinkError, match=str(status)) as stopped:
        WebhookSink(WebhookSettings(server.url)).deliver(event(1))
    assert not isinstance(stopped.value, SinkRejectedError)
    assert stopped.value.retry_after_s == 120


@pytest.mark.parametrize(
    ("after", "date", "wait_s"),
    [
        ("Mon, 30 Nov 2026 10:02:00 GMT", "Mon, 30 Nov 2026 10:00:30 GMT", 90),
        ("Mon, 30 Nov 2026 10:00:00 GMT", "Mon, 30 Nov 2026 10:00:30 GMT", 0),
        ("Mon, 30 Nov 2026 10:02:00 GMT", "today", 0),
        ("soon", "Mon, 30 Nov 2026 10:00:30 GMT", 0),
        ("9" * 400, "Mon, 30 Nov 2026 10:00:30 GMT", 0),
    ],
)
def test_a_date_to_wait_for_counts_from_that_of_the_answer(server: Server, after: str, date: str, wait_s: int) -> None:
    server.date = date
    server.answer = lambda handler: handler.say(503, Retry_After=after)
    with pytest.raises(SinkError) as stopped:
        WebhookSink(WebhookSettings(server.url)).deliver(event(1))
    assert stopped.value.retry_after_s == wait_s


@pytest.mark.parametrize("status", [400, 410, 413, 422])
def test_an_event_that_will_never_be_taken_is_rejected(server: Server, status: int) -> None:
    server.answer = lambda handler: handler.say(status)
    with pytest.raises(SinkRejectedError, match=str(status)):
        WebhookSink(WebhookSettings(server.url)).deliver(event(1))


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirect_is_not_taken_for_delivery(server: Server, status: int) -> None:
    server.answer = lambda handler: handler.say(status, Location="/elsewhere")
    with pytest.raises(SinkError, match="Redirects are not followed"):
        WebhookSink(WebhookSettings(server.url)).deliver(event(1))
    assert len(server.got) == 1


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 999999 Fine\r\n\r\n",
        b"\x00" * 70_000,
    ],
)
def test_a_server_that_lies_is_not_believed(lie: bytes) -> None:
    with (
        raw_server(lambda connection: connection.sendall(lie)) as url,
        pytest.raises(SinkError, match="no complete response"),
    ):
        WebhookSink(WebhookSettings(url, timeout_s=2)).deliver(event(1))


def test_a_server_that_stalls_or_drips_is_hung_up_on() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(500):
            connection.sendall(b"x")
            time.sleep(0.02)

    for talk in (lambda connection: time.sleep(1.0), drip):
        with raw_server(talk) as url, pytest.raises(SinkError, match="no complete response in time"):
            WebhookSink(WebhookSettings(url, timeout_s=0.3)).deliver(event(1))


def test_a_body_that_is_refused_before_its_end_is_rejected_and_not_sent_for_ever() -> None:
    """The server answers and closes while most of the body is on its way, as Python's own and others do."""

    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")

    with raw_server(refuse) as url, pytest.raises(BodyTooLargeError, match="413"):
        HttpPost(url, timeout_s=5).send(bytes(20_000_000), {})


def test_a_delivery_is_not_believed_of_a_server_that_took_half_of_it() -> None:
    def accept(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with raw_server(accept) as url, pytest.raises(SinkError, match="no complete response"):
        HttpPost(url, timeout_s=5).send(bytes(20_000_000), {})


@contextmanager
def silent_address() -> Iterator[tuple[str, int]]:
    """An address that answers no request to connect, as one of IPv6 without a way to it: its queue is full."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for opened in waiting:
            opened.setblocking(False)
            opened.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for opened in waiting:
            opened.close()


def test_a_silent_first_address_neither_blocks_the_queue_nor_doubles_events(
    server: Server,
    deliver: Callable[..., SinkWorker],
    add: Callable[..., None],
    store: EventStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent_address() as silent:
        family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*family, silent), (*family, server.server_address)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_options: found)
        sink = WebhookSink(WebhookSettings("http://two.example/hook", timeout_s=1.0))
        add(range(3))
        deliver(sink)
        wait_until(lambda: store.acknowledged(sink.name) == 3)
    assert [json.loads(body)["visit_id"] for _, _, body in server.got] == ["visit-0", "visit-1", "visit-2"]
    assert server.got[0][1]["Host"] == "two.example"


def test_an_endless_answer_is_enough_at_some_point() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65_536))

    with raw_server(pour) as url:
        WebhookSink(WebhookSettings(url, timeout_s=5)).deliver(event(1))


def test_nobody_there_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SinkError, match="refused"):
        WebhookSink(WebhookSettings(f"http://127.0.0.1:{port}/")).deliver(event(1))


def test_an_outage_costs_no_event(
    server: Server, deliver: Callable[..., SinkWorker], add: Callable[..., None], store: EventStore
) -> None:
    tries = iter(range(1000))
    server.answer = lambda handler: handler.say(500 if next(tries) % 3 else 200)
    sink = WebhookSink(WebhookSettings(server.url))
    add(range(6))
    deliver(sink)
    wait_until(lambda: store.acknowledged(sink.name) == 6)
    seen = [json.loads(body)["visit_id"] for _, _, body in server.got]
    assert list(dict.fromkeys(seen)) == [f"visit-{number}" for number in range(6)]


@pytest.mark.parametrize("url", ["ftp://example.org/", "example.org", "http://", "http://me:secret@example.org/"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        WebhookSettings(url)


def test_the_name_has_no_secret_in_it(server: Server) -> None:
    assert "secret" not in WebhookSink(WebhookSettings(server.url), token="secret").name
