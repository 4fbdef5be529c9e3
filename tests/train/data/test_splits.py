import dataclasses
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_core.datasets.run_directory import SPLITS, SplitRow, split_to_bytes
from trailcam_core.errors import DataError
from trailcam_train.data.dataset import Dataset, Picture
from trailcam_train.data.splits import check_groups, count_crossing, load_split, make_split


def _dataset(labels: list[str], root: Path = Path("data")) -> Dataset:
    pictures = tuple(
        Picture(f"{label}/{number:04}.jpg", label, f"{number:064x}", 64, 64) for number, label in enumerate(labels)
    )
    return Dataset(root, tuple(sorted(set(labels))), pictures)


def _counts(rows: tuple[SplitRow, ...]) -> Counter[tuple[str, str]]:
    return Counter((row.label, row.split) for row in rows)


@st.composite
def _grouped(draw: st.DrawFn) -> tuple[Dataset, list[int]]:
    """Give a dataset whose classes have at least six groups of their own, and a few groups across classes."""
    labels, groups = [], []
    for label in ("ape", "bee", "cat")[: draw(st.integers(2, 3))]:
        sizes = draw(st.lists(st.integers(1, 5), min_size=6, max_size=30))
        for size in sizes:
            number = len(set(groups)) + len(labels)
            labels += [label] * size
            groups += [number] * size
    for position in draw(st.lists(st.integers(0, len(labels) - 1), max_size=2)):
        groups[position] = groups[0]
    return _dataset(labels), groups


@given(_grouped(), st.integers(0, 1000))
def test_no_group_crosses_a_split_and_every_class_is_in_every_split(
    grouped: tuple[Dataset, list[int]], seed: int
) -> None:
    dataset, groups = grouped
    rows = make_split(dataset, groups, seed)
    split_of = {row.file: row.split for row in rows}
    assert len(split_of) == len(rows) == len(dataset.pictures)
    found = defaultdict(set)
    for picture, group in zip(dataset.pictures, groups, strict=True):
        found[group].add(split_of[picture.file])
    assert all(len(splits) == 1 for splits in found.values())
    assert set(_counts(rows)) == {(label, split) for label in dataset.labels for split in SPLITS}


@given(_grouped(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_split_depends_neither_on_the_order_of_files_nor_on_group_numbers(
    grouped: tuple[Dataset, list[int]], seed: int, chance: random.Random
) -> None:
    dataset, groups = grouped
    order = list(range(len(groups)))
    chance.shuffle(order)
    shuffled = dataclasses.replace(dataset, pictures=tuple(dataset.pictures[number] for number in order))
    renumbered = [1000 - groups[number] for number in order]
    assert make_split(shuffled, renumbered, seed) == make_split(dataset, groups, seed)


def test_single_pictures_are_divided_in_the_asked_shares_in_every_class() -> None:
    dataset = _dataset(["fox"] * 400 + ["hare"] * 100)
    counts = _counts(make_split(dataset, range(500), 3, validation=0.2, test=0.1))
    assert counts == {
        ("fox", "train"): 280, ("fox", "validation"): 80, ("fox", "test"): 40,
        ("hare", "train"): 70, ("hare", "validation"): 20, ("hare", "test"): 10,
    }  # fmt: skip


def test_large_groups_are_divided_like_small_ones() -> None:
    dataset = _dataset(["fox"] * 600)
    groups = [number // 6 if number < 300 else number for number in range(600)]  # 50 groups of six, 300 singles
    rows = make_split(dataset, groups, 0)
    grouped = Counter(row.split for row, group in zip(rows, groups, strict=True) if group < 50)
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        assert grouped[split] == pytest.approx(share * 300, abs=6)


@pytest.mark.parametrize(("number", "size"), [(10, 3), (10, 10), (25, 4), (50, 6)])
def test_groups_of_one_size_are_divided_as_near_to_the_shares_as_whole_groups_allow(number: int, size: int) -> None:
    groups = [group for group in range(number) for _ in range(size)]
    rows = make_split(_dataset(["fox"] * number * size), groups, 0)
    counts = Counter(row.split for row in rows)
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        assert abs(counts[split] - share * number * size) <= size / 2


def test_a_few_large_sites_still_leave_most_pictures_to_train_on() -> None:
    dataset = _dataset(["fox"] * 100)
    sizes = [40, 25, 15, 12, 8]
    groups = [site for site, size in enumerate(sizes) for _ in range(size)]
    counts = Counter(row.split for row in make_split(dataset, groups, 0))
    assert counts["train"] >= 60
    assert min(counts["validation"], counts["test"]) >= 8
    assert max(counts["validation"], counts["test"]) <= 20


def test_three_pictures_of_a_class_make_one_for_each_split() -> None:
    rows = make_split(_dataset(["fox"] * 3 + ["hare"] * 50), range(53), 0)
    assert {split: _counts(rows)["fox", split] for split in SPLITS} == dict.fromkeys(SPLITS, 1)


def test_another_seed_gives_another_split() -> None:
    dataset = _dataset(["fox"] * 50 + ["hare"] * 50)
    assert make_split(dataset, range(100), 1) != make_split(dataset, range(100), 2)


def test_a_class_of_two_groups_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"10 pictures of 'fox' form 2 group\(s\)"):
        make_split(_dataset(["fox"] * 10 + ["hare"] * 10), [0] * 5 + [1] * 5 + list(range(2, 12)), 0)


@pytest.mark.parametrize(("validation", "test"), [(0.0, 0.2), (0.5, 0.5), (-0.1, 0.2), (0.9, 0.2)])
def test_shares_that_leave_a_split_empty_are_refused(validation: float, test: float) -> None:
    with pytest.raises(DataError, match="each must be above 0"):
        make_split(_dataset(["fox"] * 10), range(10), 0, validation, test)


def test_groups_across_classes_are_placed_so_that_no_class_lacks_a_split() -> None:
    dataset = _dataset(["fox", "fox", "fox", "hare", "hare", "hare"])
    assert set(_counts(make_split(dataset, [0, 1, 2, 0, 1, 2], 0)).values()) == {1}


def test_classes_tied_together_so_that_no_split_is_possible_are_refused() -> None:
    # Each class has three of four groups, and every two groups share a class: each would need a split of its own.
    labels = [label for label in ("ape", "bee", "cat", "dog") for _ in range(3)]
    with pytest.raises(DataError, match="tied to those of other classes"):
        make_split(_dataset(labels), [0, 1, 2, 0, 1, 3, 0, 2, 3, 1, 2, 3], 0)


def test_groups_of_another_dataset_are_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="one group per picture"):
        make_split(_dataset(["fox"] * 4), [0], 0)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Dataset, tuple[SplitRow, ...]]:
    dataset = _dataset(["fox"] * 20 + ["hare"] * 20)
    rows = make_split(dataset, range(40), 0)
    path = tmp_path / "split.csv"
    path.write_bytes(split_to_bytes(rows))
    return path, dataset, rows


