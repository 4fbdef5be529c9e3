"""Which old pictures are used again."""

from collections import Counter

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_train.retraining.replay import choose_replay

ROWS = tuple(
    SplitRow(f"{label}/{split}{n}", f"{label}{split}{n}", split, label)
    for label, most in (("fox", 90), ("hare", 7))
    for split in ("train", "validation", "test")
    for n in range(most)
)


def test_all_test_pictures_and_an_equal_number_of_each_label_are_used() -> None:
    counts = Counter((row.split, row.label) for row in choose_replay(ROWS, 20, 0))

    assert counts == {
        ("train", "fox"): 20,
        ("train", "hare"): 7,
        ("validation", "fox"): 50,
        ("validation", "hare"): 7,
        ("test", "fox"): 90,
        ("test", "hare"): 7,
    }


def test_none_is_shown_again_if_none_is_wanted_and_the_seed_decides_which() -> None:
    assert not [row for row in choose_replay(ROWS, 0, 0) if row.split == "train"]
    assert choose_replay(ROWS, 20, 0) == choose_replay(ROWS[::-1], 20, 0)[::-1]
    assert choose_replay(ROWS, 20, 0) != choose_replay(ROWS, 20, 1)
