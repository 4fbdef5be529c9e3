"""How often the camera is right, from reviewed random visits, and what it misses. Pure functions.

Visits that people chose for being hard, rare or unknown do not represent the others, so only the random sample counts
(``chosen`` is "random"). Missed animals are those on pictures of random moments without a visit. Each fraction has its
95 % interval after Wilson.

Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927; the interval keeps
its level at small numbers, which the usual approximation does not (Brown, Cai, DasGupta, 2001).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_edge.events import BLANK_LABELS, PERSON_LABELS, UNKNOWN
from trailcam_edge.store.reviews.records import Standing, reviewed_label


class SampledVisit(NamedTuple):
    """One visit of the random sample: what the camera answered, its reviews, and its start, None while unknown."""

    bundle: str
    label: str
    found: Standing | None
    unix_s: float | None = None


class SampledMoment(NamedTuple):
    """One random moment without a visit: the bundle that watched, and the reviews of its picture."""

    bundle: str
    found: Standing | None
    unix_s: float | None = None


@dataclass(frozen=True)
class Precision:
    """Of ``number`` visits with this answer, ``right`` were right; ``low`` to ``high`` is the 95 % interval."""

    label: str
    right: int
    number: int
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval for people, such as "71% to 90%"."""
        return f"{self.low:.0%} to {self.high:.0%}"

    @property
    def share(self) -> str:
        """The fraction with its interval, such as "82% (71% to 90%)"; only of a number above 0."""
        return f"{self.right / self.number:.0%} ({self.interval})"


@dataclass(frozen=True)
class Missed:
    """Of ``number`` random moments without a visit, ``animals`` show one; ``low`` to ``high`` is the 95 % interval."""

    animals: int
    number: int
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval for people, such as "0.0% to 39.0%"."""
        return f"{self.low:.1%} to {self.high:.1%}"

    @property
    def share(self) -> str:
        """The fraction with its interval, such as "0.0% (0.0% to 39.0%)"; only of a number above 0."""
        return f"{self.animals / self.number:.1%} ({self.interval})"


@dataclass(frozen=True)
class BundleAccuracy:
    """Precision of one bundle version by label, and of all its labels together; and what it missed.

    ``disputed`` visits, on which reviewers differ, and ``deleted`` ones are left out. ``unnamed`` ones, which the
    camera called unknown, have no label that could be right. ``named`` is how many of the visits that show an animal
    have its name, those called unknown included.
    """

    bundle: str
    labels: tuple[Precision, ...]
    together: Precision
    disputed: int
    deleted: int
    unnamed: int
    named: Precision
    missed: Missed


def measure_accuracy(sample: Iterable[SampledVisit], moments: Iterable[SampledMoment] = ()) -> list[BundleAccuracy]:
    """Return the accuracy of every bundle of which a visit or a moment has a review, by name."""
    bundles: dict[str, tuple[list[SampledVisit], list[SampledMoment]]] = defaultdict(lambda: ([], []))
    for visit in sample:
        if visit.found is not None:
            bundles[visit.bundle][0].append(visit)
    for moment in moments:
        if moment.found is not None:
            bundles[moment.bundle][1].append(moment)
    return [_measure(bundle, *found) for bundle, found in sorted(bundles.items())]


def measure_together(sample: Iterable[SampledVisit], moments: Iterable[SampledMoment]) -> BundleAccuracy:
    """Return the accuracy of all bundles together, with an empty name."""
    return _measure("", [visit for visit in sample if visit.found is not None], list(moments))


def missed_json(found: Missed) -> dict[str, Any] | None:
    """Return the JSON object of missed animals, None if no moment has a review."""
    if not found.number:
        return None
    return {
        "animals": found.animals,
        "number": found.number,
        "fraction": round(found.animals / found.number, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }


def accuracy_json(found: BundleAccuracy) -> dict[str, Any]:
    """Return the JSON object of one bundle."""
    return {
        "bundle": found.bundle,
        "together": precision_json(found.together),
        "labels": {each.label: precision_json(each) for each in found.labels},
        "disputed": found.disputed,
        "deleted": found.deleted,
        "unnamed": found.unnamed,
        "named": precision_json(found.named),
        "missed": missed_json(found.missed),
    }


def shows_animal(found: Standing) -> bool | None:
    """Return whether the picture of a moment shows an animal; None if reviewers differ, or it was deleted.

    People are no animals.
    """
    verdict, label = found.review.verdict, (found.review.label or "").casefold()
    if found.disputed or verdict == "deleted":
        return None
    return verdict == "wrong" or (verdict == "label" and label not in (*BLANK_LABELS, *PERSON_LABELS))


def measure_missed(moments: Iterable[SampledMoment]) -> Missed:
    """Return how many of the reviewed moments show an animal."""
    answers = [shows_animal(moment.found) for moment in moments if moment.found is not None]
    known = [answer for answer in answers if answer is not None]
    return Missed(sum(known), len(known), *wilson_interval(sum(known), len(known)))


def _measure(bundle: str, visits: Sequence[SampledVisit], moments: Sequence[SampledMoment]) -> BundleAccuracy:
    right: dict[str, list[bool]] = defaultdict(list)
    named: list[bool] = []
    disputed = deleted = unnamed = 0
    for _, label, found, _ in visits:
        if found is None or found.disputed:
            disputed += 1
        elif found.review.verdict == "deleted":
            deleted += 1
        else:
            shown = reviewed_label(label, found)
            is_right = label != UNKNOWN and shown is not None and shown.casefold() == label.casefold()
            if (shown or "").casefold() not in (*BLANK_LABELS, *PERSON_LABELS):
                named.append(is_right)
            if label == UNKNOWN:
                unnamed += 1
            else:
                right[label].append(is_right)
    labels = tuple(_precision(label, answers) for label, answers in sorted(right.items()))
    every = [answer for answers in right.values() for answer in answers]
    together = _precision("", every)
    missed = measure_missed(moments)
    return BundleAccuracy(bundle, labels, together, disputed, deleted, unnamed, _precision("", named), missed)


def _precision(label: str, answers: Sequence[bool]) -> Precision:
    low, high = wilson_interval(sum(answers), len(answers)) if answers else (0.0, 1.0)
    return Precision(label, sum(answers), len(answers), low, high)


def precision_json(found: Precision) -> dict[str, Any]:
    """Return the JSON object of a fraction."""
    return {
        "right": found.right,
        "number": found.number,
        "precision": round(found.right / found.number, 4) if found.number else None,
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }
