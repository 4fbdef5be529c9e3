"""What reviewed random visits say of the camera, and that it is true as often as it claims."""

import random

import pytest

from trailcam_edge.store.reviews.accuracy import SampledVisit, accuracy_json, measure_accuracy
from trailcam_edge.store.reviews.records import NewReview, Review, Standing
from trailcam_edge.store.reviews.tables import random_sample

from ...conftest import MakeVisit, OpenStore


def said(verdict: str, label: str | None = None, disputed: bool = False) -> Standing:
    return Standing(Review(1, "v", "Jo", verdict, label, "random", "here", None), ("Jo",), disputed)


def test_each_bundle_and_label_has_its_own_precision() -> None:
    sample = [
        SampledVisit("new", "lynx", said("confirmed")),
        SampledVisit("new", "lynx", said("label", "fox")),
        SampledVisit("new", "fox", said("label", "FOX")),
        SampledVisit("new", "fox", said("nothing")),
        SampledVisit("new", "fox", said("wrong")),
        SampledVisit("new", "nothing", said("nothing")),
        SampledVisit("new", "unknown", said("label", "bear")),
        SampledVisit("new", "lynx", said("deleted")),
        SampledVisit("new", "lynx", said("confirmed", disputed=True)),
        SampledVisit("old", "lynx", said("confirmed")),
        SampledVisit("old", "lynx", None),
    ]
    new, old = measure_accuracy(sample)
    assert {each.label: (each.right, each.number) for each in new.labels} == {
        "nothing": (1, 1),
        "fox": (1, 3),
        "lynx": (1, 2),
    }
    assert (new.together.right, new.together.number) == (3, 6)
    assert (new.disputed, new.deleted, new.unnamed) == (1, 1, 1)
    assert (old.bundle, old.together.number) == ("old", 1)
    assert accuracy_json(old)["labels"]["lynx"] == {
        "right": 1,
        "number": 1,
        "precision": 1.0,
        "low": 0.2065,
        "high": 1.0,
    }


def test_only_names_without_a_label_give_no_fraction() -> None:
    (found,) = measure_accuracy([SampledVisit("b", "unknown", said("nothing"))])
    assert accuracy_json(found)["together"] == {"right": 0, "number": 0, "precision": None, "low": 0.0, "high": 1.0}


def field(seed: int) -> tuple[float, list[SampledVisit], list[SampledVisit]]:
    """Return a simulated field: its true precision, its random sample, and the visits that are reviewed for being hard.

    Confidence goes with being right, as in a real camera. People review the least confident visits first, and 150
    visits of the random order, in which some of those come up again.
    """
    chance = random.Random(seed)
    share = chance.uniform(0.5, 0.98)
    visits = []
    for _ in range(1_000):
        is_right = chance.random() < share
        confidence = min(1.0, max(0.0, chance.gauss(0.9 if is_right else 0.6, 0.15)))
        answer = said("confirmed") if is_right else said("nothing")
        visits.append((chance.random(), confidence, is_right, SampledVisit("b", "lynx", answer)))
    truth = sum(is_right for _, _, is_right, _ in visits) / len(visits)
    drawn = [visit for *_, visit in sorted(visits, key=lambda each: each[0])[:150]]
    hard = [visit for *_, visit in sorted(visits, key=lambda each: each[1])[:150]]
    return truth, drawn, hard


def covers(truth: float, sample: list[SampledVisit]) -> bool:
    (found,) = measure_accuracy(sample)
    return found.together.low <= truth <= found.together.high


def test_the_truth_is_within_the_interval_in_95_of_100_fields() -> None:
    fields = [field(seed) for seed in range(400)]
    covered = [covers(truth, drawn) for truth, drawn, _ in fields]
    assert sum(covered[:100]) >= 95
    assert sum(covered) >= 0.95 * len(fields)
    misled = [covers(truth, hard) for truth, _, hard in fields]
    assert sum(misled) < 0.05 * len(fields), "visits chosen for being hard would tell another story"


@pytest.mark.parametrize("chosen", ["unsure", "unknown", "rare", "list"])
def test_visits_that_people_chose_are_not_in_the_sample(
    open_store: OpenStore, make_visit: MakeVisit, chosen: str
) -> None:
    store = open_store()
    for number in (1, 2):
        store.add_visit(make_visit(number, best_frame=None))
    for visit_id, why in (("boot-0-00001", chosen), ("boot-0-00002", "random"), ("boot-0-00002", chosen)):
        store.add_reviews([NewReview(visit_id, "Jo", "confirmed", None, why, "here")], None)  # type: ignore[arg-type]
    sample = random_sample(store._database.connection)
    assert [(visit.bundle, visit.label) for visit in sample] == [("tiny-1.0.0", "squirrel")]
    store.undo_reviews([3], "Jo", "here", None)
    assert len(random_sample(store._database.connection)) == 1
