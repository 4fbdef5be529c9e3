"""New pictures beside an earlier split: groups, near-duplicates, new labels."""

from pathlib import Path

import pytest

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import TrainError
from trailcam_train.data.dataset import Dataset, Picture
from trailcam_train.retraining.divide import (
    DivisionRule,
    check_new_labels,
    divide_new_pictures,
    find_crossing,
    held_splits,
    join_groups,
    sort_new_pictures,
)

RULE = DivisionRule(seed=0, validation=0.15, test=0.15, old_labels=("fox", "hare"), few=False)


def data_of(*named: tuple[str, str, str]) -> Dataset:
    """Return a data set of (file, label, digest)."""
    pictures = tuple(Picture(file, label, digest, 10, 10) for file, label, digest in named)
    return Dataset(Path("data"), tuple(sorted({label for _, label, _ in named})), pictures)


def test_a_picture_that_the_earlier_run_has_is_known_unless_its_label_was_corrected() -> None:
    old = [SplitRow("1", "a", "train", "fox"), SplitRow("2", "b", "train", "fox"), SplitRow("3", "c", "test", "fox")]
    data = data_of(("n1", "fox", "a"), ("n2", "hare", "b"), ("n3", "hare", "c"), ("n4", "hare", "d"))

    found = sort_new_pictures(data, {"n1", "n2", "n3", "n4"}, old)

    assert found.known == (0, 2)  # a test picture stays one, also with another label
    assert found.new == (1, 3)
    assert found.corrected == {"2"}


def test_a_day_of_which_the_earlier_run_tested_a_picture_is_for_tests() -> None:
    old = [SplitRow("old", "a", "test", "fox"), SplitRow("other", "b", "train", "fox")]
    stated = {"old": "oak 1", "other": "oak 2", "n1": "oak 1", "n2": "oak 2", "n3": "oak 3"}
    data = data_of(("n1", "fox", "c"), ("n2", "fox", "d"), ("n3", "fox", "e"))
    groups = join_groups(data, [0, 1, 2], stated)

    splits = divide_new_pictures(data, [0, 1, 2], groups, held_splits(["n1", "n2", "n3"], stated, old), RULE)

    assert (splits[0], splits[1]) == ("test", "train")


def test_groups_of_a_new_label_fill_all_splits_and_are_never_parted() -> None:
    data = data_of(*((f"{n}", "lynx", f"{n}") for n in range(40)))
    groups = [n % 5 for n in range(40)]

    splits = divide_new_pictures(data, range(40), groups, {}, RULE)

    assert set(splits.values()) == {"train", "validation", "test"}
    assert len({(group, splits[n]) for n, group in enumerate(groups)}) == 5


def test_an_old_label_of_one_group_is_trained() -> None:
    data = data_of(*((f"{n}", "fox", f"{n}") for n in range(8)))

    assert set(divide_new_pictures(data, range(8), [0] * 8, {}, RULE).values()) == {"train"}


def test_near_duplicates_across_splits_are_left_out_and_the_old_one_stays() -> None:
    data = data_of(("old", "fox", "a"), ("n1", "fox", "b"), ("n2", "fox", "c"), ("n3", "fox", "d"), ("n4", "fox", "e"))
    old = {"old": SplitRow("old", "a", "train", "fox")}
    splits = {1: "test", 2: "train", 3: "test", 4: "test"}

    assert find_crossing(data, [0, 0, 1, 1, 2], splits, old) == {1, 2}


@pytest.mark.parametrize(("count", "groups", "fits"), [(10, 3, True), (9, 3, False), (10, 2, False)])
def test_a_new_label_needs_ten_pictures_in_three_groups(count: int, groups: int, fits: bool) -> None:
    data = data_of(*((f"{n}", "lynx", f"{n}") for n in range(count)))
    numbers = [n % groups for n in range(count)]

    if fits:
        check_new_labels(data, range(count), numbers, RULE)
        return
    with pytest.raises(TrainError, match=f"'lynx' has {count} pictures in {groups} groups"):
        check_new_labels(data, range(count), numbers, RULE)


def test_nothing_new_is_refused() -> None:
    with pytest.raises(TrainError, match="no picture is new"):
        check_new_labels(data_of(("old", "fox", "a")), [], [0], RULE)
