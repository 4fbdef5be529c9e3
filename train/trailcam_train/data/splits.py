"""Split pictures into train, validation and test without leakage.

Pictures of one group (near-duplicates of each other, or of one camera) stay together: a model that was trained on a
copy of a test picture is not being tested. Within that, every class is split by the same fractions.

Groups are assigned in the order of a seeded digest of their pictures, so the same pictures and seed give the same
split, independent of the order in which a file system lists them.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.datasets.run_directory import SPLITS, SplitRow, read_split
from trailcam_core.errors import DataError
from trailcam_train.data.dataset import Dataset

_Counts = dict[str, dict[str, float]]  # by split, then by label


@dataclass(frozen=True)
class _Group:
    members: tuple[int, ...]  # positions in Dataset.pictures
    labels: Mapping[str, int]  # how many pictures of each label
    order: str  # seeded digest


def make_split(
    dataset: Dataset,
    groups: Sequence[int],
    seed: int,
    validation: float = 0.15,
    test: float = 0.15,
    optional: Collection[str] = (),
) -> tuple[SplitRow, ...]:
    """Split a dataset into train, validation and test.

    Args:
        dataset: to split.
        groups: a group number per picture, in the order of ``dataset.pictures``; equal numbers are never parted.
        seed: another seed gives another split.
        validation: fraction of validation pictures, above 0.
        test: fraction of test pictures, above 0.
        optional: labels that need not be in all three splits.

    Returns:
        One row per picture, ordered by file. The fractions hold per class to within the size of a group.

    Raises:
        DataError: fractions that leave nothing to train on, or a class that cannot be in all three splits.
    """
    if len(groups) != len(dataset.pictures):
        raise ValueError(f"expected one group per picture, got {len(groups)} for {len(dataset.pictures)}")
    fractions = {"train": 1 - validation - test, "validation": validation, "test": test}
    if min(fractions.values()) <= 0:
        raise DataError(
            f"validation {validation:g} and test {test:g} leave {fractions['train']:g} to train on; each must be "
            "above 0 and all three together 1."
        )
    listed = _collect_groups(dataset, groups, seed)
    needed = [label for label in dataset.labels if label not in optional]
    _check_enough_groups(listed, dataset, needed)
    targets = _targets(dataset, fractions)
    have: _Counts = {split: dict.fromkeys(dataset.labels, 0.0) for split in SPLITS}
    chosen: list[str] = []
    for group in listed:
        split = min(SPLITS, key=lambda name: _cost(group, have[name], targets[name]))
        _move(group, have[split], +1)
        chosen.append(split)
    _fill_empty(listed, chosen, have, targets, needed)
    rows = []
    for group, split in zip(listed, chosen, strict=True):
        for position in group.members:
            picture = dataset.pictures[position]
            rows.append(SplitRow(picture.file, picture.sha256, split, picture.label))
    return tuple(sorted(rows, key=lambda row: row.file))


def load_split(path: Path, dataset: Dataset) -> tuple[SplitRow, ...]:
    """Read a ``split.csv`` and check that it lists exactly these pictures.

    Raises:
        DataError: the file cannot be read, a picture is missing, was changed, has another label, or is new.
    """
    rows = read_split(path)
    found = {picture.file: picture for picture in dataset.pictures}
    wrong = []
    for row in rows:
        picture = found.pop(row.file, None)
        if picture is None:
            wrong.append((row.file, "missing or unreadable"))
        elif picture.sha256 != row.sha256:
            wrong.append((row.file, "changed since the split was made"))
        elif picture.label != row.label:
            wrong.append((row.file, f"labelled {picture.label!r} here and {row.label!r} in the split"))
    wrong += [(file, "not in the split") for file in found]
    if wrong:
        file, what = wrong[0]
        others = f", and {len(wrong) - 1:,} other pictures do not agree either" if len(wrong) > 1 else ""
        raise DataError(
            f"{path}: not a split of {dataset.root}: {file} is {what}{others} (split: {len(rows):,} pictures, folder: "
            f"{len(dataset.pictures):,}). Name the folder that it was made of, or leave it out to make a new split."
        )
    for split in SPLITS:
        absent = sorted(set(dataset.labels) - {row.label for row in rows if row.split == split})
        if absent:
            raise DataError(f"{path}: no {split} picture of {absent[0]!r}. Leave the file out to make a new split.")
    return rows


def check_groups(path: Path, rows: Sequence[SplitRow], groups: Sequence[int], dataset: Dataset) -> None:
    """Refuse a split that separates pictures of one group.

    Args:
        path: of the split, for the message.
        rows: of the split, for exactly the pictures of ``dataset``.
        groups: a group number per picture, in the order of ``dataset.pictures``.
        dataset: the pictures.

    Raises:
        DataError: pictures of one group are in several splits.
    """
    crossing = _crossing(rows, groups, dataset)
    if crossing:
        first, second = crossing[0]
        raise DataError(
            f"{path}: parts {len(crossing):,} of the groups of --group-by, such as that of {first.file} "
            f"({first.split}) and {second.file} ({second.split}). Leave out --split to make a new split, or --group-by "
            "to take this one as it is."
        )


def count_crossing(rows: Sequence[SplitRow], groups: Sequence[int], dataset: Dataset) -> int:
    """Return the number of groups with pictures in several splits; arguments as for ``check_groups``."""
    return len(_crossing(rows, groups, dataset))


def _crossing(rows: Sequence[SplitRow], groups: Sequence[int], dataset: Dataset) -> list[tuple[SplitRow, SplitRow]]:
    """Return two pictures in different splits of every group that has such."""
    row_of = {row.file: row for row in rows}
    first: dict[int, SplitRow] = {}
    crossing: dict[int, tuple[SplitRow, SplitRow]] = {}
    for picture, group in zip(dataset.pictures, groups, strict=True):
        row = row_of[picture.file]
        if first.setdefault(group, row).split != row.split:
            crossing.setdefault(group, (first[group], row))
    return list(crossing.values())


def _collect_groups(dataset: Dataset, groups: Sequence[int], seed: int) -> list[_Group]:
    """Return the groups, largest first and in a seeded random order among equals."""
    members: dict[int, list[int]] = defaultdict(list)
    for position, number in enumerate(groups):
        members[number].append(position)
    listed = []
    for positions in members.values():
        name = min(f"{dataset.pictures[position].sha256} {dataset.pictures[position].file}" for position in positions)
        order = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
        listed.append(_Group(tuple(positions), Counter(dataset.pictures[p].label for p in positions), order))
    return sorted(listed, key=lambda group: (-len(group.members), group.order))


def _check_enough_groups(listed: Sequence[_Group], dataset: Dataset, needed: Sequence[str]) -> None:
    counts = Counter(label for group in listed for label in group.labels)
    pictures = Counter(picture.label for picture in dataset.pictures)
    for label in needed:
        if counts[label] < len(SPLITS):
            raise DataError(
                f"{dataset.root}: the {pictures[label]:,} pictures of {label!r} form {counts[label]} group(s) that "
                f"must stay together, expected at least {len(SPLITS)}: one per split. Add pictures of other scenes, or "
                "remove the folder."
            )


def _targets(dataset: Dataset, fractions: Mapping[str, float]) -> _Counts:
    """Return the target number of pictures of each label in each split, at least one."""
    totals = Counter(picture.label for picture in dataset.pictures)
    targets: _Counts = {split: {} for split in SPLITS}
    for label in dataset.labels:
        for split in ("validation", "test"):
            targets[split][label] = max(1.0, fractions[split] * totals[label])
        rest = totals[label] - targets["validation"][label] - targets["test"][label]
        targets["train"][label] = max(1.0, rest)
    return targets


def _cost(group: _Group, have: Mapping[str, float], target: Mapping[str, float]) -> float:
    """Return the increase of the sum of ``(have - target)^2 / target`` if the group joins a split.

    A small group thus joins the split that lacks the largest fraction of its target, so every group size is split
    alike; a large group joins the split that it disturbs least.
    """
    total = 0.0
    for label, count in group.labels.items():
        total += count * (count + 2 * (have[label] - target[label])) / target[label]
    return total


def _move(group: _Group, have: dict[str, float], sign: int) -> None:
    for label, count in group.labels.items():
        have[label] += sign * count


def _fill_empty(
    listed: Sequence[_Group], chosen: list[str], have: _Counts, targets: _Counts, needed: Sequence[str]
) -> None:
    """Move groups until every label is in every split; groups with several labels can make that necessary.

    Raises:
        DataError: it cannot be done by moving one group at a time.
    """
    for split in SPLITS:
        for label in needed:
            if have[split][label] > 0:
                continue
            able = [
                number
                for number, group in enumerate(listed)
                if label in group.labels
                and all(have[chosen[number]][name] > count for name, count in group.labels.items())
            ]
            if not able:
                raise DataError(
                    f"no {split} picture of {label!r} is possible: its groups are tied to those of other classes. "
                    'Check for wrong labels with "trailcam data check", or add pictures.'
                )
            best = min(able, key=lambda number: _cost(listed[number], have[split], targets[split]))
            _move(listed[best], have[chosen[best]], -1)
            _move(listed[best], have[split], +1)
            chosen[best] = split
