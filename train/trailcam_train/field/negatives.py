"""Read a folder of negatives: pictures in which none of the labels is to be seen.

    NEGATIVES/
        animals/<kind>/a.jpg       animals that are none of the labels: the class "other animal"
        <anything else>/b.jpg      empty scenes, leaves, things: the class "nothing"
        c.jpg                      the same

A group is what stays together in one split: the kind of an animal, otherwise the folder right below. A model learns a
collection as readily as a scene, so a folder that shows one scene only is refused, and pictures that an earlier bundle
names with confidence are listed: some of them hold an animal.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES, read_image
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent

NOTHING, OTHER_ANIMAL = "nothing", "other animal"

_ANIMALS = "animals"
_RELIEF_PX = 16
_ONE_SCENE = 0.6  # correlation of reliefs above which two pictures count as one scene
_FEWEST_SCENES = 3
_MOST_COMPARED = 200
_LISTED = 5
_CONFIDENT = 0.9
_FEWEST_TO_DIVIDE = 3  # one group each for train, validation and test


@dataclass(frozen=True)
class Negative:
    """A picture file, its class (``NOTHING`` or ``OTHER_ANIMAL``) and the group that must stay together."""

    path: Path
    label: str
    group: str


@dataclass(frozen=True)
class Suspect:
    """A negative that an earlier bundle names: with which label, and how sure, in 0..1."""

    path: Path
    label: str
    confidence: float


class Answer(Protocol):
    """What a bundle answers for a picture."""

    @property
    def label(self) -> str | None:
        """A label, None if there is none."""

    @property
    def confidence(self) -> float:
        """Probability in 0..1."""


def suspects_to_csv(suspects: Iterable[Suspect]) -> bytes:
    """Return a table of suspects: file, label, confidence."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "label", "confidence"])
    writer.writerows([str(item.path), item.label, f"{item.confidence:.3f}"] for item in suspects)
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def find_negatives(root: Path) -> tuple[Negative, ...]:
    """List the pictures below ``root`` in the order of their paths; they are not opened.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder. --negatives names a folder of pictures without any of the labels.")
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        parts = path.relative_to(root).parts
        if parts[0] == _ANIMALS and len(parts) > 1:
            kind = parts[1] if len(parts) > 2 else path.stem
            found.append(Negative(path, OTHER_ANIMAL, f"{_ANIMALS}/{kind}"))
        else:
            found.append(Negative(path, NOTHING, parts[0] if len(parts) > 1 else path.stem))
    if not found:
        raise DataError(
            f"{root}: no picture in it. Expected JPEG, PNG, WebP or BMP files of empty scenes and things, and of other "
            f"animals below {_ANIMALS}/<kind>/."
        )
    return tuple(found)


def split_groups(groups: Iterable[str], seed: int, validation: float = 0.15, test: float = 0.15) -> dict[str, str]:
    """Return the split of each group: ``train``, ``validation`` or ``test``.

    Kinds of animals and collections of scenes are divided apart, each in the same shares; kinds of which a model has
    seen other pictures would flatter it. Fewer than three groups are trained on.

    Args:
        groups: names as ``find_negatives`` gives them; repeats do not matter.
        seed: another seed gives another split.
        validation: share of the groups, 0 or more.
        test: share of the groups, 0 or more; both together are below 1.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise ValueError(f"expected shares of 0 or more, together below 1, got {validation} and {test}")
    chosen: dict[str, str] = {}
    names = sorted(set(groups))
    for animals in (True, False):
        members = [name for name in names if name.startswith(f"{_ANIMALS}/") is animals]
        order = np.random.default_rng([seed, int(animals)]).permutation(len(members))
        tests, validations = (_count(share, len(members)) for share in (test, validation))
        for place, position in enumerate(order):
            split = "test" if place < tests else "validation" if place < tests + validations else "train"
            chosen[members[position]] = split
    return chosen


def _count(share: float, groups: int) -> int:
    """Return the number of groups that make a fraction of all: at least one of three or more."""
    return max(1, round(share * groups)) if share and groups >= _FEWEST_TO_DIVIDE else 0


def relief(image: Image) -> npt.NDArray[np.float32]:
    """Return light and dark of a picture, coarse and without its level: (H, W, 3) uint8 to (256,) float32 of norm 1.

    A picture of one colour gives zeros.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_RELIEF_PX, _RELIEF_PX), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return small / np.float32(norm) if norm > 1 else np.zeros_like(small)


def check_scenes(negatives: Sequence[Negative], read: Callable[[Path], Image] = read_image) -> int:
    """Refuse negatives that show one scene only; return how many scenes the empty ones show, at least.

    At most 200 of the pictures without animals are compared, spread evenly; other animals do not count.

    Args:
        negatives: as ``find_negatives`` gave them.
        read: opens a picture.

    Raises:
        DataError: all of the compared pictures show fewer than three scenes, or none can be read.
    """
    empty = [item for item in negatives if item.label == NOTHING]
    if not empty:
        return 0
    step = max(1, len(empty) // _MOST_COMPARED)
    seen: list[npt.NDArray[np.float32]] = []
    compared = 0
    for item in empty[::step]:
        try:
            found = relief(read(item.path))
        except SourceError:
            continue
        compared += 1
        if not seen or max(float(found @ other) for other in seen) < _ONE_SCENE:
            seen.append(found)
    if not compared:
        raise DataError(f"{empty[0].path.parent}: none of the {len(empty):,} negatives can be read as a picture.")
    if len(seen) < _FEWEST_SCENES:
        raise DataError(
            f"{empty[0].path.parent}: its {len(empty):,} pictures without animals show {len(seen)} scene(s), expected "
            f"at least {_FEWEST_SCENES}: a model would learn that place instead of what an empty scene is. Add empty "
            "pictures of other places, other hours and other seasons."
        )
    return len(seen)


def find_suspects(
    negatives: Iterable[Negative],
    classify: Callable[[Image], Answer],
    progress: Progress = silent,
    confident: float = _CONFIDENT,
    read: Callable[[Path], Image] = read_image,
) -> tuple[Suspect, ...]:
    """Return the negatives without an animal that an earlier bundle names, most confident first.

    Some hold an animal and belong elsewhere; the others are that bundle's mistakes and the most useful negatives there
    are. Files that cannot be read are passed over.

    Args:
        negatives: as ``find_negatives`` gave them.
        classify: of the earlier bundle.
        progress: called for each picture.
        confident: least confidence, in 0..1.
        read: opens a picture.
    """
    found = []
    empty = [item for item in negatives if item.label == NOTHING]
    for done, item in enumerate(empty, start=1):
        progress("looking for animals in negatives", done, len(empty))
        try:
            answer = classify(read(item.path))
        except SourceError:
            continue
        if answer.label is not None and answer.confidence >= confident:
            found.append(Suspect(item.path, answer.label, answer.confidence))
    return tuple(sorted(found, key=lambda suspect: (-suspect.confidence, suspect.path)))


def describe_suspects(suspects: Sequence[Suspect]) -> str:
    """Return one line for a log, or an empty text where there are none."""
    if not suspects:
        return ""
    listed = ", ".join(f"{item.path.name} ({item.label} {item.confidence:.2f})" for item in suspects[:_LISTED])
    more = f" and {len(suspects) - _LISTED:,} more" if len(suspects) > _LISTED else ""
    return (
        f"{len(suspects):,} negatives are named by the earlier bundle; look whether they hold an animal: {listed}{more}"
    )
