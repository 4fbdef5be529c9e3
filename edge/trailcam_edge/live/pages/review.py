"""Reviews on the pages: buttons with one key per answer, several visits at once, undo; and the reading of forms."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from trailcam_core.records import FieldError
from trailcam_edge.events import NOTHING, UNKNOWN
from trailcam_edge.live.pages.markup import Child, Html, tag
from trailcam_edge.store.records import EventRecord
from trailcam_edge.store.reviews.records import CHOSEN, MAX_NAME, VERDICTS, NewReview
from trailcam_edge.store.reviews.tables import Saved

_MAX_BUTTONS = 8  # labels with a key, 1 to 8
_MAX_SEVERAL = 100
_MORE_FIELDS = 8  # of a form, beside the visits
_RANGE = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
_LOCAL = re.compile(r"/(?:visits|review)[A-Za-z0-9/._~?&=%+-]{0,600}")
_NAMED = {"confirmed": "Right", "nothing": "Nothing there", "wrong": "Wrong", "deleted": "Delete"}

Form = Mapping[str, Sequence[str]]
Button = tuple[str, str, str, str | None]  # verdict, words, key and class


@dataclass(frozen=True)
class Visitor:
    """Who asks: ``name`` for reviews, ``place`` is from where, ``may_write`` is True for a client with the token."""

    may_write: bool = False
    name: str = "reviewer"
    place: str = "live page"


@dataclass(frozen=True)
class Step:
    """Where a review leads: ``chosen`` is why the visit is reviewed, ``after`` the address to go to."""

    chosen: str
    after: str


def answer_panel(event: EventRecord, labels: Sequence[str], step: Step, visitor: Visitor) -> Html:
    """Return the buttons for one visit; ``labels`` are the known ones, the likeliest first."""
    others = [label for label in labels if label.casefold() != event.label.casefold()]
    named = [label for label in others if label not in (UNKNOWN, NOTHING)]
    first = None if event.label in (UNKNOWN, NOTHING) else ("confirmed", f"It is {event.label}", "c", "primary wide")
    rest = (("nothing", "Nothing there", "n", None), ("wrong", "Wrong", "w", None), ("deleted", "Delete", "d", None))
    return answer_forms(event.visit_id, first, named, rest, labels, step, visitor)


def answer_forms(
    name: str,
    first: Button | None,
    named: Sequence[str],
    rest: Sequence[Button],
    labels: Sequence[str],
    step: Step,
    visitor: Visitor,
) -> Html:
    """Return the forms for one visit or sample.

    Args:
        name: of the visit or sample.
        first: verdict, words, key and class of the likeliest answer.
        named: labels that get a button.
        rest: the other answers.
        labels: those to type.
        step: why it is reviewed, and what comes next.
        visitor: who answers.
    """
    fields = [
        tag("input", type="hidden", name="visit", value=name),
        tag("input", type="hidden", name="chosen", value=step.chosen),
        tag("input", type="hidden", name="after", value=step.after),
    ]
    answers = tag(
        "form",
        fields,
        None if first is None else _button(*first),
        [_button(f"label:{label}", label, str(number)) for number, label in enumerate(named[:_MAX_BUTTONS], 1)],
        [_button(*each) for each in rest],
        method="post",
        action="/reviews",
        class_="answers",
    )
    other = tag(
        "form",
        fields,
        tag(
            "label",
            "Another label",
            tag(
                "input",
                name="label",
                list="labels",
                maxlength=MAX_NAME,
                required=True,
                data_key="o",
                autocomplete="off",
            ),
        ),
        tag("button", "Save", name="verdict", value="label"),
        tag("datalist", [tag("option", value=label) for label in labels], id="labels"),
        method="post",
        action="/reviews",
        class_="other",
    )
    who = tag("p", f"Reviewing as {visitor.name}. ", tag("a", "Change", href="/review#name"), class_="soft")
    return tag("section", answers, other, who, class_="review card", aria_label="Your answer")


def several_bar(labels: Sequence[str], after: str) -> Html:
    """Return the bar with the answers for all visits that are ticked."""
    return tag(
        "div",
        tag("input", type="hidden", name="chosen", value="list"),
        tag("input", type="hidden", name="after", value=after),
        tag("button", "All", type="button", data_key="a", id="all"),
        [
            tag("button", _NAMED[verdict], name="verdict", value=verdict)
            for verdict in ("confirmed", "nothing", "wrong", "deleted")
        ],
        tag("label", "Label", tag("input", name="label", list="labels", maxlength=MAX_NAME, autocomplete="off")),
        tag("button", "Set label", name="verdict", value="label"),
        tag("datalist", [tag("option", value=label) for label in labels], id="labels"),
        class_="several",
        role="group",
        aria_label="Answer for the ticked visits",
    )


def done_note(done: str, gone: str, here: str) -> Html | None:
    """Return what was saved last, with a button to undo it; ``here`` is the address to return to."""
    found = _RANGE.fullmatch(done)
    if found is None:
        return tag("p", _gone_words(gone), class_="done", role="status") if gone.isdigit() and int(gone) else None
    number = int(found[2]) - int(found[1]) + 1
    words = "Answer saved." if number == 1 else f"{number} answers saved."
    undo = tag(
        "form",
        tag("input", type="hidden", name="rows", value=done),
        tag("input", type="hidden", name="after", value=here),
        tag("button", "Undo", tag("kbd", "u"), data_key="u"),
        method="post",
        action="/undo",
    )
    return tag("div", tag("span", f"{words} {_gone_words(gone)}", role="status"), undo, class_="done")


def queues_page(queues: Sequence[tuple[str, str, str, int]], visitor: Visitor) -> list[Child]:
    """Return the content of the page with the queues: name, words, reason and number of each."""
    rows = [
        tag(
            "li",
            tag(
                "a",
                tag("b", words),
                tag("span", why, class_="soft"),
                tag("span", _count_words(number), class_="count"),
                href=f"/review/{name}",
            ),
        )
        for name, words, why, number in queues
    ]
    name_form = tag(
        "form",
        tag(
            "label",
            tag("span", "Your name"),
            tag("input", name="reviewer", value=visitor.name, maxlength=MAX_NAME, required=True),
        ),
        tag("button", "Save"),
        method="post",
        action="/reviewer",
        class_="filter",
        id="name",
    )
    several = tag("a", "Select several", href="/visits?select=1", class_="button")
    accuracy = tag("a", "Accuracy", href="/accuracy", class_="button")
    write = (
        [
            tag("ul", rows, class_="queues"),
            tag("p", several, " ", accuracy),
            tag("section", tag("h2", "Reviewer"), name_form, class_="card"),
        ]
        if visitor.may_write
        else [tag("p", _READ_ONLY, class_="empty"), tag("p", accuracy)]
    )
    return [tag("h1", "Review"), *write]


_READ_ONLY = (
    "Answers can be given by who has the token of this camera. It has none: set token_file in [live], or use "
    '"trailcam review STORE" on your computer.'
)


def parse_form(text: str) -> dict[str, list[str]]:
    """Return the fields of an encoded form.

    Raises:
        FieldError: it has too many of them.
    """
    try:
        return parse_qs(text, max_num_fields=_MAX_SEVERAL + _MORE_FIELDS)
    except ValueError as error:
        raise FieldError("form", f"more than {_MAX_SEVERAL} visits at once") from error


def parse_reviews(form: Form, known: Sequence[str], visitor: Visitor) -> list[NewReview]:
    """Return the answers of a form.

    Args:
        form: the values of each field.
        known: labels in use; one that differs by case takes their spelling.
        visitor: who answers.

    Raises:
        FieldError: the form is not one of these pages.
    """
    visits = form.get("visit", ())
    verdict, _, button = _one(form, "verdict").partition(":")
    label = spell_like(button or _one(form, "label"), known) if verdict == "label" else None
    chosen = _one(form, "chosen") or "list"
    if not visits or len(visits) > _MAX_SEVERAL:
        raise FieldError("visit", f"{len(visits)} visits are ticked, expected 1 to {_MAX_SEVERAL}")
    if verdict not in VERDICTS or verdict == "withdrawn" or chosen not in CHOSEN:
        raise FieldError("verdict", "this is no answer")
    return [
        NewReview(visit_id, visitor.name, verdict, label, chosen, visitor.place)  # type: ignore[arg-type]  # checked
        for visit_id in dict.fromkeys(visits)
    ]


def parse_rows(form: Form) -> range:
    """Return the numbers of the rows that a form undoes; none if it names none."""
    found = _RANGE.fullmatch(_one(form, "rows"))
    if found is None or not 0 <= int(found[2]) - int(found[1]) < _MAX_SEVERAL:
        return range(0)
    return range(int(found[1]), int(found[2]) + 1)


def parse_after(form: Form) -> str:
    """Return the address of this camera to go to after a form."""
    after = _one(form, "after")
    return after if _LOCAL.fullmatch(after) else "/review"


def with_result(address: str, saved: Saved) -> str:
    """Return an address with the result: what was saved."""
    first = f"{saved.review_ids[0]}-{saved.review_ids[-1]}" if saved.review_ids else ""
    fields = [f"done={first}"] if first else []
    fields += [f"gone={len(saved.gone)}"] if saved.gone else []
    return address + ("&" if "?" in address else "?") + "&".join(fields) if fields else address


def spell_like(label: str, known: Sequence[str]) -> str:
    """Return a label without needless spaces, spelled like a known one that differs only by case."""
    label = " ".join(label.split())
    return next((other for other in known if other.casefold() == label.casefold()), label)


def _one(form: Form, name: str) -> str:
    values = form.get(name, ())
    return values[0] if values else ""


def _button(value: str, words: str, key: str, kind: str | None = None) -> Html:
    return tag("button", words, tag("kbd", key), name="verdict", value=value, data_key=key, class_=kind)


def _gone_words(gone: str) -> str:
    number = int(gone) if gone.isascii() and gone.isdigit() and len(gone) < 4 else 0
    return (
        f"{number} of them are gone from the store."
        if number > 1
        else "The visit is gone from the store."
        if number
        else ""
    )


def _count_words(number: int) -> str:
    return "more than 99 left" if number > 99 else "none left" if not number else f"{number} left"
