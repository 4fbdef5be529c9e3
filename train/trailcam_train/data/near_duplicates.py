"""Find pictures that are one photograph: exact copies, and those resized, cropped, recoloured, mirrored or stamped.

Three sieves, each finer than the last:

    SHA-256               equal files
    16x16 relief          correlation of at least 0.5, plain or mirrored: candidates, 2 in 10,000 of all pairs
    64x64 relief, aligned correlation of at least 0.92 after an affine warp that hardly turns: duplicates

The numbers come from the 13,446 photographs of a reduced Animals-10, where 769 links join 1,378 pictures to 609 groups;
they were looked at on contact sheets. Of the 52 links below 0.965 6 were wrong, all below 0.95 and all of them
butterflies with spread wings on white; of 77 others none was (precision 99 %). Between 0.85 and 0.92 such butterflies
outnumber copies ten to one. Comparing 15 crops of each picture instead of the whole found 5 % more pairs, cropped by a
sixth of a side or more: those are missed here. Frames of a burst in which the animal moves count as duplicates only
while the scene outweighs it; for cameras that stand still, group by site as well.
"""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.cores import usable_cores
from trailcam_core.progress import Progress, silent
from trailcam_train.data.dataset import Dataset
from trailcam_train.data.groups import Forest
from trailcam_train.data.image_alignment import Reliefs, align, candidates, coarse_descriptors, make_relief

__all__ = ["DuplicatePair", "find_duplicates", "group_near_duplicates", "group_pairs"]

LEAST_CANDIDATE = 0.5
LEAST_LIKENESS = 0.92
_HOPELESS = 0.85  # at half size; no duplicate of the measurement was below 0.90
_MOST_SKEW = 0.05  # 3 degrees; no true pair needed more, a third of the wrong ones did
_LEAST_RELIEF = 0.05  # mean square; below it a picture is nearly blank, and all blank pictures are alike
_MOST_EACH = 24  # candidates per picture: the largest group of copies in Animals-10 has a dozen
_CHUNK = 1024  # pairs between two looks at what is joined already


@dataclass(frozen=True)
class DuplicatePair:
    """Two pictures, as positions in ``Dataset.pictures``, that are one photograph.

    ``likeness`` is the correlation after alignment, 1 for exact copies; ``mirrored`` says that one is the mirror image.
    """

    first: int
    second: int
    likeness: float
    exact: bool
    mirrored: bool


def find_duplicates(
    dataset: Dataset, progress: Progress = silent, threads: int | None = None
) -> tuple[DuplicatePair, ...]:
    """Find duplicates within and across classes.

    Args:
        dataset: as ``scan_dataset`` gave it.
        progress: told of each stage.
        threads: that compare; as many as there are cores where None.

    Returns:
        Pairs that link every group of duplicates: any two of a group are joined by a chain, not each by a pair of its
        own. Exact ones first, then by falling likeness.
    """
    if dataset.thumbnails is None:
        raise ValueError("the dataset has no thumbnails: make it with scan_dataset")
    forest = Forest(len(dataset.pictures))
    pairs = _exact(dataset, forest)
    cv2.setNumThreads(1)  # our threads keep the cores busy; OpenCV's own would only get in their way
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        try:
            reliefs = _reliefs(dataset.thumbnails, pool, progress)
            order = _candidates(reliefs, progress)
            for start in range(0, len(order), _CHUNK):
                chunk = [pair for pair in order[start : start + _CHUNK] if forest.find(pair[0]) != forest.find(pair[1])]
                found = pool.map(lambda pair: align(pair[0], pair[1], pair[2], reliefs, _HOPELESS), chunk)
                for (first, second, mirrored), (likeness, skew) in zip(chunk, found, strict=True):
                    same = likeness >= LEAST_LIKENESS and skew <= _MOST_SKEW
                    if same and forest.join(first, second):
                        pairs.append(DuplicatePair(first, second, min(likeness, 1.0), False, mirrored))
                progress("comparing pictures", min(start + _CHUNK, len(order)), len(order))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(sorted(pairs, key=lambda pair: (not pair.exact, -pair.likeness, pair.first, pair.second)))


def group_pairs(count: int, pairs: tuple[DuplicatePair, ...]) -> tuple[int, ...]:
    """Return a group number for each of ``count`` pictures; those linked by pairs share one."""
    forest = Forest(count)
    for pair in pairs:
        forest.join(pair.first, pair.second)
    return forest.numbers()


def group_near_duplicates(dataset: Dataset, progress: Progress = silent) -> tuple[int, ...]:
    """Return a group number per picture, in the order of ``dataset.pictures``; duplicates share one.

    See ``find_duplicates`` for what is a duplicate, and the module for how sure that is.
    """
    return group_pairs(len(dataset.pictures), find_duplicates(dataset, progress))


def _exact(dataset: Dataset, forest: Forest) -> list[DuplicatePair]:
    same: dict[str, list[int]] = defaultdict(list)
    for position, picture in enumerate(dataset.pictures):
        same[picture.sha256].append(position)
    pairs = []
    for first, *others in same.values():
        for other in others:
            forest.join(first, other)
            pairs.append(DuplicatePair(first, other, 1.0, True, False))
    return pairs


def _reliefs(thumbnails: npt.NDArray[np.uint8], pool: ThreadPoolExecutor, progress: Progress) -> Reliefs:
    count, height, width = thumbnails.shape
    fine = np.empty((count, height, width), np.float32)
    half = np.empty((count, height // 2, width // 2), np.float32)
    for done, relief in enumerate(pool.map(make_relief, thumbnails, chunksize=64)):
        fine[done] = relief
        half[done] = cv2.resize(relief, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        progress("describing pictures", done + 1, count)
    return Reliefs(fine, half)


def _candidates(reliefs: Reliefs, progress: Progress) -> list[tuple[int, int, bool]]:
    """Return (first, second, mirrored) of the pairs worth aligning, the most alike first."""
    textured = np.mean(np.square(reliefs.fine), axis=(1, 2)) >= _LEAST_RELIEF
    places = np.flatnonzero(textured)
    if len(places) < 2:
        return []
    fine = reliefs.fine[places]
    plain = coarse_descriptors(fine, mirrored=False)
    listed: list[tuple[float, int, int, bool]] = []
    for mirrored in (False, True):
        other = coarse_descriptors(fine, mirrored=True) if mirrored else plain
        for done, first, second, found in candidates(plain, other, LEAST_CANDIDATE, _MOST_EACH):
            listed += zip(
                found.tolist(), places[first].tolist(), places[second].tolist(), [mirrored] * len(first), strict=True
            )
            progress("sieving pairs", done + mirrored * len(places), 2 * len(places))
    listed.sort(key=lambda item: (-item[0], item[1:]))
    return [item[1:] for item in listed]
