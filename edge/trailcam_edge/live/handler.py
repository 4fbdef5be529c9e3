"""Requests of the live page: access check, response, and security headers.

/frame.jpg?after=N&viewer=ID&small=1    the next picture after number N, small or not; its summary is in a header
/status.json              visits, charts, health
/metrics  /healthz        for monitoring
/login                    the form for the token
/assets/...               style and scripts, for everybody
/clips/ID.mp4             the clip of a visit, or a part of it
/, /visits, ...           pages and pictures of visits, see ``pages.router``
"""

import http.client
import io
import json
import os
import re
import socket
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import parse_qsl

from trailcam_edge.live.access import Access
from trailcam_edge.live.file_part import file_part
from trailcam_edge.live.latest_picture import LiveView, frame_record
from trailcam_edge.live.limits import Deadlines, HeadReader, Places, Viewers
from trailcam_edge.live.pages.assets import POLICY
from trailcam_edge.live.pages.review import Visitor
from trailcam_edge.live.pages.router import JPEG, JSON, TEXT, Pages, Response, Source
from trailcam_edge.telemetry.prometheus import CONTENT_TYPE

_PICTURE_WAIT_S = 5.0
_HEAD_S = 5.0  # for the first request of a client
_IDLE_S = 15.0  # for each further one of a client that is let in, counted from the end of the previous one
_SEND_S = 20.0  # for the client to read a response
_MAX_FORM_BYTES = 1_024
_LENGTH = re.compile(r"[0-9]{1,10}")
_MAX_FIELDS = 8
_WRITING = ("/reviews", "/undo", "/reviewer")
_MAX_REVIEWS_BYTES = 16_384
_WRONG_TOKEN_S = 1.0
_COOKIE_S = 30 * 86_400
_VIEWER = re.compile(r"[A-Za-z0-9-]{1,40}")
_PAGES = ("/visits", "/species", "/calendar", "/review", "/accuracy", "/camera")
_OPEN_TO_ALL = ("/healthz", "/login")


class Reports(Source, Protocol):
    """Reports of the device services that the page shows; called by many threads."""

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""

    def alive(self) -> bool:
        """Return True while frames arrive."""


class Host(Protocol):
    """Attributes of the server that a request reads."""

    access: Access
    pages: Pages
    view: LiveView
    reports: Reports
    viewers: Viewers
    deadlines: Deadlines
    places: Places