def test_a_written_split_is_read_back(written: tuple[Path, Dataset, tuple[SplitRow, ...]]) -> None:
    path, dataset, rows = written
    assert load_split(path, dataset) == rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "f" * 64}, "fox/0000.jpg is changed since"),
        ({"label": "hare"}, "labelled 'hare' here and 'fox' in the split"),
        ({"file": "fox/new.jpg"}, "fox/0000.jpg is missing or unreadable, and 1 other"),
    ],
)
def test_a_split_of_other_pictures_is_refused(
    written: tuple[Path, Dataset, tuple[SplitRow, ...]], change: dict[str, str], message: str
) -> None:
    path, dataset, _ = written
    changed = dataclasses.replace(dataset.pictures[0], **change)
    other = dataclasses.replace(dataset, pictures=(changed, *dataset.pictures[1:]))
    with pytest.raises(DataError, match=message):
        load_split(path, other)


def test_a_split_is_refused_when_pictures_were_added(written: tuple[Path, Dataset, tuple[SplitRow, ...]]) -> None:
    path, dataset, _ = written
    added = dataclasses.replace(dataset.pictures[0], file="fox/new.jpg")
    with pytest.raises(DataError, match=r"fox/new.jpg is not in the split \(split: 40 pictures, folder: 41\)"):
        load_split(path, dataclasses.replace(dataset, pictures=(*dataset.pictures, added)))


def test_groups_that_a_split_parts_are_counted_and_refused_by_name(
    written: tuple[Path, Dataset, tuple[SplitRow, ...]],
) -> None:
    path, dataset, rows = written
    alone = list(range(40))
    check_groups(path, rows, alone, dataset)
    assert count_crossing(rows, alone, dataset) == 0

    sites = [number // 20 for number in range(40)]  # two sites, each in all three splits
    assert count_crossing(rows, sites, dataset) == 2
    with pytest.raises(DataError, match=r"parts 2 of the groups.*fox/0000.jpg \(\w+\) and fox/"):
        check_groups(path, rows, sites, dataset)


def test_a_split_without_test_pictures_of_a_class_is_refused(tmp_path: Path) -> None:
    dataset = _dataset(["fox"] * 3)
    rows = [SplitRow(picture.file, picture.sha256, "train", picture.label) for picture in dataset.pictures]
    path = tmp_path / "split.csv"
    path.write_bytes(split_to_bytes(rows))
    with pytest.raises(DataError, match="no validation picture of 'fox'"):
        load_split(path, dataset)
