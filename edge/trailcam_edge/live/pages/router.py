"""From the address of a page to its answer. Who may ask is decided before; ``handler`` does that."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

from trailcam_core.errors import DeviceError
from trailcam_core.records import FieldError
from trailcam_edge.live.pages.assets import POLICY, Assets
from trailcam_edge.live.pages.desk import Desk, Query, Writer, note_of, parse_name, words_of
from trailcam_edge.live.pages.filters import parse_day, parse_filter
from trailcam_edge.live.pages.layout import Shell, login_page, message_page
from trailcam_edge.live.pages.library import Library
from trailcam_edge.live.pages.markup import tag
from trailcam_edge.live.pages.now import camera_page, latest_tiles, now_page
from trailcam_edge.live.pages.overviews import calendar_page, species_page
from trailcam_edge.live.pages.queues import samples
from trailcam_edge.live.pages.queues.order import QUEUES
from trailcam_edge.live.pages.review import Visitor, parse_form, several_bar
from trailcam_edge.live.pages.thumbnails import Thumbnails
from trailcam_edge.live.pages.visits import visit_page, visits_page
from trailcam_edge.live.state import ProgramState
from trailcam_edge.store.reviews.records import MAX_NAME

HTML, JSON, TEXT, JPEG = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8", "image/jpeg"
_VISIT_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_PICTURE = re.compile(rf"/(pictures|thumbs|views)/({_VISIT_ID})\.jpg")
_CLIP = re.compile(rf"/clips/({_VISIT_ID})\.mp4")
_VISIT = re.compile(rf"/visits/({_VISIT_ID})")
_QUEUE = re.compile(rf"/review/({'|'.join((*QUEUES, *samples.NAMES))})(?:/({_VISIT_ID}))?")
_NAME_COOKIE = re.compile(r"(?:^|;\s*)trailcam_reviewer=([^;]{1,300})")
_GONE = ("This visit is gone", "It was deleted for space, or never was in this store.")
_STRANGER = Visitor()
_NAME_S = 365 * 86_400
_KEEP = "private, max-age=86400"
_KEEP_ASSETS = "private, max-age=31536000, immutable"
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Response:
    """An answer to a browser."""

    status: int
    kind: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """What the pages show; called by many threads."""

    @property
    def name(self) -> str:
        """The name of the camera."""

    @property
    def has_camera(self) -> bool:
        """True if there is a camera, False if only a store is shown."""

    @property
    def reviewer(self) -> str:
        """The name for reviews of a client without a name."""

    @property
    def writer(self) -> Writer | None:
        """Where answers are stored, if there is a store."""

    @property
    def library(self) -> Library | None:
        """The stored visits, if there is a store."""

    def status(self) -> dict[str, Any]:
        """Return the JSON object that the page shows."""

    def state(self) -> ProgramState:
        """Return what the program does at present."""

    def facts(self) -> Sequence[tuple[str, str]]:
        """Return what camera this is: names and values."""

    def visit_picture(self, visit_id: str) -> Path | None:
        """Return the file with the picture of a visit, if there is one."""

    def visit_clip(self, visit_id: str) -> Path | None:
        """Return the file with the clip of a visit, if there is one."""


class Pages:
    """Answer for the addresses of pages, pictures, scripts and styles."""

    def __init__(self, source: Source, assets: Assets) -> None:
        self._source = source
        self._assets = assets
        self._thumbnails = Thumbnails()
        self._desk = Desk(self._library, self._writer)
        self._pages: dict[str, Callable[[Query, Visitor], Response]] = {
            "/": self._now,
            "/visits": self._visits,
            "/species": self._species,
            "/calendar": self._calendar,
            "/review": self._review,
            "/accuracy": self._accuracy,
            "/camera": self._camera,
            "/latest": self._latest,
            "/state.json": self._state,
        }

    def asset(self, path: str) -> Response | None:
        """Return a script or style, which everybody may read; None if there is none at this address."""
        found = self._assets.find(path)
        return None if found is None else Response(200, *found, {"Cache-Control": _KEEP_ASSETS})

    def login(self, status: int, message: str) -> Response:
        """Return the form for the token."""
        return Response(status, HTML, login_page(self._assets, message), {"Content-Security-Policy": POLICY})

    def answer(self, path: str, query: Query, visitor: Visitor = _STRANGER) -> Response:
        """Return the answer to a client that has access."""
        if found := _PICTURE.fullmatch(path):
            return self._picture(found[1], found[2])
        page = self._pages.get(path)
        try:
            if page is not None:
                return page(query, visitor)
            if visit := _VISIT.fullmatch(path):
                return self._visit(visit[1], query, visitor)
            if queue := _QUEUE.fullmatch(path):
                return self._queue(queue[1], queue[2], query, visitor)
        except DeviceError as error:
            return self._message(503, "The store cannot be read", str(error))
        return Response(404, TEXT, b"No such page.\n")

    def post(self, path: str, text: str, visitor: Visitor) -> Response:
        """Store the answers of an encoded form; the client may write."""
        headers: dict[str, str] = {}
        try:
            form = parse_form(text)
            if path == "/reviews":
                headers["Location"] = self._desk.save(form, visitor)
            elif path == "/undo":
                headers["Location"] = self._desk.undo(form, visitor)
            else:
                headers = {"Location": "/review", "Set-Cookie": name_cookie(parse_name(form))}
        except FieldError as error:
            return self._message(400, "Nothing was saved", f"{error}.")
        except DeviceError as error:
            return self._message(503, "Nothing was saved", str(error))
        return Response(303, TEXT, b"", headers)

    def clip(self, path: str) -> Path | None:
        """Return the file of the clip at an address, None if the address is none of a clip; it may be gone."""
        found = _CLIP.fullmatch(path)
        return None if found is None else self._source.visit_clip(found[1])

    def visitor(self, may_write: bool, cookies: str | None, address: str) -> Visitor:
        """Return who asks."""
        found = _NAME_COOKIE.search(cookies or "")
        name = unquote(found[1], errors="replace") if found else ""
        is_name = 0 < len(name) <= MAX_NAME and name.isprintable() and name == name.strip()
        place = f"{'live page' if self._source.has_camera else 'computer'}, {address}"
        return Visitor(may_write, name if is_name else self._source.reviewer, place)

    def _shell(self) -> Shell:
        source, state = self._source, self._source.state()
        has_store = source.library is not None
        return Shell(self._assets, source.name, state.code, state.words, source.has_camera, has_store)

    def _page(self, title: str, active: str, *content: Any, script: str | None = None) -> Response:
        made = self._shell().page(title, active, *content, script=script)
        return Response(200, HTML, made, {"Content-Security-Policy": POLICY})

    def _message(self, status: int, title: str, words: str, active: str = "Visits") -> Response:
        made = message_page(self._shell(), title, active, words)
        return Response(status, HTML, made, {"Content-Security-Policy": POLICY})

    def _library(self) -> Library:
        library = self._source.library
        if library is None:
            raise DeviceError('This camera has no store, so visits are not kept. Add a section [store], or "--store".')
        return library

    def _writer(self) -> Writer:
        writer = self._source.writer
        if writer is None:
            raise DeviceError("The store cannot be written at present; try again in a moment.")
        return writer

    def _review(self, query: Query, visitor: Visitor) -> Response:
        content = self._desk.overview(visitor)
        return self._page("Review", "Review", note_of(query, "/review"), *content, script="review.js")

    def _accuracy(self, _query: Query, _visitor: Visitor) -> Response:
        return self._page("Accuracy", "Review", *self._desk.accuracy())

    def _queue(self, name: str, visit_id: str | None, query: Query, visitor: Visitor) -> Response:
        if visit_id is None:
            address = self._desk.first(name)
            if address is None:
                return self._message(200, "Nothing left", f"{words_of(name)}: every one has a review.", "Review")
            return Response(303, TEXT, b"", {"Location": address})
        content = self._desk.visit(name, visit_id, query, visitor)
        if content is None:
            return self._message(404, *_GONE, "Review")
        return self._page("Review", "Review", *content, script="review.js")

    def _now(self, _query: Query, _visitor: Visitor) -> Response:
        if not self._source.has_camera:
            return Response(303, TEXT, b"", {"Location": "/visits"})
        return self._page("Now", "Now", *now_page(), script="now.js")

    def _latest(self, _query: Query, _visitor: Visitor) -> Response:
        return Response(200, HTML, latest_tiles(self._library().visits(parse_filter({}), limit=8)).encode("utf-8"))

    def _state(self, _query: Query, _visitor: Visitor) -> Response:
        state = self._source.state()
        return Response(200, JSON, json.dumps({"state": state.code, "words": state.words}).encode())

    def _visits(self, query: Query, visitor: Visitor) -> Response:
        library, chosen = self._library(), parse_filter(query)
        found = library.visits(chosen, _number(query, "before"), _number(query, "after"))
        picks = visitor.may_write and "select" in query
        bar = several_bar(self._desk.labels(), f"/visits{chosen.query(select=1)}") if picks else None
        content = visits_page(found, chosen, library.labels(), datetime.now(), bar)
        if visitor.may_write and not picks and found.events:
            several = tag("a", "Select several", href=f"/visits{chosen.query(select=1)}", class_="button")
            content.append(tag("p", several))
        return self._page("Visits", "Visits", note_of(query, "/visits"), *content, script="review.js")

    def _visit(self, visit_id: str, query: Query, visitor: Visitor) -> Response:
        chosen = parse_filter(query)
        one = self._library().visit(visit_id, chosen)
        if one is None:
            return self._message(404, *_GONE)
        panel = self._desk.panel(one, chosen, visitor)
        content = visit_page(one, chosen, panel, note_of(query, "/visits"))
        return self._page("Visit", "Visits", *content, script="review.js")

    def _species(self, _query: Query, _visitor: Visitor) -> Response:
        return self._page("Species", "Species", *species_page(self._library().species()))

    def _calendar(self, query: Query, _visitor: Visitor) -> Response:
        library = self._library()
        ends = library.ends()
        last = date.today() if ends is None else ends[1]
        month = parse_day(f"{query.get('month', '')}-01") or last.replace(day=1)
        return self._page("Calendar", "Calendar", *calendar_page(library.month(month), ends))

    def _camera(self, _query: Query, _visitor: Visitor) -> Response:
        status = self._source.status()
        return self._page("Camera", "Camera", *camera_page(self._source.facts(), status.get("health", ())))

    def _picture(self, kind: str, visit_id: str) -> Response:
        path = self._source.visit_picture(visit_id)
        content = None if path is None else self._read(kind, path)
        if content is None:
            return Response(404, TEXT, b"This picture has been deleted.\n")
        return Response(200, JPEG, content, {"Cache-Control": _KEEP})

    def _read(self, kind: str, path: Path) -> bytes | None:
        if kind == "thumbs":
            return self._thumbnails.thumbnail(path)
        if kind == "views":
            return self._thumbnails.view(path)
        try:
            return path.read_bytes()
        except OSError:
            return None  # deleted for space


def name_cookie(name: str) -> str:
    """Return the cookie with the name of a reviewer."""
    return f"trailcam_reviewer={quote(name)}; Path=/; HttpOnly; SameSite=Strict; Max-Age={_NAME_S}"


def _number(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None
