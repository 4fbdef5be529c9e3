"""The current picture with the last visits, and the page about the camera."""

from collections.abc import Sequence

from trailcam_edge.live.pages.filters import VisitFilter
from trailcam_edge.live.pages.library import Visits
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.live.pages.tiles import tile

Row = tuple[str, str, bool]


def now_page() -> list[Child]:
    """Return the content of the page with the current picture; its script fills it."""
    view = tag(
        "div",
        tag("img", id="picture", alt="Picture of the camera, none yet", width=1280, height=720),
        tag("svg", id="marks", aria_hidden="true", preserveAspectRatio="none"),
        id="view",
    )
    caption = tag(
        "figcaption",
        tag("span", "...", id="label"),
        tag("meter", id="meter", min=0, max=1, value=0, aria_label="Confidence", hidden=True),
        tag("span", id="confidence", class_="score"),
    )
    return [
        tag("h1", "Now", class_="hidden"),
        tag(
            "div",
            tag(
                "section",
                tag("figure", view, caption, class_="large"),
                tag("p", "Visits under way: ", tag("span", "none", id="open"), class_="soft"),
                tag("p", id="notice", role="alert"),
                aria_label="Current picture",
            ),
            tag(
                "section",
                tag("h2", "Last visits ", tag("span", id="today", class_="soft")),
                tag("ul", tag("li", "None yet.", class_="soft"), id="visits", class_="tiles few"),
                class_="card",
            ),
            class_="stage",
        ),
        tag("ul", id="problems", class_="problems", aria_label="Problems"),
        tag(
            "section",
            tag("h2", "Visits by hour and day"),
            tag("div", tag("div", id="hours"), tag("div", id="days"), class_="charts"),
            tag("ul", id="legend", class_="legend"),
            class_="card",
        ),
    ]


def latest_tiles(found: Visits) -> Html:
    """Return the last visits as items of a list, for the page with the current picture."""
    chosen = VisitFilter()
    return Html(
        "".join(
            tile(event, found.standings.get(event.visit_id), chosen, number)
            for number, event in enumerate(found.events)
        )
    )


def camera_page(facts: Sequence[tuple[str, str]], health: Sequence[Row], notes: Child = None) -> list[Child]:
    """Return the content of the page about the camera.

    Args:
        facts: what camera this is.
        health: name, text and True if normal, for each value.
        notes: further sections.
    """
    known = [tag("div", tag("dt", name), tag("dd", text)) for name, text in facts]
    rows = [tag("div", tag("dt", name), tag("dd", text, class_=None if good else "bad")) for name, text, good in health]
    return [
        tag("h1", "Camera"),
        tag("section", tag("h2", "This camera"), tag("dl", known, class_="facts"), class_="card"),
        tag("section", tag("h2", "Health"), tag("dl", rows, class_="facts", id="health"), class_="card"),
        notes,
    ]
