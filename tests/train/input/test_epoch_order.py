import numpy as np
import pytest

from trailcam_train.input.epoch_order import balanced_order, gather_views, natural_order, repeat_counts

IDS = np.array([0] * 20 + [1] * 3 + [2] * 7, np.int32)


def test_a_natural_epoch_has_every_picture_once_in_its_own_order() -> None:
    first, second = natural_order(30, 5, 0), natural_order(30, 5, 1)

    assert sorted(first) == sorted(second) == list(range(30))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_a_balanced_epoch_has_every_class_as_often(epoch: int) -> None:
    order = balanced_order(IDS, 5, epoch)

    assert np.bincount(IDS[order]).tolist() == [10, 10, 10]
    assert not np.array_equal(np.sort(IDS[order]), IDS[order])  # classes are mixed


def test_a_balanced_epoch_is_the_same_each_time_and_another_for_another_seed() -> None:
    assert np.array_equal(balanced_order(IDS, 5, 3), balanced_order(IDS, 5, 3))
    assert not np.array_equal(balanced_order(IDS, 5, 3), balanced_order(IDS, 6, 3))


def test_no_picture_of_a_large_class_comes_again_before_all_of_them_came() -> None:
    shown = np.concatenate([balanced_order(IDS, 5, epoch) for epoch in (0, 1)])

    assert sorted(shown[shown < 20]) == list(range(20))


def test_pictures_of_a_small_class_come_equally_often() -> None:
    shown = np.concatenate([balanced_order(IDS, 5, epoch) for epoch in range(3)])

    counts = np.bincount(shown, minlength=30)
    assert counts[20:23].tolist() == [10, 10, 10]


def test_turns_count_how_often_a_position_came_before() -> None:
    assert repeat_counts(np.array([4, 2, 4, 4, 0, 2])).tolist() == [0, 0, 1, 2, 0, 1]
    assert repeat_counts(natural_order(9, 1, 1)).tolist() == [0] * 9


def test_pick_takes_each_row_from_its_own_view() -> None:
    views = [np.full((4, 2), number, np.float16) + np.arange(4, dtype=np.float16)[:, None] * 10 for number in range(3)]

    found = gather_views(views, np.array([0, 2, 1]), np.array([3, 0, 1]))

    assert found.dtype == np.float32
    assert found.tolist() == [[30, 30], [2, 2], [11, 11]]
    assert gather_views(views, np.array([1, 1]), np.array([0, 2])).tolist() == [[1, 1], [21, 21]]
