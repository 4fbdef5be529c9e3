"""The frame of every page: head, name and state of the camera, navigation."""

from dataclasses import dataclass

from trailcam_edge.live.pages.assets import Assets
from trailcam_edge.live.pages.markup import Child, Html, join, tag

_ICONS = {  # paths on a field of 24 by 24
    "Now": "M4 7h3l2-2h6l2 2h3v12H4z M12 9.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7",
    "Visits": "M4 4h7v7H4z M13 4h7v7h-7z M4 13h7v7H4z M13 13h7v7h-7z",
    "Species": "M12 13c-3 0-5 3-5 5 0 3 3 2 5 2s5 1 5-2c0-2-2-5-5-5 M6 9a1.5 2 0 1 0 .1 0 M10 5a1.5 2 0 1 0 .1 0 "
    "M14 5a1.5 2 0 1 0 .1 0 M18 9a1.5 2 0 1 0 .1 0",
    "Calendar": "M4 6h16v14H4z M4 10h16 M8 3v5 M16 3v5",
    "Review": "M4 12l5 5L20 6",
    "Camera": "M12 3v3 M12 18v3 M3 12h3 M18 12h3 M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
}
_PLACES = (
    ("Now", "/"),
    ("Visits", "/visits"),
    ("Species", "/species"),
    ("Calendar", "/calendar"),
    ("Review", "/review"),
    ("Camera", "/camera"),
)
_OF_STORE = ("Visits", "Species", "Calendar", "Review")


@dataclass(frozen=True)
class Shell:
    """What the frame of a page shows: name of the camera, its state, and which pages there are."""

    assets: Assets
    name: str
    state: str
    state_text: str
    has_camera: bool = True
    has_store: bool = True

    def page(self, title: str, active: str, *content: Child, script: str | None = None) -> bytes:
        """Return a whole page.

        Args:
            title: of the page.
            active: its entry in the navigation.
            content: of the element ``main``.
            script: a further script file.
        """
        heading = self.name if title == active == "Now" else f"{title} · {self.name}"
        body = tag(
            "body",
            tag("a", "Skip to content", href="#main", class_="skip"),
            self._header(active),
            tag("main", *content, id="main"),
        )
        scripts = [tag("script", src=self.assets.path(name), defer=True) for name in ("pages.js", script) if name]
        return document(self.assets, heading, body, scripts)

    def _header(self, active: str) -> Html:
        state = tag(
            "p",
            tag("i", aria_hidden="true"),
            tag("span", self.state_text),
            id="state",
            role="status",
            data_state=self.state,
        )
        return tag(
            "header",
            tag("a", tag("b", self.name), href="/" if self.has_camera else "/visits", class_="brand"),
            state if self.has_camera else None,
            tag("nav", [self._place(name, path, active) for name, path in _PLACES], aria_label="Pages"),
        )

    def _place(self, name: str, path: str, active: str) -> Html | None:
        if (name in _OF_STORE and not self.has_store) or (name in ("Now", "Camera") and not self.has_camera):
            return None
        return tag("a", icon(name), tag("span", name), href=path, aria_current="page" if name == active else None)


def icon(name: str) -> Html:
    """Return a drawing that screen readers leave out."""
    return tag("svg", tag("path", d=_ICONS[name]), viewBox="0 0 24 24", class_="icon", aria_hidden="true")


def document(assets: Assets, title: str, body: Html, scripts: Child = None) -> bytes:
    """Return an HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href=assets.path("pages.css")),
        scripts,
    )
    return join((Html("<!doctype html>\n"), tag("html", head, body, lang="en"))).encode("utf-8")


def login_page(assets: Assets, message: str) -> bytes:
    """Return the form for the token, with a message above it."""
    form = tag(
        "form",
        tag("label", "Token of this camera", for_="token"),
        tag(
            "input",
            id="token",
            name="token",
            type="password",
            autocomplete="current-password",
            required=True,
            autofocus=True,
        ),
        tag("button", "Look", class_="primary"),
        method="post",
        action="/login",
    )
    body = tag(
        "body", tag("main", tag("h1", "Trailcam"), tag("p", message, role="alert"), form, class_="login"), class_="bare"
    )
    return document(assets, "Trailcam: token needed", body)


def message_page(shell: Shell, title: str, active: str, words: str) -> bytes:
    """Return a page with one message."""
    return shell.page(title, active, tag("h1", title), tag("p", words, class_="empty"))
