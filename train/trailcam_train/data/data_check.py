"""Check a folder of photographs before a training.

``check_data`` summarises the results of reading and comparing all pictures. Nothing is changed; ``quarantine.py`` moves
files away.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_core.files.names import counted
from trailcam_train.data.dataset import Dataset, Unreadable
from trailcam_train.data.near_duplicates import DuplicatePair, group_pairs

_MIN_SCENES = 3  # one for each split
_FEW_SCENES = 50  # below this a class has 7 test pictures: its recall is known to no better than 35 points
_UNBALANCED = 3.0  # times as many pictures in the largest class as in the smallest
_SMALL_PX = 64  # of the shorter side; a model's input is 96 px or more
_EXTREME_ASPECT = 3.0


@dataclass(frozen=True)
class Quantiles:
    """Smallest, 5th percentile, median, 95th percentile and largest of a property."""

    minimum: float
    p5: float
    median: float
    p95: float
    maximum: float


@dataclass(frozen=True)
class ClassSummary:
    """One class: readable pictures, and different scenes, with copies counted once."""

    label: str
    pictures: int
    scenes: int


@dataclass(frozen=True)
class CopyGroup:
    """Pictures that are one photograph.

    ``files`` and ``labels`` correspond. ``exact``: all are equal files; otherwise ``correlation`` is that of the
    weakest link. ``mirrored``: a link is a mirror image.
    """

    files: tuple[str, ...]
    labels: tuple[str, ...]
    exact: bool
    correlation: float
    mirrored: bool

    @property
    def crosses_classes(self) -> bool:
        """Whether one photograph has several labels, of which at least one is wrong."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class DataCheck:
    """The results: ``problems`` stop a training, ``notes`` do not; ``aspect`` is width by height."""

    root: Path
    pictures: int
    classes: tuple[ClassSummary, ...]
    width_px: Quantiles | None
    height_px: Quantiles | None
    aspect: Quantiles | None
    small: tuple[str, ...]
    extreme: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    odd: tuple[str, ...]
    left_out: str | None
    copies: tuple[CopyGroup, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def crossing(self) -> tuple[CopyGroup, ...]:
        """The groups of copies with more than one label."""
        return tuple(group for group in self.copies if group.crosses_classes)


def check_data(dataset: Dataset, pairs: tuple[DuplicatePair, ...]) -> DataCheck:
    """Summarise a dataset.

    Args:
        dataset: as ``survey_dataset`` returned it.
        pairs: its duplicates, as ``find_duplicates`` returned them.
    """
    width = np.array([picture.width_px for picture in dataset.pictures], np.float64)
    height = np.array([picture.height_px for picture in dataset.pictures], np.float64)
    classes = _classes(dataset, pairs)
    copies = _copies(dataset, pairs)
    extreme = np.maximum(width / np.maximum(height, 1), height / np.maximum(width, 1)) > _EXTREME_ASPECT
    check = DataCheck(
        root=dataset.root,
        pictures=len(dataset.pictures),
        classes=classes,
        width_px=_quantiles(width),
        height_px=_quantiles(height),
        aspect=_quantiles(width / height),
        small=_files(dataset, np.minimum(width, height) < _SMALL_PX),
        extreme=_files(dataset, extreme),
        unreadable=dataset.unreadable,
        odd=dataset.odd,
        left_out=dataset.left_out,
        copies=copies,
        problems=tuple(_problems(classes)),
        notes=(),
    )
    return replace(check, notes=tuple(_notes(check)))


def to_record(check: DataCheck) -> dict[str, Any]:
    """Return the check as a dict for JSON."""
    record = asdict(check)
    record["root"] = str(check.root)
    for group, found in zip(record["copies"], check.copies, strict=True):
        group["crosses_classes"] = found.crosses_classes
        group["likeness"] = group.pop("correlation")
    return record


def _quantiles(values: np.ndarray[Any, np.dtype[np.float64]]) -> Quantiles | None:
    if not len(values):
        return None
    return Quantiles(*(round(float(value), 3) for value in np.percentile(values, [0, 5, 50, 95, 100])))


def _files(dataset: Dataset, marked: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[str, ...]:
    return tuple(dataset.pictures[position].file for position in np.flatnonzero(marked))


def _classes(dataset: Dataset, pairs: tuple[DuplicatePair, ...]) -> tuple[ClassSummary, ...]:
    pictures = Counter(picture.label for picture in dataset.pictures)
    scenes: dict[str, set[int]] = defaultdict(set)
    for picture, number in zip(dataset.pictures, group_pairs(len(dataset.pictures), pairs), strict=True):
        scenes[picture.label].add(number)
    return tuple(ClassSummary(label, pictures[label], len(scenes[label])) for label in dataset.labels)


def _copies(dataset: Dataset, pairs: tuple[DuplicatePair, ...]) -> tuple[CopyGroup, ...]:
    """Return the groups of copies, those across classes first, then the largest."""
    numbers = group_pairs(len(dataset.pictures), pairs)
    members: dict[int, list[int]] = defaultdict(list)
    links: dict[int, list[DuplicatePair]] = defaultdict(list)
    for position, number in enumerate(numbers):
        members[number].append(position)
    for pair in pairs:
        links[numbers[pair.first]].append(pair)
    groups = [
        CopyGroup(
            files=tuple(dataset.pictures[position].file for position in members[number]),
            labels=tuple(dataset.pictures[position].label for position in members[number]),
            exact=all(pair.exact for pair in found),
            correlation=round(min(pair.correlation for pair in found), 3),
            mirrored=any(pair.mirrored for pair in found),
        )
        for number, found in links.items()
    ]
    return tuple(sorted(groups, key=lambda group: (not group.crosses_classes, -len(group.files), group.files)))


def _problems(classes: Sequence[ClassSummary]) -> list[str]:
    problems = []
    if len(classes) < 2:
        problems.append("only one class; a classifier needs at least two. Add a folder of something else.")
    problems += [
        f"{item.label}: {item.pictures:,} readable pictures of {item.scenes:,} different scenes, expected at least "
        f"{_MIN_SCENES}: one to train, one to validate, one to test. Add pictures or remove the folder."
        for item in classes
        if item.scenes < _MIN_SCENES
    ]
    return problems


def _notes(check: DataCheck) -> list[str]:
    notes = []
    if check.unreadable:
        notes.append(
            f"{len(check.unreadable):,} files do not decode. A training leaves them out; --quarantine moves them."
        )
    if check.odd:
        notes.append(f"{len(check.odd):,} files are no pictures or lie outside a class folder. They are ignored.")
    if check.left_out is not None:
        notes.append(check.left_out)
    if check.crossing:
        notes.append(
            f"{len(check.crossing):,} photographs have more than one label: at least one of the labels is wrong. "
            "Inspect them in the report and remove the wrong ones."
        )
    exact = sum(group.exact for group in check.copies)
    if check.copies:
        files = sum(len(group.files) for group in check.copies)
        notes.append(
            f"{files:,} pictures are copies of each other: they show {counted(len(check.copies), 'photograph')}, "
            f"{exact:,} of them as equal files. A split keeps copies together."
        )
    notes += _class_notes(check.classes)
    if check.small:
        notes.append(f"{len(check.small):,} pictures are less than {_SMALL_PX} px on their shorter side.")
    if check.extreme:
        notes.append(f"{len(check.extreme):,} pictures are more than {_EXTREME_ASPECT:g} times as long as wide.")
    return notes


def _class_notes(classes: Sequence[ClassSummary]) -> list[str]:
    notes = []
    few = [item.label for item in classes if _MIN_SCENES <= item.scenes < _FEW_SCENES]
    if few:
        notes.append(f"fewer than {_FEW_SCENES} scenes of {', '.join(few)}: their accuracy will hardly be known.")
    sizes = sorted((item.scenes, item.label) for item in classes)
    if len(sizes) > 1 and sizes[0][0] and sizes[-1][0] > _UNBALANCED * sizes[0][0]:
        notes.append(
            f"{sizes[-1][1]} has {sizes[-1][0] / sizes[0][0]:.1f} times as many scenes as {sizes[0][1]}: use class "
            "weights or balanced sampling, and read the accuracy of each class rather than the average."
        )
    return notes
