"""Which pictures of visits are deleted last."""

from trailcam_edge.store.disk.keeping import KeptVisit, choose_kept
from trailcam_edge.store.disk.retention import RetentionItem, choose_deletions
from trailcam_edge.store.settings import CollectSettings

NONE = {"random_per_day": 0, "unsure_per_day": 0, "rare_per_day": 0, "unknown_per_day": 0}
DAY_S = 86_400


def visit(number: int, label: str = "fox", confidence: float = 0.9, day: int = 0) -> KeptVisit:
    return KeptVisit(number, f"{99 - number:032x}", label, confidence, DAY_S * day + 100.0 * number)


def chosen(visits: list[KeptVisit], **settings: int) -> set[int]:
    return set(choose_kept(visits, CollectSettings(**NONE | settings)))  # type: ignore[arg-type]


def test_each_kind_has_its_number_a_day() -> None:
    visits = [visit(number, confidence=number / 100) for number in range(1, 40)]
    visits += [visit(number, "unknown", 0.1) for number in (40, 41, 42)]
    visits += [visit(50, "lynx"), visit(51, day=1)]
    assert chosen(visits) == set()
    assert chosen(visits, random_per_day=2) == {50, 42, 51}, "the first identifiers of each day"
    assert chosen(visits, unsure_per_day=2) == {1, 2, 51}, "unknown is another kind"
    assert chosen(visits, unknown_per_day=1) == {42}
    assert chosen(visits, rare_per_day=9) == {40, 41, 42, 50}


def test_they_are_deleted_when_nothing_else_is_left_and_in_the_same_order() -> None:
    items = [RetentionItem(key, label, key, 10) for key, label in enumerate("aaaabbc")]
    assert choose_deletions(items, 40, last={0, 1, 6}) == (2, 3, 4, 5)
    assert choose_deletions(items, 70, last={0, 1, 6}) == (2, 3, 4, 5, 0, 1, 6)
    assert choose_deletions(items, 70, spare_per_label=1, last={0}) == (1, 2, 3, 4)
