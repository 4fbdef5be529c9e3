"""Prepare the data folder of a training that takes up an earlier run.

::

    RUN.data/LABEL/...            the old pictures that are used again, below their earlier paths
    RUN.data/LABEL/crops/GROUP/   new pictures that an import cut out as a camera does
    RUN.data/LABEL/new/GROUP/     other new pictures
    RUN.data/split.csv            the split of all
    RUN.data/reviews.csv          what the import recorded of the new ones
    RUN.data/groups.json          camera and day of the new ones, and the groups of the old ones

All pictures are links: nothing is copied, and a picture that is deleted is gone from here, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trailcam_core.datasets.run_directory import REVIEWS_FILE, Run, SplitRow, split_to_bytes
from trailcam_core.errors import DataError, TrainError
from trailcam_core.field.views import GROUPS_FILE, read_groups
from trailcam_core.files.atomic import staged_directory
from trailcam_core.files.names import folder_name
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.records import canonical_json
from trailcam_train.data.dataset import Dataset, survey_dataset
from trailcam_train.data.near_duplicates import group_duplicates
from trailcam_train.retraining.divide import (
    DivisionRule,
    Sorted,
    check_new_labels,
    divide_new_pictures,
    find_crossing,
    held_splits,
    join_groups,
    sort_new_pictures,
)
from trailcam_train.retraining.new_pictures import NewPicture
from trailcam_train.retraining.reviews import reviews_to_bytes

SPLIT_FILE = "split.csv"
DATA_SUFFIX = ".data"
_MAX_UNREADABLE_FRACTION = 0.05  # of the new pictures; a few broken files are normal


@dataclass(frozen=True)
class OldPictures:
    """Old pictures to use again: ``chosen`` of ``run``, below ``data``; none chosen where ``data`` is None."""

    run: Run
    data: Path | None
    chosen: tuple[SplitRow, ...]


@dataclass(frozen=True)
class Prepared:
    """A prepared folder.

    ``dataset`` has all its pictures, ``copies`` the number of each one's group of near-duplicates, ``rows`` the split.
    ``facts`` are for the provenance.
    """

    folder: Path
    dataset: Dataset
    copies: tuple[int, ...]
    rows: tuple[SplitRow, ...]
    facts: Mapping[str, str]


def prepare_retraining(
    old: OldPictures, new: Sequence[NewPicture], labels: Sequence[str], rule: DivisionRule, target: Path,
    progress: Progress = silent,
) -> Prepared:  # fmt: skip
    """Link old and new pictures, read all of them, and divide the new ones.

    Args:
        old: of the earlier run.
        new: as listed.
        labels: of the training.
        rule: how the new ones are divided.
        target: a folder that does not exist yet.
        progress: receives each picture.

    Raises:
        DataError: old pictures are missing or changed, too many new ones cannot be read, or ``target`` exists.
        TrainError: no picture is new, or a new label has too few.
        OSError: the disk is full or read-only; nothing is left.
    """
    if target.exists() or target.is_symlink():
        raise DataError(f"{target}: exists already. Remove it, or choose another --name.")
    with staged_directory(target) as staging:
        folders = _folders_of(old.chosen)
        _link_old(old, staging)
        placed = _link_new(new, folders, staging)
        dataset = survey_dataset(staging, _label_map(folders, placed), progress)
        dataset = replace(dataset, root=target, labels=tuple(labels))
        _check_new(placed, dataset)
        _check_old(old, dataset)
        groups_of_old = read_groups(old.data) if old.data is not None else {}
        sorted_new = sort_new_pictures(dataset, placed, old.run.rows)
        dataset = _without_repeats(dataset, sorted_new, staging)
        copies = group_duplicates(dataset, progress)
        stated = _state_groups(placed, old.run.rows, groups_of_old)
        groups = join_groups(dataset, copies, stated)
        positions = [number for number, picture in enumerate(dataset.pictures) if picture.file in placed]
        check_new_labels(dataset, positions, groups, rule)
        before = {row.file: row for row in old.chosen}
        held = held_splits([picture.file for picture in dataset.pictures], stated, old.run.rows)
        splits = divide_new_pictures(dataset, positions, groups, held, rule)
        crossing = find_crossing(dataset, copies, splits, before)
        kept = [n for n in range(len(dataset.pictures)) if n not in crossing]
        rows = tuple(
            SplitRow(p.file, p.sha256, splits[n] if n in splits else before[p.file].split, p.label)
            for n, p in ((n, dataset.pictures[n]) for n in kept)
        )
        copies = tuple(copies[n] for n in kept)
        dataset = _remove(dataset, kept, staging)
        _check_held_out(rows, target)
        origins = [
            {**placed[p.file].origin, "label": p.label, "sha256": p.sha256}
            for p in dataset.pictures
            if p.file in placed and placed[p.file].origin
        ]
        (staging / REVIEWS_FILE).write_bytes(reviews_to_bytes(origins))
        (staging / SPLIT_FILE).write_bytes(split_to_bytes(rows))
        table = {picture.file: stated[picture.file] for picture in dataset.pictures if picture.file in stated}
        (staging / GROUPS_FILE).write_bytes(canonical_json(table))
    facts = {
        "new_pictures": str(len(positions) - len(crossing)),
        "near_duplicates_left_out": str(len(crossing)),
        "known_pictures": str(len(sorted_new.known)),
        "corrected_pictures": str(len(sorted_new.corrected)),
    }
    return Prepared(target, dataset, copies, rows, facts)


def _folders_of(rows: Sequence[SplitRow]) -> dict[str, str]:
    """Return the label of each class folder of old rows.

    Raises:
        TrainError: a folder has pictures of two labels, or none.
    """
    found: dict[str, str] = {}
    for row in rows:
        folder, slash, _ = row.file.partition("/")
        if not slash or found.setdefault(folder, row.label) != row.label:
            raise TrainError(
                f"{row.file}: the earlier run has it outside of a folder of its label, so its pictures cannot be used "
                'again. Go on with "--without-old-data".'
            )
    return found


def _link_old(old: OldPictures, root: Path) -> None:
    if old.data is None:
        return
    for row in old.chosen:
        target = root / row.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((old.data / row.file).resolve())


def _link_new(new: Sequence[NewPicture], folders: Mapping[str, str], root: Path) -> dict[str, NewPicture]:
    """Link new pictures below a folder of their label that no other label has; return them by their path there."""
    named: dict[str, str] = {}
    for folder, label in folders.items():
        named.setdefault(label, folder)
    taken = dict(folders)
    placed: dict[str, NewPicture] = {}
    for picture in new:
        if picture.label not in named:
            folder = folder_name(picture.label)
            while taken.setdefault(folder, picture.label) != picture.label:
                folder += "_"
            named[picture.label] = folder
        file = f"{named[picture.label]}/{picture.place}"
        target = root / file
        if target.is_symlink():
            continue  # taken up before, from the same folder
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(picture.path.resolve())
        placed[file] = picture
    return placed


def _label_map(folders: Mapping[str, str], placed: Mapping[str, NewPicture]) -> dict[str, str]:
    return {**folders, **{file.partition("/")[0]: picture.label for file, picture in placed.items()}}


def _check_old(old: OldPictures, dataset: Dataset) -> None:
    found = {picture.file: picture.sha256 for picture in dataset.pictures}
    changed = [row for row in old.chosen if found.get(row.file) != row.sha256]
    if changed:
        what = "changed" if changed[0].file in found else "missing or unreadable"
        raise DataError(
            f"{old.data}/{changed[0].file}: {what} since the earlier run, as are {len(changed) - 1:,} others of its "
            f'{len(old.chosen):,} pictures. Name the folder that {old.run.path} learned from with "--old-data DIR", or '
            'go on with "--without-old-data".'
        )


def _check_new(placed: Mapping[str, NewPicture], dataset: Dataset) -> None:
    broken = [item for item in dataset.unreadable if item.file in placed]
    if len(broken) > _MAX_UNREADABLE_FRACTION * len(placed):
        first = broken[0]
        raise DataError(
            f"{placed[first.file].path}: {first.reason}, as are {len(broken) - 1:,} others of {len(placed):,} new "
            f"pictures, expected at most {_MAX_UNREADABLE_FRACTION:.0%}. Replace or remove them."
        )


def _without_repeats(dataset: Dataset, found: Sorted, root: Path) -> Dataset:
    """Return the data set without new pictures that are old ones, and without old ones that have a new label."""
    repeats = {dataset.pictures[position].file for position in found.known} | found.corrected
    return _remove(dataset, [n for n, picture in enumerate(dataset.pictures) if picture.file not in repeats], root)


def _remove(dataset: Dataset, kept: Sequence[int], root: Path) -> Dataset:
    """Return the kept pictures of a data set; the links of the others are removed."""
    for number in set(range(len(dataset.pictures))) - set(kept):
        (root / dataset.pictures[number].file).unlink()
    thumbnails = None if dataset.thumbnails is None else dataset.thumbnails[list(kept)]
    return replace(dataset, pictures=tuple(dataset.pictures[number] for number in kept), thumbnails=thumbnails)


def _state_groups(
    placed: Mapping[str, NewPicture], rows: Sequence[SplitRow], groups: Mapping[str, str]
) -> dict[str, str]:
    stated = {row.file: groups[row.file] for row in rows if row.file in groups}
    return stated | {file: picture.group for file, picture in placed.items() if picture.group is not None}


def _check_held_out(rows: Sequence[SplitRow], target: Path) -> None:
    for split in ("train", "validation", "test"):
        if not any(row.split == split for row in rows):
            raise TrainError(
                f"{target}: no picture is left for {split}: the new ones are of too few places and days. Review visits "
                "of other days, or train with the old pictures."
            )
