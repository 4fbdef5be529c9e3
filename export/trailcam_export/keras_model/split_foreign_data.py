"""Split a folder of labelled pictures for a model that was trained elsewhere, to calibrate it and to measure it.

    DATA/
        fox/    one folder for each name in the label file, and no other
        hare/

Of each label about a fifth calibrates, a fifth sets temperature and threshold, the rest is measured on. Pictures that
are nearly the same stay together; such a group, the largest first, goes where its label has least of what it should
have, and to the test where it has nothing yet. The split depends on the pictures alone: the same folder always gives
the same.

Which pictures the model was trained on is not known. If they are in the folder, everything measured looks better than
it is; the export says so.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import ExportError, SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.calibration.image_checks import NEAR_BITS, picture_hash, stack_hashes
from trailcam_export.inference.batches import fit_file

__all__ = ["split_folder"]

_SHARES = {"test": 0.6, "train": 0.2, "validation": 0.2}  # "train" calibrates


def split_folder(
    data: Path, labels: tuple[str, ...], spec: InputSpec, progress: Progress = silent
) -> tuple[tuple[SplitRow, ...], tuple[str, ...]]:
    """Return a row for each readable picture, ordered by file, and what a person must know of the split.

    Args:
        data: see above.
        labels: the names of its folders.
        spec: the model's input.
        progress: told after each picture.

    Raises:
        ExportError: the folders are not the labels, or a split stays empty.
    """
    _check_folders(data, labels)
    found: list[tuple[str, str, str]] = []  # file, sha256, label
    hashes = []
    unreadable = 0
    paths = [(label, path) for label in labels for path in _pictures(data / label)]
    for done, (label, path) in enumerate(paths, start=1):
        try:
            image = fit_file(path, spec)
        except SourceError:
            unreadable += 1
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found.append((path.relative_to(data).as_posix(), digest, label))
            hashes.append(picture_hash(image))
        progress("reading pictures", done, len(paths))
    groups = _group(hashes)
    splits = _assign([label for _, _, label in found], [digest for _, digest, _ in found], groups, labels)
    rows = [
        SplitRow(file, digest, splits[group], label) for (file, digest, label), group in zip(found, groups, strict=True)
    ]
    for split in _SHARES:
        if not any(row.split == split for row in rows):
            raise ExportError(
                f"{data}: {len(found)} readable pictures that differ are too few to calibrate, set thresholds and "
                "measure: expected 3 or more of each label, and 200 in all for a verdict."
            )
    notes = _notes(rows, groups, labels)
    if unreadable:
        notes.append(f"{unreadable} files of {data.name} do not decode and were left out")
    return tuple(sorted(rows, key=lambda row: row.file)), tuple(notes)


def _assign(
    labelled: Sequence[str], digests: Sequence[str], groups: Sequence[int], labels: Sequence[str]
) -> dict[int, str]:
    """Return the split of each group, label by label; one that holds pictures of several goes with the first."""
    splits: dict[int, str] = {}
    for label in labels:
        sizes = Counter(group for group, own in zip(groups, labelled, strict=True) if own == label)
        have = dict.fromkeys(_SHARES, 0)
        for group in sizes.keys() & splits.keys():
            have[splits[group]] += sizes[group]
        # equal ones by the digest of their first picture, which no name or clock can change
        for group in sorted(sizes.keys() - splits.keys(), key=lambda group: (-sizes[group], digests[group])):
            splits[group] = min(_SHARES, key=lambda split: have[split] / _SHARES[split])
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


def _check_folders(data: Path, labels: tuple[str, ...]) -> None:
    if not data.is_dir():
        raise ExportError(f"{data}: no such folder of pictures. --data names one with a folder for each label.")
    folders = {item.name for item in data.iterdir() if item.is_dir() and not item.name.startswith(".")}
    missing, unknown = sorted(set(labels) - folders), sorted(folders - set(labels))
    if missing or unknown:
        what = f"no folder for the label {missing[0]!r}" if missing else f"the folder {unknown[0]!r} is no label"
        raise ExportError(
            f"{data}: {what} ({len(missing)} labels without a folder, {len(unknown)} folders without a label). Name "
            "each folder exactly as its line in --labels."
        )


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _group(hashes: Sequence[npt.NDArray[np.bool_]]) -> list[int]:
    """Return for each picture the place of the first one that is nearly the same, itself where there is none."""
    stacked = stack_hashes(hashes)
    groups: list[int] = []
    for place, one in enumerate(stacked):
        before = (stacked[:place] ^ one).sum(axis=1)
        near = np.flatnonzero(before <= NEAR_BITS)
        groups.append(groups[int(near[0])] if len(near) else place)
    return groups
