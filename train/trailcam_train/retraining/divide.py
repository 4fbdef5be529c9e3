"""Divide new pictures beside an earlier split: nothing of a group crosses, and no test picture is learned.

A picture that an earlier split has stays there. A new group, all of one camera and day, joins the split of its old
members: test before validation before training. The other groups are split as those of any data set; an old label need
not be in every split again, because old pictures of it are. A near-duplicate of a picture in another split is left
out.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from trailcam_core.datasets.near_duplicates import number_groups
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import TrainError
from trailcam_core.files.names import counted
from trailcam_train.data.dataset import Dataset
from trailcam_train.data.splits import make_split
from trailcam_train.retraining.earlier import FEWEST_GROUPS, FEWEST_PICTURES

_STRONGEST = ("test", "validation", "train")  # the first that an old member of a group has decides


@dataclass(frozen=True)
class DivisionRule:
    """Seed and fractions of a split, the labels of the earlier run, and whether small new labels are trained."""

    seed: int
    validation: float
    test: float
    old_labels: tuple[str, ...]
    few: bool


@dataclass(frozen=True)
class Sorted:
    """The new pictures by their place in an earlier split, as positions in a data set.

    ``new`` are in no earlier split. ``known`` are there with the same label, or are for validation or test.
    ``corrected`` are training pictures whose label is another one now, by the file of their old row.
    """

    new: tuple[int, ...]
    known: tuple[int, ...]
    corrected: frozenset[str]


def sort_new_pictures(dataset: Dataset, new_files: Collection[str], old: Sequence[SplitRow]) -> Sorted:
    """Compare the new pictures of a data set with all pictures of an earlier split, by digest."""
    before: dict[str, list[SplitRow]] = defaultdict(list)
    for row in old:
        before[row.sha256].append(row)
    new, known, corrected = [], [], set()
    for position, picture in enumerate(dataset.pictures):
        if picture.file not in new_files:
            continue
        rows = before[picture.sha256]
        if not rows:
            new.append(position)
        elif any(row.split != "train" or row.label == picture.label for row in rows):
            known.append(position)
        else:
            new.append(position)
            corrected |= {row.file for row in rows}
    return Sorted(tuple(new), tuple(known), frozenset(corrected))


def check_new_labels(dataset: Dataset, new: Sequence[int], groups: Sequence[int], rule: DivisionRule) -> None:
    """Refuse a training without new pictures, or with a new label of too few.

    Args:
        dataset: old and new pictures.
        new: positions of the new ones.
        groups: a number per picture of ``dataset``.
        rule: knows the old labels.

    Raises:
        TrainError: naming label and number.
    """
    if not new:
        raise TrainError(
            f"{dataset.root}: no picture is new: the earlier run has all of them, with these labels. Review more "
            "visits, and import them."
        )
    counts = Counter(dataset.pictures[position].label for position in new)
    for label in sorted(set(counts) - set(rule.old_labels)):
        held = {groups[position] for position in new if dataset.pictures[position].label == label}
        if rule.few or (counts[label] >= FEWEST_PICTURES and len(held) >= FEWEST_GROUPS):
            continue
        raise TrainError(
            f"the new label {label!r} has {counted(counts[label], 'picture')} in {counted(len(held), 'group')} of one "
            f"place and time, expected at least {FEWEST_PICTURES} in {FEWEST_GROUPS}: one group each to train, to "
            'validate and to test. Review more visits of it, or train it all the same with "--few": then its accuracy '
            "may not be tested."
        )


def divide_new_pictures(
    dataset: Dataset, new: Sequence[int], groups: Sequence[int], held: Mapping[str, Set[str]], rule: DivisionRule
) -> dict[int, str]:
    """Return the split of each new picture by its position.

    Args:
        dataset: old and new pictures.
        new: positions of the new ones.
        groups: a number per picture of ``dataset``; equal numbers are never parted.
        held: the splits of ``held_splits``, by file.
        rule: seed and fractions.

    Raises:
        DataError: a new label of enough pictures cannot be in all splits.
    """
    joined: dict[int, set[str]] = defaultdict(set)
    for picture, group in zip(dataset.pictures, groups, strict=True):
        joined[group] |= held.get(picture.file, set())
    chosen = {
        position: next(split for split in _STRONGEST if split in joined[groups[position]])
        for position in new
        if joined[groups[position]]
    }
    free = [position for position in new if position not in chosen]
    if not free:
        return chosen
    pictures = tuple(dataset.pictures[position] for position in free)
    part = replace(dataset, labels=tuple(sorted({p.label for p in pictures})), pictures=pictures, thumbnails=None)
    optional = part.labels if rule.few else rule.old_labels
    rows = make_split(part, [groups[p] for p in free], rule.seed, rule.validation, rule.test, optional)
    splits = {row.file: row.split for row in rows}
    return chosen | {position: splits[dataset.pictures[position].file] for position in free}


def held_splits(
    files: Collection[str], stated: Mapping[str, str], old: Sequence[SplitRow]
) -> dict[str, frozenset[str]]:
    """Return the splits of an earlier run that each file belongs to: its own, or those of its stated group.

    A picture that is not used again still decides where new ones of its camera and day belong.

    Args:
        files: of a data set.
        stated: the group of each file that has one, of old and new pictures.
        old: the whole earlier split.
    """
    of_group: dict[str, set[str]] = defaultdict(set)
    own = {row.file: row.split for row in old}
    for row in old:
        if row.file in stated:
            of_group[stated[row.file]].add(row.split)
    found: dict[str, frozenset[str]] = {}
    for file in files:
        of_file = {own[file]} if file in own else of_group[stated[file]] if file in stated else ()
        found[file] = frozenset(of_file)
    return found


def join_groups(dataset: Dataset, copies: Sequence[int], stated: Mapping[str, str]) -> tuple[int, ...]:
    """Return a group number per picture: its stated group, or that of its near-duplicates where none is stated."""
    return number_groups(
        stated.get(picture.file) or f"copies {copy}" for picture, copy in zip(dataset.pictures, copies, strict=True)
    )


def find_crossing(
    dataset: Dataset, copies: Sequence[int], splits: Mapping[int, str], old: Mapping[str, SplitRow]
) -> frozenset[int]:
    """Return the new pictures to leave out, because a near-duplicate is in another split.

    Near-duplicates do not join stated groups: one picture that two cameras share would join all their days. Of two new
    pictures the one for the weaker purpose goes, and a new picture always gives way to an old one.

    Args:
        dataset: old and new pictures.
        copies: the number of each picture's group of near-duplicates.
        splits: of the new pictures by position.
        old: the rows of the old ones by file.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, number in enumerate(copies):
        members[number].append(position)
    left_out: set[int] = set()
    for group in members.values():
        of_old = {old[dataset.pictures[n].file].split for n in group if n not in splits}
        strongest = next((split for split in _STRONGEST if split in {splits[n] for n in group if n in splits}), "")
        for position in group:
            if position in splits and (of_old - {splits[position]} or splits[position] != strongest):
                left_out.add(position)
    return frozenset(left_out)