class Handler(BaseHTTPRequestHandler):
    """Answer GET, HEAD and the login form's POST; refuse everything else."""

    protocol_version = "HTTP/1.1"
    timeout = _SEND_S
    rbufsize = 0  # HeadReader has the buffer

    @property
    def _host(self) -> Host:
        return self.server  # type: ignore[return-value]  # the base class knows any server

    def setup(self) -> None:
        """Limit request heads, and send small responses at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._head = HeadReader(cast("io.RawIOBase", self.rfile))
        self.rfile = self._head
        self._is_let_in = False

    def handle_one_request(self) -> None:
        """Limit the size of a request head, and the time for it, however slowly it arrives."""
        self._head.begin()
        self._expect_within(_IDLE_S if self._is_let_in else _HEAD_S)
        try:
            super().handle_one_request()
        except http.client.LineTooLong:  # the request line; the base class answers for the headers
            self.requestline, self.request_version, self.command = "", self.protocol_version, ""
            self._refuse(414, "The address is too long.")
        except OSError:
            self.close_connection = True  # the client left, or was disconnected

    def parse_request(self) -> bool:
        """Read the headers, then refuse requests that the page never sends."""
        if not super().parse_request():
            return False
        self._expect_within(None)
        self._host.places.answer(self.connection)
        headers: Message = self.headers
        lengths, hosts = headers.get_all("Content-Length", ["0"]), headers.get_all("Host", [])
        if "Transfer-Encoding" in headers or not all(map(_LENGTH.fullmatch, lengths)) or len({*lengths}) != 1:
            self._refuse(400, "Requests with such a body are not supported.")
        elif self.command != "POST" and int(lengths[0]):
            self._refuse(400, "Only the form has a body.")
        elif len(hosts) > 1:
            self._refuse(400, "Expected one Host header.")
        elif not self._host.access.knows_host(headers.get("Host")):
            self._refuse(421, "This host name is not one of this camera. Add it to hosts in [live] if it is yours.")
        else:
            return True
        return False

    def do_GET(self) -> None:
        """Answer a browser or a monitoring system."""
        path, _, text = self.path.partition("?")
        query = _fields(text)
        asset = self._host.pages.asset(path) if path.startswith("/assets/") else None
        if path in _OPEN_TO_ALL or asset is not None:
            self._answer(path, query) if asset is None else self._respond(asset)
            return
        access = self._host.access
        token = query.get("token") if path == "/" else None
        verdict = access.verdict(self.headers.get("Cookie"), self.headers.get("Authorization"))
        if verdict == "right":
            self._let_in()
            self._answer(path, query) if token is None else self._redirect()
        elif token is not None and access.is_token(token):
            self._log_in()
        elif verdict == "wrong" or token is not None:
            self._refuse_token(401)
        elif path == "/" or path.startswith(_PAGES):
            self._respond(self._host.pages.login(401, ""))
        else:
            self._send(401, TEXT, b"A token is required.\n")

    def do_HEAD(self) -> None:
        """Answer as for GET, without the content."""
        self.do_GET()

    def do_POST(self) -> None:
        """Check the token of the form, or store reviews."""
        length = int(self.headers.get("Content-Length", "0"))
        limit = _MAX_REVIEWS_BYTES if self.path in _WRITING else _MAX_FORM_BYTES
        if self.path not in ("/login", *_WRITING) or length > limit:
            self._refuse(413 if length > limit else 405, "Only the token and reviews can be posted here.")
        elif self.path == "/login":
            form = _fields(self._read_form(length))
            if self._host.access.is_token(form.get("token", "").strip()):
                self._log_in()
            else:
                self._refuse_token(403)
        elif not self._host.access.may_write(self.headers):
            self._refuse(403, "Answers need the token of this camera, and a page of this camera.")
        else:
            self._let_in()
            self._respond(self._host.pages.post(self.path, self._read_form(length), self._visitor(True)))

    def _read_form(self, length: int) -> str:
        self._expect_within(_HEAD_S)
        form = self.rfile.read(length).decode("utf-8", "replace")
        self._expect_within(None)
        return form

    def _visitor(self, may_write: bool) -> Visitor:
        return self._host.pages.visitor(may_write, self.headers.get("Cookie"), self.client_address[0])

    def _refuse_token(self, status: int) -> None:
        """Answer a wrong token, wherever it was: late, so that few can be tried."""
        time.sleep(_WRONG_TOKEN_S)
        self.close_connection = True
        self._respond(self._host.pages.login(status, "This token is wrong."), {"Connection": "close"})

    def _let_in(self) -> None:
        self._is_let_in = True
        self._host.places.let_in(self.connection)

    def _expect_within(self, seconds: float | None) -> None:
        deadline_s = None if seconds is None else time.monotonic() + seconds
        self._host.deadlines.expect_by(self.connection, deadline_s)

    def _log_in(self) -> None:
        access = self._host.access
        cookie = f"{access.cookie_name}={access.cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age={_COOKIE_S}"
        self._let_in()
        self._redirect({"Set-Cookie": cookie})

    def _redirect(self, more: dict[str, str] | None = None) -> None:
        """Redirect to the page, which removes the token from the address bar."""
        self._send(303, TEXT, b"", {"Location": "/"} | (more or {}))

    def _answer(self, path: str, query: dict[str, str]) -> None:
        if path == "/login":
            self._respond(self._host.pages.login(200, ""))
        elif path == "/frame.jpg":
            self._send_frame(query)
        elif path == "/status.json":
            self._send(200, JSON, json.dumps(self._host.reports.status(), ensure_ascii=False).encode("utf-8"))
        elif path == "/metrics":
            self._send(200, CONTENT_TYPE, self._host.reports.metrics().encode("utf-8"))
        elif path == "/healthz":
            alive = self._host.reports.alive()
            self._send(200 if alive else 503, TEXT, b"ok\n" if alive else b"no frames\n")
        elif (clip := self._host.pages.clip(path)) is not None:
            self._send_clip(clip)
        else:
            may_write = self._host.access.needs_token  # this client has shown it
            self._respond(self._host.pages.answer(path, query, self._visitor(may_write)))

    def _send_frame(self, query: dict[str, str]) -> None:
        viewer = query.get("viewer", "")
        if not _VIEWER.fullmatch(viewer):
            viewer = ""
        if not self._host.viewers.admit(viewer, self.client_address[0], time.monotonic()):
            words = (
                f"{self._host.viewers.limit} viewers are connected already, or half of them from your address; more "
                "would slow the camera down.\n"
            )
            self._send(503, TEXT, words.encode("utf-8"), {"Retry-After": "15"})
            return
        after = query.get("after", "-1")
        number = int(after) if after.isdecimal() and len(after) < 16 else -1
        picture = self._host.view.picture(number, _PICTURE_WAIT_S, small=query.get("small") == "1")
        if picture is None:
            self._send(204, TEXT, b"", {"X-Trailcam-State": self._host.reports.state().code})
            return
        record = json.dumps(frame_record(picture.summary))  # ASCII: it is a header
        self._send(200, JPEG, picture.jpeg, {"X-Trailcam": record})

    def _send_clip(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                found = file_part(self.headers.get("Range"), os.fstat(file.fileno()).st_size)
                self._send_head(found.status, "video/mp4", len(found.part), found.headers)
                for piece in () if self.command == "HEAD" else found.read(file):
                    self.wfile.write(piece)
        except FileNotFoundError:
            self._send(404, TEXT, b"This clip has been deleted.\n")

    def _respond(self, response: Response, more: dict[str, str] | None = None) -> None:
        self._send(response.status, response.kind, response.content, response.headers | (more or {}))

    def _refuse(self, status: int, words: str) -> None:
        """Answer and disconnect: the rest of this connection may not be a request."""
        self.close_connection = True
        self._send(status, TEXT, f"{words}\n".encode(), {"Connection": "close"})

    def _send(self, status: int, kind: str, content: bytes, more: dict[str, str] | None = None) -> None:
        self._send_head(status, kind, len(content), more or {})
        if self.command != "HEAD" and status != 204:
            self.wfile.write(content)

    def _send_head(self, status: int, kind: str, length: int, more: dict[str, str]) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
        }
        if not self._is_let_in:
            headers["Connection"] = "close"  # a place for a client is that of one request until it has access
        for name, value in (headers | more).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def end_headers(self) -> None:
        """Add the security headers, also to responses of the base class."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def version_string(self) -> str:
        """Return a server name without the Python version."""
        return "trailcam"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing: addresses may contain a token."""


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a query or form; none if there are too many."""
    try:
        return dict(parse_qsl(text, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}
