"""A visit as a tile: picture with box, label, confidence, time, and its reviews."""

from datetime import datetime

from trailcam_core.images.boxes import Box
from trailcam_edge.live.pages.filters import VisitFilter, percent_of
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.store.records import EventRecord, iso_time
from trailcam_edge.store.reviews.records import Standing
from trailcam_edge.store.wall_time import WallTime

_MISSING = {
    "none": "no picture",
    "dropped": "no room for a picture",
    "expired": "picture deleted for space",
    "missing": "picture is missing",
}
_SIGNS = {"not before": "after ", "not after": "before "}
_EAGER = 8  # pictures that are loaded at once; the others when they come into view


def tile(
    event: EventRecord, found: Standing | None, chosen: VisitFilter, number: int = _EAGER, select: bool = False
) -> Html:
    """Return the tile of one visit as an item of a list.

    Args:
        event: the visit.
        found: its reviews, combined.
        chosen: the filter that its page keeps.
        number: place in the list; the first pictures are loaded at once.
        select: True adds a box to tick, for several answers at once.
    """
    name, percent, when = event.label, percent_of(event.label, event.confidence), clock_time(event.started)
    said = verdict_words(found)
    has_clip = "with clip" if event.clip else ""
    words = ", ".join(filter(None, (name, percent, day_and_time(event.started), has_clip, said or "not reviewed")))
    link = tag(
        "a",
        shot(event, f"/thumbs/{event.visit_id}.jpg", "" if number < _EAGER else "lazy"),
        tag("span", name, class_="name"),
        tag("span", percent, class_="score") if percent else None,
        tag("span", "clip", class_="has-clip") if has_clip else None,
        tag("time", when, datetime=iso_time(event.started.unix_s)),
        tag("span", said, class_="verdict", data_verdict=found.review.verdict) if found is not None else None,
        href=f"/visits/{event.visit_id}{chosen.query()}",
        aria_label=words,
    )
    box = (
        tag(
            "label",
            tag("input", type="checkbox", name="visit", value=event.visit_id, aria_label=f"Select {words}"),
            class_="pick",
        )
        if select
        else None
    )
    return tag("li", link, box, class_="tile")


def shot(event: EventRecord, address: str, loading: str = "", alt: str = "") -> Html:
    """Return the picture of a visit with its box; where there is none, the reason."""
    if event.picture is None:
        return tag("span", tag("span", _MISSING.get(event.picture_state, "no picture")), class_="shot gone")
    image = tag("img", src=address, alt=alt, width=320, height=180, loading=loading or None, decoding="async")
    return tag("span", image, None if event.box is None else marks(event.box), class_="shot")


def marks(box: Box) -> Html:
    """Return the drawing of a box over a picture of any size; only attributes, because the policy refuses styles."""
    corners = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return tag(
        "svg",
        tag("rect", **{name: f"{100 * value:.2f}" for name, value in corners.items()}),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="marks",
    )


def verdict_words(found: Standing | None) -> str:
    """Return the reviews of a visit in few words, nothing without any."""
    if found is None:
        return ""
    review = found.review
    words = {
        "confirmed": "confirmed",
        "label": f"is {review.label or ''}",
        "nothing": "nothing there",
        "wrong": "wrong",
        "deleted": "deleted",
    }[review.verdict]
    return f"{words}, disputed" if found.disputed else words


def clock_time(time: WallTime) -> str:
    """Return the local time of day; a bound has a word in front."""
    if time.unix_s is None:
        return "time unknown"
    return f"{_SIGNS.get(time.basis, '')}{datetime.fromtimestamp(time.unix_s):%H:%M}"


def day_and_time(time: WallTime) -> str:
    """Return local day and time; a bound has a word in front."""
    if time.unix_s is None:
        return "time unknown"
    return f"{_SIGNS.get(time.basis, '')}{datetime.fromtimestamp(time.unix_s):%-d %b %Y, %H:%M:%S}"


def day_heading(time: WallTime, now: datetime) -> str:
    """Return the words for the local day of a visit."""
    if time.unix_s is None:
        return "Time unknown"
    day = datetime.fromtimestamp(time.unix_s).date()
    ago = (now.date() - day).days
    words = f"{day:%A, %-d %B %Y}"
    return {0: f"Today, {day:%-d %B}", 1: f"Yesterday, {day:%-d %B}"}.get(ago, words)


def facts(rows: list[tuple[str, Child]]) -> Html:
    """Return names and values; rows without a value are left out."""
    pairs = [tag("div", tag("dt", name), tag("dd", value)) for name, value in rows if value]
    return tag("dl", pairs, class_="facts")
