"""Duplicates of a dataset: equal files, and the near-duplicates of ``trailcam_core.datasets.near_duplicates``."""

from collections import defaultdict
from dataclasses import dataclass

from trailcam_core.datasets.near_duplicates import Forest, link_near_duplicates
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.dataset import Dataset


@dataclass(frozen=True)
class DuplicatePair:
    """Two pictures, as positions in ``Dataset.pictures``, that are one photograph.

    ``correlation`` is measured after alignment, 1 for exact copies; ``mirrored``: one is the mirror image.
    """

    first: int
    second: int
    correlation: float
    exact: bool
    mirrored: bool


def find_duplicates(
    dataset: Dataset, progress: Progress = silent, threads: int | None = None
) -> tuple[DuplicatePair, ...]:
    """Find duplicates within and across classes.

    Args:
        dataset: as ``scan_dataset`` returned it.
        progress: receives each stage.
        threads: number of threads; all cores if None.

    Returns:
        Pairs that link every group of duplicates: any two of a group are joined by a chain, not each by a direct pair.
        Exact ones first, then by falling correlation.
    """
    if dataset.thumbnails is None:
        raise ValueError("the dataset has no thumbnails: make it with scan_dataset")
    forest = Forest(len(dataset.pictures))
    pairs = _join_equal_files(dataset, forest)
    links = link_near_duplicates(dataset.thumbnails, forest, progress, threads)
    pairs += [DuplicatePair(link.first, link.second, link.correlation, False, link.mirrored) for link in links]
    return tuple(sorted(pairs, key=lambda pair: (not pair.exact, -pair.correlation, pair.first, pair.second)))


def group_pairs(count: int, pairs: tuple[DuplicatePair, ...]) -> tuple[int, ...]:
    """Return a group number for each of ``count`` pictures; those linked by pairs share one."""
    forest = Forest(count)
    for pair in pairs:
        forest.join(pair.first, pair.second)
    return forest.numbers()


def group_duplicates(dataset: Dataset, progress: Progress = silent) -> tuple[int, ...]:
    """Return a group number per picture, in the order of ``dataset.pictures``; duplicates share one."""
    return group_pairs(len(dataset.pictures), find_duplicates(dataset, progress))


def _join_equal_files(dataset: Dataset, forest: Forest) -> list[DuplicatePair]:
    same: dict[str, list[int]] = defaultdict(list)
    for position, picture in enumerate(dataset.pictures):
        same[picture.sha256].append(position)
    pairs = []
    for first, *others in same.values():
        for other in others:
            forest.join(first, other)
            pairs.append(DuplicatePair(first, other, 1.0, True, False))
    return pairs
