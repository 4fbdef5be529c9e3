"""How often the camera is right, from reviewed random visits. Pure functions.

Visits that people chose for being hard, rare or unknown do not represent the others, so only the random sample counts
(``chosen`` is "random"). Each fraction has its 95 % interval after Wilson.

Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927; the interval keeps
its level at small numbers, which the usual approximation does not (Brown, Cai, DasGupta, 2001).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from trailcam_core.statistics.wilson import wilson_interval
from trailcam_edge.events import UNKNOWN
from trailcam_edge.store.reviews.records import Standing, reviewed_label


class SampledVisit(NamedTuple):
    """One visit of the random sample: what the camera answered, and its reviews."""

    bundle: str
    label: str
    found: Standing | None


@dataclass(frozen=True)
class Precision:
    """Of ``number`` visits with this answer, ``right`` were right; ``low`` to ``high`` is the 95 % interval."""

    label: str
    right: int
    number: int
    low: float
    high: float


@dataclass(frozen=True)
class BundleAccuracy:
    """Precision of one bundle version by label, and of all its labels together.

    ``disputed`` visits, on which reviewers differ, and ``deleted`` ones are left out. ``unnamed`` ones, which the
    camera called unknown, have no label that could be right.
    """

    bundle: str
    labels: tuple[Precision, ...]
    together: Precision
    disputed: int
    deleted: int
    unnamed: int


def measure_accuracy(sample: Iterable[SampledVisit]) -> list[BundleAccuracy]:
    """Return the accuracy of every bundle of which the random sample has a visit, by name."""
    bundles: dict[str, list[SampledVisit]] = defaultdict(list)
    for visit in sample:
        if visit.found is not None:
            bundles[visit.bundle].append(visit)
    return [_measure(bundle, visits) for bundle, visits in sorted(bundles.items())]


def accuracy_json(found: BundleAccuracy) -> dict[str, Any]:
    """Return the JSON object of one bundle."""
    return {
        "bundle": found.bundle,
        "together": _precision_json(found.together),
        "labels": {each.label: _precision_json(each) for each in found.labels},
        "disputed": found.disputed,
        "deleted": found.deleted,
        "unnamed": found.unnamed,
    }


def _measure(bundle: str, visits: Sequence[SampledVisit]) -> BundleAccuracy:
    right: dict[str, list[bool]] = defaultdict(list)
    disputed = deleted = unnamed = 0
    for _, label, found in visits:
        if found is None or found.disputed:
            disputed += 1
        elif found.review.verdict == "deleted":
            deleted += 1
        elif label == UNKNOWN:
            unnamed += 1
        else:
            shown = reviewed_label(label, found)
            right[label].append(shown is not None and shown.casefold() == label.casefold())
    labels = tuple(_precision(label, answers) for label, answers in sorted(right.items()))
    every = [answer for answers in right.values() for answer in answers]
    return BundleAccuracy(bundle, labels, _precision("", every), disputed, deleted, unnamed)


def _precision(label: str, answers: Sequence[bool]) -> Precision:
    low, high = wilson_interval(sum(answers), len(answers)) if answers else (0.0, 1.0)
    return Precision(label, sum(answers), len(answers), low, high)


def _precision_json(found: Precision) -> dict[str, Any]:
    return {
        "right": found.right,
        "number": found.number,
        "precision": round(found.right / found.number, 4) if found.number else None,
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }
