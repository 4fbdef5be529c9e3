"""The list of visits with its filter, and the page of one visit."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby

from trailcam_core.files.names import counted
from trailcam_edge.live.pages.filters import CONFIDENCES, REVIEW_STATES, VisitFilter, percent_of
from trailcam_edge.live.pages.library import OneVisit, Visits
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.live.pages.tiles import clock_time, day_and_time, day_heading, facts, shot, tile, verdict_words
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews.records import Review, Standing, standing


def visits_page(
    found: Visits, chosen: VisitFilter, labels: Mapping[str, int], now: datetime, tools: Child = None
) -> list[Child]:
    """Return the content of the list.

    Args:
        found: the visits to show.
        chosen: the filter that chose them.
        labels: number of visits of each label, to choose from.
        now: local time, for the words "today" and "yesterday".
        tools: buttons for several answers at once; with them each visit can be ticked.
    """
    days = [
        tag("section", tag("h2", words), tag("ul", _tiles(events, found, chosen, tools is not None), class_="tiles"))
        for words, events in _by_day(found.events, now)
    ]
    if not days:
        words = "No visits yet." if chosen.is_empty else "No visit passes this filter."
        days = [tag("p", words, class_="empty")]
    inside: Child = days if tools is None else tag("form", days, tools, method="post", action="/reviews", id="several")
    return [_filter_form(chosen, labels), inside, _pager(found, chosen)]


def visit_page(
    one: OneVisit, chosen: VisitFilter, tools: Child = None, message: Child = None, steps: Child = None
) -> list[Child]:
    """Return the content of the page of one visit.

    Args:
        one: the visit.
        chosen: the filter in which its neighbours are.
        tools: buttons to review it.
        message: what was saved last.
        steps: links to the neighbours, if not those of the filter.
    """
    event = one.event
    name = event.label
    percent = percent_of(name, event.confidence)
    alt = ", ".join(filter(None, (name, percent, day_and_time(event.started))))
    newer, older = (_neighbour(events, chosen) for events in (one.newer, one.older))
    steps = steps or tag(
        "nav",
        _step("Newer", newer, "newer", "prev"),
        tag("a", "All visits", href=f"/visits{chosen.query()}"),
        _step("Older", older, "older", "next"),
        class_="steps",
        aria_label="Neighbours",
    )
    said = standing(one.reviews)
    figure = tag(
        "figure",
        shot(event, f"/views/{event.visit_id}.jpg", alt=alt),
        tag(
            "figcaption",
            tag("h1", name),
            tag("meter", min=0, max=1, value=f"{event.confidence:.3f}", aria_label="Confidence") if percent else None,
            tag("span", percent, class_="score") if percent else None,
            tag("span", verdict_words(said), class_="verdict", data_verdict=said.review.verdict) if said else None,
        ),
        class_="large",
    )
    strip = [*reversed(one.newer), event, *one.older]
    return [
        steps,
        message,
        tag("div", tag("div", figure, _clip(event, name)), tools, class_="stage"),
        tag("section", tag("h2", "This visit"), _facts(event), class_="card"),
        _history(one.reviews),
        tag(
            "section",
            tag("h2", "Before and after"),
            tag("ul", [_small(each, chosen, each is event) for each in strip], class_="strip"),
            class_="card",
        )
        if len(strip) > 1
        else None,
    ]


def _clip(event: EventRecord, name: str) -> Html | None:
    """Return the player of a clip; nothing of it is fetched before it is started."""
    if event.clip is None:
        return None
    before_s = -(event.clip_offset_s or 0.0)
    words = f"It begins {before_s:.0f} s before the visit." if before_s >= 0.5 else "It begins with the visit."
    player = tag(
        "video",
        src=f"/{event.clip}",
        poster=f"/views/{event.visit_id}.jpg" if event.picture else None,
        controls=True,
        preload="none",
        playsinline=True,
        muted=True,
        width=960,
        height=540,
        aria_label=f"Clip of {name}, {day_and_time(event.started)}, without sound",
    )
    return tag("section", tag("h2", "Clip"), player, tag("p", words, class_="soft"), class_="clip")


def _tiles(events: list[EventRecord], found: Visits, chosen: VisitFilter, select: bool) -> list[Html]:
    places = {event.visit_id: number for number, event in enumerate(found.events)}
    return [
        tile(event, found.standings.get(event.visit_id), chosen, places[event.visit_id], select) for event in events
    ]


def _by_day(events: tuple[EventRecord, ...], now: datetime) -> list[tuple[str, list[EventRecord]]]:
    return [(words, list(group)) for words, group in groupby(events, lambda event: _heading(event, now))]


def _heading(event: EventRecord, now: datetime) -> str:
    """Return the day of a visit, and its station: visits of a card come station by station."""
    day = day_heading(event.started, now)
    return day if event.station is None else f"{event.station}: {day}"


def _filter_form(chosen: VisitFilter, labels: Mapping[str, int]) -> Html:
    names = [(label, f"{label} ({number:,})") for label, number in sorted(labels.items())]
    confidences = [(str(percent), f"from {percent}%") for percent in CONFIDENCES]
    states = [(key, words) for key, (words, _) in REVIEW_STATES.items()]
    return tag(
        "form",
        _select("label", "Label", "All labels", names, chosen.label),
        tag(
            "label",
            tag("span", "Day"),
            tag("input", type="date", name="day", value=None if chosen.day is None else str(chosen.day)),
        ),
        _select("confidence", "Confidence", "Any", confidences, str(chosen.confidence)),
        _select("review", "Review", "All", states, chosen.review),
        tag("button", "Show"),
        None if chosen.is_empty else tag("a", "Clear", href="/visits", class_="button"),
        class_="filter",
        method="get",
        action="/visits",
        role="search",
        aria_label="Filter visits",
    )


def _select(name: str, words: str, none: str, options: list[tuple[str, str]], chosen: str | None) -> Html:
    made = [tag("option", text, value=value, selected=value == chosen) for value, text in options]
    return tag("label", tag("span", words), tag("select", tag("option", none, value=""), made, name=name))


def _pager(found: Visits, chosen: VisitFilter) -> Html | None:
    if found.newer is None and found.older is None:
        return None
    newer = None if found.newer is None else f"/visits{chosen.query(after=found.newer)}"
    older = None if found.older is None else f"/visits{chosen.query(before=found.older)}"
    return tag(
        "nav",
        _step("Newer", newer, "newer", "prev"),
        _step("Older", older, "older", "next"),
        class_="steps",
        aria_label="More visits",
    )


def _neighbour(events: tuple[EventRecord, ...], chosen: VisitFilter) -> str | None:
    return f"/visits/{events[0].visit_id}{chosen.query()}" if events else None


def _step(words: str, address: str | None, name: str, rel: str) -> Html:
    """Return a link, or its words without one at the end of the list."""
    if address is None:
        return tag("span", words, class_=f"{name} off")
    return tag("a", words, href=address, class_=name, rel=rel)


def _small(event: EventRecord, chosen: VisitFilter, is_this: bool) -> Html:
    name = event.label
    link = tag(
        "a",
        shot(event, f"/thumbs/{event.visit_id}.jpg"),
        tag("span", f"{clock_time(event.started)} {name}"),
        href=f"/visits/{event.visit_id}{chosen.query()}",
        aria_current="true" if is_this else None,
    )
    return tag("li", link)


def _facts(event: EventRecord) -> Html:
    ended = "" if event.ended.unix_s is None else f" to {datetime.fromtimestamp(event.ended.unix_s):%H:%M:%S}"
    basis = {"clock": "", "unknown": ""}.get(event.started.basis, "The clock was not set then: the date is a bound.")
    return facts(
        [
            ("Time", day_and_time(event.started) + ended),
            ("Date", basis),
            ("Duration", f"{event.duration_s:.1f} s"),
            ("Votes", f"{counted(event.votes, 'vote')} in {counted(event.frames, 'frame')}"),
            ("Best confidence", percent_of(event.label, event.confidence, 1) or "not sure enough of any label"),
            ("Latency", f"{event.latency_ms:.0f} ms"),
            ("Bundle", event.bundle),
            ("Clip", tag("a", "download", href=f"/{event.clip}", download=True) if event.clip else None),
            ("Picture", tag("a", "full size", href=f"/pictures/{event.visit_id}.jpg") if event.picture else None),
        ]
    )


def _history(reviews: tuple[Review, ...]) -> Html | None:
    if not reviews:
        return None
    rows = [tag("li", _review_words(review)) for review in reviews]
    return tag("section", tag("h2", "Reviews"), tag("ol", rows, class_="history"), class_="card")


def _review_words(review: Review) -> str:
    when = "" if review.unix_s is None else f"{datetime.fromtimestamp(review.unix_s):%-d %b %Y, %H:%M}, "
    words = "withdrawn" if review.verdict == "withdrawn" else verdict_words(Standing(review, (), False))
    why = "" if review.chosen == "list" else f", chosen as {review.chosen}"
    return f"{when}{review.reviewer}: {words}{why} ({review.origin})"
