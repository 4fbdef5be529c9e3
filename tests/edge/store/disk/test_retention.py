"""The commonest goes first, the rarest stays longest, and the room asked for is made."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.store.disk.retention import RetentionItem, allocate_deletions, choose_deletions

labels = st.sampled_from(["squirrel", "deer", "lynx", "wolf"])
things = st.lists(st.tuples(labels, st.integers(0, 10_000)), max_size=60).map(
    lambda pairs: [RetentionItem(key, label, key, size) for key, (label, size) in enumerate(pairs)]
)


def test_a_rare_species_outlives_a_common_one() -> None:
    kept = [RetentionItem(key, "lynx" if key < 3 else "squirrel", key, 10) for key in range(100)]
    chosen = choose_deletions(kept, 940)
    assert chosen == tuple(range(3, 97))  # the lynxes are the oldest of all, and all three stay


def test_of_one_label_the_oldest_go() -> None:
    kept = [RetentionItem(key, "deer", 100 - key, 10) for key in range(5)]
    assert choose_deletions(kept, 20) == (4, 3)


def test_nothing_is_deleted_when_nothing_is_needed() -> None:
    assert choose_deletions([RetentionItem(1, "deer", 1, 10)], 0) == ()
    assert choose_deletions([RetentionItem(1, "deer", 1, 10)], -5) == ()


def test_what_is_spared_is_never_chosen() -> None:
    kept = [RetentionItem(key, "deer" if key % 2 else "lynx", key, 10) for key in range(8)]
    assert set(choose_deletions(kept, 10_000, spare_per_label=1)) == {0, 1, 2, 3, 4, 5}


def test_equal_numbers_are_decided_by_the_room_that_is_left_now() -> None:
    sizes = {"deer": [100, 10, 10], "wolf": [60, 30, 20]}  # together 120 and 110, without the first 20 and 50
    listed = [RetentionItem(10 * row + number, label, number, size) for row, (label, found) in enumerate(sizes.items())
              for number, size in enumerate(found)]  # fmt: skip
    deer, wolf = [0, 1, 2], [10, 11, 12]
    assert choose_deletions(listed, 230) == (deer[0], wolf[0], wolf[1], deer[1], wolf[2], deer[2])


def test_equal_numbers_of_equal_size_are_decided_by_the_name() -> None:
    kept = [RetentionItem(key, label, key, 10) for key, label in enumerate(("wolf", "deer", "wolf", "deer"))]
    assert choose_deletions(kept, 40) == (1, 0, 3, 2)


@given(things, st.integers(0, 300_000), st.integers(0, 3))
def test_the_order_of_deletion_is_the_rule_in_words(
    kept: list[RetentionItem], needed_bytes: int, spare_per_label: int
) -> None:
    left = {label: [thing for thing in kept if thing.label == label] for label in {thing.label for thing in kept}}
    expected: list[RetentionItem] = []
    while sum(thing.size_bytes for thing in expected) < needed_bytes and any(left.values()):
        label = min(left, key=lambda name: (-len(left[name]), -sum(thing.size_bytes for thing in left[name]), name))
        if len(left[label]) <= spare_per_label:
            break
        expected.append(left[label].pop(0))
    assert choose_deletions(kept, needed_bytes, spare_per_label) == tuple(thing.key for thing in expected)


@given(things, st.integers(0, 300_000))
def test_the_room_asked_for_is_made_and_not_one_picture_more(kept: list[RetentionItem], needed_bytes: int) -> None:
    sizes = {thing.key: thing.size_bytes for thing in kept}
    chosen = choose_deletions(kept, needed_bytes)
    assert len(set(chosen)) == len(chosen)
    freed = sum(sizes[key] for key in chosen)
    assert freed >= min(needed_bytes, sum(sizes.values()))
    assert not chosen or freed - sizes[chosen[-1]] < needed_bytes


@given(things, st.integers(0, 300_000))
def test_no_label_loses_anything_while_another_has_more_left(kept: list[RetentionItem], needed_bytes: int) -> None:
    left = Counter(thing.label for thing in kept)
    label_of = {thing.key: thing.label for thing in kept}
    for key in choose_deletions(kept, needed_bytes):
        assert left[label_of[key]] == max(left.values())
        left[label_of[key]] -= 1


@given(things, st.integers(0, 300_000))
def test_within_a_label_what_is_left_is_newer_than_what_went(kept: list[RetentionItem], needed_bytes: int) -> None:
    gone = set(choose_deletions(kept, needed_bytes))
    for label in {thing.label for thing in kept}:
        went = [thing.order for thing in kept if thing.label == label and thing.key in gone]
        stayed = [thing.order for thing in kept if thing.label == label and thing.key not in gone]
        assert not went or not stayed or max(went) < min(stayed)


@given(things, st.integers(0, 80))
def test_shares_are_the_same_rule_for_equal_sizes(kept: list[RetentionItem], number: int) -> None:
    equal = [RetentionItem(thing.key, thing.label, thing.order, 1) for thing in kept]
    label_of = {thing.key: thing.label for thing in kept}
    left = Counter(thing.label for thing in kept)
    shares = allocate_deletions(left, number)
    assert sum(shares.values()) == min(number, len(kept))
    wanted = Counter(label_of[key] for key in choose_deletions(equal, number))
    after = sorted(left[label] - shares.get(label, 0) for label in left)
    assert after == sorted(left[label] - wanted[label] for label in left)
