"""Species, calendar and accuracy: what came by, when, and how often the camera was right."""

from collections.abc import Sequence
from datetime import date, timedelta

from trailcam_core.files.names import counted
from trailcam_edge.live.pages.filters import VisitFilter, percent_of
from trailcam_edge.live.pages.library import Day, Species
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.live.pages.tiles import day_and_time, shot
from trailcam_edge.store.reviews.accuracy import BundleAccuracy, Missed, Precision
from trailcam_edge.store.reviews.weeks import Drift, Week, drift_words

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LEVELS = 5  # shades of a day, by its share of the busiest one


def species_page(found: list[Species]) -> list[Child]:
    """Return the content of the list of labels."""
    if not found:
        return [tag("h1", "Species"), tag("p", "No visits yet.", class_="empty")]
    total = sum(each.count for each in found)
    words = f"{counted(len(found), 'label')}, {counted(total, 'visit')}."
    return [
        tag("h1", "Species"),
        tag("p", words, class_="soft"),
        tag("ul", [_species(each) for each in found], class_="species"),
    ]


def calendar_page(days: list[Day], ends: tuple[date, date] | None) -> list[Child]:
    """Return the content of one month; ``ends`` are the first and last day with visits."""
    first, after = days[0].day, days[-1].day + timedelta(days=1)
    before = first - timedelta(days=1)
    most = max(1, *(day.total for day in days))
    rows: list[list[Child]] = [[tag("td") for _ in range(first.weekday())]]
    for day in days:
        if len(rows[-1]) == 7:
            rows.append([])
        rows[-1].append(_day(day, most))
    steps = tag(
        "nav",
        _month_step(f"{before:%b}", before, "newer", ends is not None and ends[0] < first),
        tag("h1", f"{first:%B %Y}"),
        _month_step(f"{after:%b}", after, "older", ends is not None and ends[1] >= after),
        class_="steps",
        aria_label="Months",
    )
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in _WEEKDAYS]))
    table = tag("table", head, tag("tbody", [tag("tr", row) for row in rows]), class_="month")
    total = sum(day.total for day in days)
    return [steps, tag("p", f"{counted(total, 'visit')} in this month.", class_="soft"), table]


def accuracy_table(bundles: Sequence[BundleAccuracy]) -> Html:
    """Return how often each bundle was right, from reviewed random visits."""
    if not bundles:
        words = 'Not known yet: no visit of "Random visits" has been reviewed. Other reviews are of chosen visits.'
        return tag("section", tag("h1", "Accuracy at this camera"), tag("p", words, class_="soft"))
    tables = [
        tag(
            "div",
            tag("h2", bundle.bundle),
            tag(
                "table",
                tag(
                    "thead",
                    tag(
                        "tr",
                        [tag("th", name, scope="col") for name in ("Label", "Right", "Precision", "95 % interval")],
                    ),
                ),
                tag("tbody", [_accuracy_row(each) for each in (*bundle.labels, bundle.together)]),
                class_="accuracy",
            ),
            tag("p", _named_words(bundle.named)),
            tag("p", _missed_words(bundle.missed)),
            class_="scroll",
        )
        for bundle in bundles
    ]
    note = "From reviewed random visits. The true value is within the interval in 95 of 100 cases."
    return tag("section", tag("h1", "Accuracy at this camera"), tag("p", note, class_="soft"), tables)


def week_table(weeks: Sequence[Week], drifts: Sequence[Drift]) -> Html | None:
    """Return the same by week, with what differs beyond chance; None without any week."""
    if not weeks:
        return None
    names = ["Week", "Right", "95 % interval", "Named", "95 % interval"]
    has_missed = any(week.missed.number for week in weeks)
    names += ["Missed", "95 % interval"] if has_missed else []
    head = tag("tr", [tag("th", name, scope="col") for name in (*names, "Bundle")])
    rows = [
        tag("tr", tag("th", week.name, scope="row"), [tag("td", text) for text in _cells(week, has_missed)])
        for week in weeks
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="accuracy")
    notes = [tag("p", drift_words(drift), role="note") for drift in drifts]
    return tag("section", tag("h2", "By week"), notes, tag("div", table, class_="scroll"))


def _cells(week: Week, has_missed: bool) -> tuple[str, ...]:
    right, named, missed = week.together, week.named, week.missed
    return (
        f"{right.right} of {right.number}",
        right.interval if right.number else "",
        f"{named.right} of {named.number}",
        named.interval if named.number else "",
        *(
            (f"{missed.animals} of {missed.number}", missed.interval)
            if missed.number
            else ("", "")
            if has_missed
            else ()
        ),
        ", ".join(week.bundles),
    )


def _named_words(found: Precision) -> str:
    if not found.number:
        return "Animals named right: not known."
    return f"Animals named right: {found.right} of {found.number}, {found.share}, with those that were called unknown."


def _missed_words(found: Missed) -> str:
    if not found.number:
        return "Missed animals: not known; no random quiet moment has been reviewed."
    return f"Missed animals: {found.animals} of {found.number} random quiet moments show one, {found.share}."


def _species(each: Species) -> Html:
    name = each.label
    picture = each.best or each.last
    best = percent_of(name, picture.confidence)
    return tag(
        "li",
        tag(
            "a",
            shot(picture, f"/thumbs/{picture.visit_id}.jpg", "lazy"),
            tag("span", name, class_="name"),
            tag("span", f"{each.count:,}", class_="score"),
            href=f"/visits{VisitFilter(each.label).query()}",
            aria_label=f"{name}, {counted(each.count, 'visit')}",
        ),
        tag("p", "first ", _seen(each, True), tag("br"), "last ", _seen(each, False)),
        tag("p", tag("a", ", ".join(filter(None, ("best picture", best))), href=_address(picture.visit_id)))
        if each.best is not None
        else None,
        class_="tile",
    )


def _seen(each: Species, is_first: bool) -> Html:
    event = each.first if is_first else each.last
    return tag("a", day_and_time(event.started).rpartition(":")[0] or "unknown", href=_address(event.visit_id))


def _address(visit_id: str) -> str:
    return f"/visits/{visit_id}"


def _day(day: Day, most: int) -> Html:
    number = tag("span", day.day.day, class_="date")
    if not day.total:
        return tag("td", number)
    level = -(-day.total * _LEVELS // most)
    labels = ", ".join(f"{label} {count}" for label, count in day.counts)
    link = tag(
        "a",
        number,
        tag("b", f"{day.total:,}"),
        tag("small", day.counts[0][0]),
        href=f"/visits{VisitFilter(day=day.day).query()}",
        aria_label=f"{day.day:%-d %B}: {counted(day.total, 'visit')}: {labels}",
        title=labels,
    )
    return tag("td", link, data_level=level)


def _month_step(words: str, day: date, name: str, is_on: bool) -> Html:
    if not is_on:
        return tag("span", words, class_=f"{name} off")
    return tag("a", words, href=f"/calendar?month={day:%Y-%m}", class_=name)


def _accuracy_row(found: Precision) -> Html:
    share = f"{found.right / found.number:.0%}" if found.number else ""
    cells = (f"{found.right} of {found.number}", share, found.interval)
    return tag("tr", tag("th", found.label or "all labels", scope="row"), [tag("td", text) for text in cells])
