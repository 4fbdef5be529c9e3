"""Near-duplicates: images that are one photograph, resized, cropped, recoloured, mirrored or watermarked.

The search has two stages:

    16x16 thumbnail          correlation of at least 0.5, plain or mirrored: candidates, 2 in 10,000 of all pairs
    64x64 thumbnail, aligned correlation of at least 0.92 after an affine warp with almost no rotation: duplicates

The numbers come from the 13,446 photographs of a reduced Animals-10, where 769 links join 1,378 pictures to 609 groups,
checked by eye on contact sheets. Of the 52 links below 0.965 6 were wrong, all below 0.95 and all of them butterflies
with spread wings on white; of 77 others none was (precision 99 %). Between 0.85 and 0.92 such butterflies outnumber
copies ten to one. Comparing 15 crops of each picture instead of the whole found 5 % more pairs, cropped by a sixth of a
side or more: those are missed here. Frames of a burst in which the animal moves count as duplicates only while the
scene outweighs it; for fixed cameras, group by site as well.

Training keeps near-duplicates in one split; an export keeps near-duplicates of validation and test images out of
calibration.
"""

from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.images.alignment import (
    THUMBNAIL_PX,
    NormalisedThumbnail,
    align,
    candidate_pairs,
    normalise_thumbnail,
    thumbnail_embeddings,
)
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.jobs.progress import Progress, silent

Thumbnails = npt.NDArray[np.uint8]  # (N, 64, 64) grey

_MIN_CANDIDATE_CORRELATION = 0.5
_MIN_CORRELATION = 0.92
_MIN_HALF_CORRELATION = 0.85  # at half size; no duplicate of the measurement was below 0.90
_MAX_SKEW = 0.05  # 3 degrees; no true pair needed more, a third of the wrong ones did
_MIN_TEXTURE = 0.05  # mean square; below it a picture is nearly blank, and all blank pictures are alike
_MAX_PER_PICTURE = 24  # candidates: the largest group of copies in Animals-10 has a dozen
_CHUNK = 1024  # pairs between two checks of what is joined already


class Forest:
    """Sets of positions 0 to ``count`` - 1 that can be joined (union-find with path halving)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, position: int) -> int:
        """Return the smallest position of the set of ``position``."""
        parent = self._parent
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    def join(self, first: int, second: int) -> bool:
        """Join two sets; return False if they were one already."""
        first, second = self.find(first), self.find(second)
        self._parent[max(first, second)] = min(first, second)
        return first != second

    def numbers(self) -> tuple[int, ...]:
        """Return a group number per position, counted from 0 in order of first appearance."""
        return number_groups(self.find(position) for position in range(len(self._parent)))


def number_groups(keys: Iterable[Hashable]) -> tuple[int, ...]:
    """Return a number per key, equal for equal keys, counted from 0 in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return tuple(numbers.setdefault(key, len(numbers)) for key in keys)


@dataclass(frozen=True)
class Link:
    """Two positions that are near-duplicates; ``correlation`` is measured after alignment."""

    first: int
    second: int
    correlation: float
    mirrored: bool


def link_near_duplicates(
    thumbnails: Thumbnails, forest: Forest, progress: Progress = silent, threads: int | None = None
) -> list[Link]:
    """Find near-duplicates and join them in ``forest``.

    Args:
        thumbnails: as ``make_thumbnail`` gives them.
        forest: of as many positions; what is joined already is not compared again.
        progress: receives each stage.
        threads: number of threads; all cores if None.

    Returns:
        Links that connect each group: any two members are joined by a chain, not each by a direct link.
    """
    links = []
    cv2.setNumThreads(1)  # these threads keep the cores busy; OpenCV's own would compete with them
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        try:
            normalised = []
            for item in pool.map(normalise_thumbnail, thumbnails, chunksize=64):
                normalised.append(item)
                progress("describing pictures", len(normalised), len(thumbnails))
            order = _find_candidates(normalised, progress)
            for start in range(0, len(order), _CHUNK):
                chunk = [pair for pair in order[start : start + _CHUNK] if forest.find(pair[0]) != forest.find(pair[1])]
                found = pool.map(lambda pair: _compare(normalised[pair[0]], normalised[pair[1]], pair[2]), chunk)
                for (first, second, mirrored), correlation in zip(chunk, found, strict=True):
                    if correlation is not None and forest.join(first, second):
                        links.append(Link(first, second, correlation, mirrored))
                progress("comparing pictures", min(start + _CHUNK, len(order)), len(order))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return links


class ThumbnailIndex:
    """Finds the near-duplicate of a single image among (N, 64, 64) thumbnails."""

    def __init__(self, thumbnails: Sequence[npt.NDArray[np.uint8]]) -> None:
        self._thumbnails = list(thumbnails)
        fine = [normalise_thumbnail(item).fine for item in self._thumbnails]
        self._embeddings = thumbnail_embeddings(np.stack(fine)) if fine else np.zeros((0, 1), np.float32)

    def find(self, thumbnail: npt.NDArray[np.uint8]) -> int | None:
        """Return the position of the near-duplicate with the best coarse correlation, None if there is none."""
        wanted = normalise_thumbnail(thumbnail)
        if not len(self._embeddings) or not _is_textured(wanted):
            return None
        both = [thumbnail_embeddings(wanted.fine[None], mirrored)[0] for mirrored in (False, True)]
        correlation = np.stack([self._embeddings @ embedding for embedding in both])  # (2, N)
        for place in np.argsort(-correlation, axis=None)[:_MAX_PER_PICTURE]:
            mirrored, position = divmod(int(place), len(self._embeddings))
            if correlation[mirrored, position] < _MIN_CANDIDATE_CORRELATION:
                break
            candidate = normalise_thumbnail(self._thumbnails[position])
            if _is_textured(candidate) and _compare(candidate, wanted, bool(mirrored)) is not None:
                return position
        return None


def _is_textured(thumbnail: NormalisedThumbnail) -> bool:
    return float(np.mean(np.square(thumbnail.fine))) >= _MIN_TEXTURE


def _compare(first: NormalisedThumbnail, second: NormalisedThumbnail, mirrored: bool) -> float | None:
    """Return the correlation of two near-duplicates, None if they are none."""
    correlation, skew = align(first, second, mirrored, _MIN_HALF_CORRELATION)
    return min(correlation, 1.0) if correlation >= _MIN_CORRELATION and skew <= _MAX_SKEW else None


def _find_candidates(normalised: Sequence[NormalisedThumbnail], progress: Progress) -> list[tuple[int, int, bool]]:
    """Return (first, second, mirrored) of the pairs to align, the best correlated first."""
    places = np.array([place for place, item in enumerate(normalised) if _is_textured(item)], np.intp)
    if len(places) < 2:
        return []
    fine = np.empty((len(places), THUMBNAIL_PX, THUMBNAIL_PX), np.float32)
    for number, place in enumerate(places):
        fine[number] = normalised[place].fine
    plain = thumbnail_embeddings(fine)
    listed: list[tuple[float, int, int, bool]] = []
    for mirrored in (False, True):
        other = thumbnail_embeddings(fine, mirrored=True) if mirrored else plain
        for done, first, second, found in candidate_pairs(plain, other, _MIN_CANDIDATE_CORRELATION, _MAX_PER_PICTURE):
            listed += zip(
                found.tolist(), places[first].tolist(), places[second].tolist(), [mirrored] * len(first), strict=True
            )
            progress("sieving pairs", done + mirrored * len(places), 2 * len(places))
    listed.sort(key=lambda item: (-item[0], item[1:]))
    return [item[1:] for item in listed]
