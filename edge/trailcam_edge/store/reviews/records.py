"""Reviews of visits, and the combined answer of one visit. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from trailcam_core.records import FieldError, shown
from trailcam_edge.events import NOTHING
from trailcam_edge.store.records import iso_time

Verdict = Literal["confirmed", "label", "nothing", "wrong", "deleted", "withdrawn"]
Chosen = Literal["random", "unsure", "unknown", "rare", "quiet", "list"]
VERDICTS = get_args(Verdict)
CHOSEN = get_args(Chosen)
MAX_NAME = 80  # characters of a label or a reviewer


class Review(NamedTuple):
    """One stored answer of a reviewer.

    ``verdict`` is "confirmed" (the label of the event is right), "label" (it is ``label`` instead), "nothing" (no
    animal), "wrong" (the label is wrong, the right one is not known), "deleted" (to be left out everywhere) or
    "withdrawn" (this reviewer has no answer any more). ``chosen`` is the reason for which the visit was chosen;
    ``unix_s`` is None while the clock was not set.
    """

    review_id: int
    visit_id: str
    reviewer: str
    verdict: str
    label: str | None
    chosen: str
    origin: str
    unix_s: float | None


@dataclass(frozen=True)
class NewReview:
    """An answer to be stored; the fields are those of ``Review``."""

    visit_id: str
    reviewer: str
    verdict: Verdict
    label: str | None
    chosen: Chosen
    origin: str

    def __post_init__(self) -> None:
        """Refuse what cannot be an answer."""
        if self.verdict not in VERDICTS or self.chosen not in CHOSEN:
            raise FieldError("verdict", f"verdict is {shown(self.verdict)}, expected one of {', '.join(VERDICTS)}")
        if (self.verdict == "label") != (self.label is not None):
            raise FieldError(
                "label", f"label is {shown(self.label)}, expected one with the verdict label and only then"
            )
        for name, text in (("label", "none" if self.label is None else self.label), ("reviewer", self.reviewer)):
            if not 0 < len(text) <= MAX_NAME or text != text.strip() or not text.isprintable():
                raise FieldError(name, f"{name} is {shown(text)}, expected 1 to {MAX_NAME} printable characters")


@dataclass(frozen=True)
class Standing:
    """The combined answer of the reviews of one visit.

    The newest answer of each reviewer counts, and of these the newest is ``review``. ``disputed`` is True if reviewers
    differ; labels that differ by case are the same.
    """

    review: Review
    reviewers: tuple[str, ...]
    disputed: bool


def standing(reviews: Iterable[Review]) -> Standing | None:
    """Return the combined answer of the reviews of one visit, None without any."""
    newest: dict[str, Review] = {}
    for review in sorted(reviews):
        newest[review.reviewer] = review
    answers = sorted(review for review in newest.values() if review.verdict != "withdrawn")
    if not answers:
        return None
    different = {(review.verdict, (review.label or "").casefold()) for review in answers}
    return Standing(answers[-1], tuple(review.reviewer for review in answers), len(different) > 1)


def reviewed_label(label: str, found: Standing | None) -> str | None:
    """Return what a visit with this label shows according to its reviews.

    That is a label or "nothing"; None if it has no review, was deleted, or is of an unknown other kind.
    """
    if found is None or found.review.verdict in ("wrong", "deleted"):
        return None
    if found.review.verdict == "nothing":
        return NOTHING
    return label if found.review.verdict == "confirmed" else found.review.label


def review_json(found: Standing | None) -> dict[str, Any] | None:
    """Return the JSON object of a combined answer, None without any."""
    if found is None:
        return None
    review = found.review
    return {
        "verdict": review.verdict,
        "label": review.label,
        "reviewers": list(found.reviewers),
        "disputed": found.disputed,
        "time": iso_time(review.unix_s),
        "chosen": review.chosen,
        "origin": review.origin,
    }
