"""Split a folder of labelled pictures for a model that was trained elsewhere, to calibrate it and to measure it.

    DATA/
        fox/    one folder for each name in the label file, and no other
        hare/

Of each label about a fifth calibrates, a fifth sets temperature and threshold, and the rest is the test split.
Near-duplicates stay together. Groups are assigned by size, the largest first, to the split that lacks the largest
fraction of its target for that label, the test split first. The split depends on the pictures alone: the same folder
always gives the same split.

The training images of the model are unknown. If they are in the folder, every measurement is optimistic; the export
reports that.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.class_folders import ClassFolders, describe_left_out, scan_class_folders
from trailcam_core.datasets.near_duplicates import Forest, link_near_duplicates
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import ExportError, SourceError
from trailcam_core.files.digest import file_sha256
from trailcam_core.images.alignment import make_thumbnail
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.inference.batches import fit_file

_FRACTIONS = {"test": 0.6, "train": 0.2, "validation": 0.2}  # "train" calibrates


def split_folder(
    data: Path, labels: tuple[str, ...], spec: InputSpec, progress: Progress = silent
) -> tuple[tuple[SplitRow, ...], tuple[str, ...]]:
    """Return a row for each readable picture, ordered by file, and notes on the split for the user.

    Args:
        data: folder with one folder of pictures per label.
        labels: the names of its folders.
        spec: the model's input.
        progress: receives each picture.

    Raises:
        ExportError: the folders are not the labels, or a split stays empty.
    """
    folders = _scan(data, labels)
    found: list[tuple[str, str, str]] = []  # file, sha256, label
    thumbnails = []
    unreadable = 0
    paths = [(label, path) for label in labels for path in folders.images(label)]
    for done, (label, path) in enumerate(paths, start=1):
        try:
            image = fit_file(path, spec)
        except SourceError:
            unreadable += 1
        else:
            found.append((path.relative_to(data).as_posix(), file_sha256(path), label))
            thumbnails.append(make_thumbnail(image))
        progress("reading pictures", done, len(paths))
    groups = _group([digest for _, digest, _ in found], thumbnails, progress)
    splits = _assign([label for _, _, label in found], [digest for _, digest, _ in found], groups, labels)
    rows = [
        SplitRow(file, digest, splits[group], label) for (file, digest, label), group in zip(found, groups, strict=True)
    ]
    for split in _FRACTIONS:
        if not any(row.split == split for row in rows):
            raise ExportError(
                f"{data}: {len(found)} readable pictures that differ are too few to calibrate, set thresholds and "
                "measure: expected 3 or more of each label, and 200 in all for a verdict."
            )
    notes = _notes(rows, groups, labels)
    if unreadable:
        notes.append(f"{unreadable} files of {data.name} do not decode and were left out")
    left_out = describe_left_out(data, [*folders.loose, *chain.from_iterable(folders.folders.values())])
    if left_out is not None:
        notes.append(left_out)
    return tuple(sorted(rows, key=lambda row: row.file)), tuple(notes)


def _assign(
    labelled: Sequence[str], digests: Sequence[str], groups: Sequence[int], labels: Sequence[str]
) -> dict[int, str]:
    """Return the split of each group, label by label; one that holds pictures of several goes with the first."""
    splits: dict[int, str] = {}
    for label in labels:
        sizes = Counter(group for group, own in zip(groups, labelled, strict=True) if own == label)
        have = dict.fromkeys(_FRACTIONS, 0)
        for group in sizes.keys() & splits.keys():
            have[splits[group]] += sizes[group]
        # equal ones by the digest of their first picture, which no name or clock can change
        for group in sorted(sizes.keys() - splits.keys(), key=lambda group: (-sizes[group], digests[group])):
            splits[group] = min(_FRACTIONS, key=lambda split: have[split] / _FRACTIONS[split])
            have[splits[group]] += sizes[group]
    return splits


def _notes(rows: Sequence[SplitRow], groups: Sequence[int], labels: Sequence[str]) -> list[str]:
    notes = []
    shown = {(row.label, row.split) for row in rows}
    for split, lack in (("test", "nothing is measured on"), ("train", "nothing calibrates of")):
        lacking = [label for label in labels if (label, split) not in shown]
        if lacking:
            notes.append(f"{lack} {', '.join(lacking)}: too few pictures that differ from each other")
    test = [group for row, group in zip(rows, groups, strict=True) if row.split == "test"]
    if len(set(test)) < len(test):
        notes.append(
            f"the {len(test):,} test pictures are {len(set(test)):,} that differ and near-duplicates of them, so the "
            "intervals are narrower than they should be"
        )
    return notes


def _scan(data: Path, labels: tuple[str, ...]) -> ClassFolders:
    """List the files of ``data``; refuse folders that are not exactly the labels."""
    if not data.is_dir():
        raise ExportError(f"{data}: no such folder of pictures. --data names one with a folder for each label.")
    found = scan_class_folders(data)
    missing, unknown = sorted(set(labels) - found.folders.keys()), sorted(found.folders.keys() - set(labels))
    if missing or unknown:
        what = f"no folder for the label {missing[0]!r}" if missing else f"the folder {unknown[0]!r} is no label"
        raise ExportError(
            f"{data}: {what} ({len(missing)} labels without a folder, {len(unknown)} folders without a label). Name "
            "each folder exactly as its line in --labels."
        )
    return found


def _group(digests: Sequence[str], thumbnails: Sequence[npt.NDArray[np.uint8]], progress: Progress) -> list[int]:
    """Return for each picture the position of the first of its group: equal files and near-duplicates."""
    forest = Forest(len(digests))
    first: dict[str, int] = {}
    for position, digest in enumerate(digests):
        forest.join(first.setdefault(digest, position), position)
    if thumbnails:
        link_near_duplicates(np.stack(thumbnails), forest, progress)
    return [forest.find(position) for position in range(len(digests))]
