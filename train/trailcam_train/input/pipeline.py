"""Pictures from disk to batches, with the device's own preprocessing, fast enough for two cores or a GPU.

    file -> decode_image -> augment or fit_image -> (N, H, W, 3) uint8

Threads do the work: OpenCV lets go of Python's lock while it decodes and warps, so they keep every core busy without
the copies and start-up of worker processes. A picture's chance is drawn from (seed, view, position in the rows) alone,
so an epoch is the same with any number of threads, and can be taken up in the middle. Each epoch draws a new view of
every picture, or takes a fixed number of views in turn.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.cores import usable_cores
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.spec import InputSpec
from trailcam_train.input.augmentation import Augmentation, augment, decoding_spec
from trailcam_train.input.epoch_order import SAMPLINGS, balanced_order, natural_order, turns

__all__ = ["Batch", "DecodedCache", "PictureStream"]

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]  # images (N, H, W, 3) RGB, class_ids (N,)

_BATCHES_AHEAD = 3  # enough to hide one slow batch; more only holds memory
_PICTURE_STREAM = 1  # first word of each seed, so that pictures draw apart from their order, see sampling.py


class DecodedCache:
    """Decoded pictures kept in memory up to a budget; those beyond it are decoded each time. Safe to share by threads.

    Whether a picture is kept changes how fast a stream is, never what it gives.
    """

    def __init__(self, budget_bytes: int = 2_000_000_000) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._images: dict[tuple[Path, int, int, str], Image] = {}
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """Bytes of the pictures that are held."""
        return self._used_bytes

    def read(self, path: Path, spec: InputSpec) -> Image:
        """Return what ``read_image(path, spec)`` returns; not to be changed by the caller.

        Raises:
            SourceError: the picture cannot be read.
        """
        key = (path, spec.height, spec.width, spec.fit)
        image = self._images.get(key)
        if image is not None:
            return image
        image = read_image(path, spec)
        with self._lock:
            if key not in self._images and self._used_bytes + image.nbytes <= self._budget_bytes:
                self._images[key] = image
                self._used_bytes += image.nbytes
        return image


@dataclass(frozen=True)
class _Draw:
    """One view of the picture at ``position`` of the rows; ``turn`` tells apart the times it comes in one epoch."""

    position: int
    view: int
    turn: int = 0


@dataclass(frozen=True)
class _Job:
    """Fill ``images[slots]`` with ``draws[slots]``."""

    images: npt.NDArray[np.uint8]
    slots: range
    draws: Sequence[_Draw]


class PictureStream:
    """Batches of pictures of one split, epoch by epoch.

    Args:
        root: the data folder that ``rows`` are relative to.
        rows: the pictures; one may stand in several rows.
        labels: class names in the order of the model's outputs.
        spec: the model's input.
        batch_size: pictures per batch; the last batch of an epoch holds what is left.
        seed: of the order and of the augmentation.
        shuffle: a new order each epoch, otherwise the order of ``rows``.
        augmentation: random changes; None gives what the device would make of each picture.
        threads: that decode; as many as there are cores where None.
        cache: keeps decoded pictures where given.
        sampling: ``natural`` gives every picture once in an epoch, ``balanced`` every class as often; it needs
            ``shuffle``.
        views: so many views of each picture are taken in turn; 0 draws a new one in every epoch.
    """

    def __init__(
        self,
        root: Path,
        rows: Sequence[SplitRow],
        labels: Sequence[str],
        spec: InputSpec,
        batch_size: int,
        seed: int,
        shuffle: bool,
        augmentation: Augmentation | None = None,
        threads: int | None = None,
        cache: DecodedCache | None = None,
        sampling: str = "natural",
        views: int = 0,
    ) -> None:
        if not rows or batch_size < 1 or seed < 0:
            raise ValueError(f"expected rows, batch_size >= 1 and seed >= 0, got {len(rows)}, {batch_size}, {seed}")
        if sampling not in SAMPLINGS or (sampling == "balanced" and not shuffle):
            raise ValueError(f"expected sampling of {SAMPLINGS}, balanced with shuffle, got {sampling!r}, {shuffle}")
        class_ids = {label: number for number, label in enumerate(labels)}
        unknown = sorted({row.label for row in rows} - set(class_ids))
        if unknown:
            raise ValueError(f"rows have the label {unknown[0]!r}, which labels {tuple(labels)} do not list")
        self._root = root
        self._rows = tuple(rows)
        self._class_ids = np.array([class_ids[row.label] for row in rows], np.int32)
        self._spec = spec
        self._decoding = decoding_spec(spec, augmentation)
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._augmentation = augmentation
        self._threads = threads or usable_cores()
        self._cache = cache
        self._sampling = sampling
        self._views = views

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.order(0)) // self._batch_size)

    @property
    def rows(self) -> tuple[SplitRow, ...]:
        """The pictures, in the order in which they were given."""
        return self._rows

    @property
    def batch_size(self) -> int:
        """Pictures per batch."""
        return self._batch_size

    def order(self, number: int) -> npt.NDArray[np.intp]:
        """Return the positions in ``rows``, (M,), in the order in which epoch ``number`` gives them."""
        if not self._shuffle:
            return np.arange(len(self._rows))
        if self._sampling == "balanced":
            return balanced_order(self._class_ids, self._seed, number)
        return natural_order(len(self._rows), self._seed, number)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        Args:
            number: of the epoch, from 0; the same number gives the same batches.
            start_batch: how many batches to leave out at the start, to go on after a stop.

        Yields:
            images (N, H, W, 3) uint8 RGB, C-contiguous and the caller's to keep, and class_ids (N,) int32.

        Raises:
            DataError: a picture cannot be read.
        """
        order = self.order(number)
        repeats = turns(order)
        if self._views:
            draws = [_Draw(int(p), (number + int(t)) % self._views) for p, t in zip(order, repeats, strict=True)]
        else:
            draws = [_Draw(int(p), number, int(t)) for p, t in zip(order, repeats, strict=True)]
        return self._give(draws[start_batch * self._batch_size :])

    def view(self, number: int) -> Iterator[Batch]:
        """Yield view ``number`` of every picture once, in the order of ``rows``; otherwise as ``epoch``."""
        return self._give([_Draw(position, number) for position in range(len(self._rows))])

    def _give(self, draws: Sequence[_Draw]) -> Iterator[Batch]:
        cv2.setNumThreads(1)  # our threads keep the cores busy; OpenCV's own would only get in their way
        starts = iter(range(0, len(draws), self._batch_size))
        waiting: deque[tuple[Batch, list[Future[None]]]] = deque()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pictures")
        try:
            while True:
                while len(waiting) < _BATCHES_AHEAD and (start := next(starts, None)) is not None:
                    waiting.append(self._begin(pool, draws[start : start + self._batch_size]))
                if not waiting:
                    return
                batch, jobs = waiting.popleft()
                for job in jobs:
                    job.result()
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, draws: Sequence[_Draw]) -> tuple[Batch, list[Future[None]]]:
        images = np.empty((len(draws), self._spec.height, self._spec.width, 3), np.uint8)
        jobs = [
            pool.submit(self._fill, _Job(images, range(first, len(draws), self._threads), draws))
            for first in range(min(self._threads, len(draws)))
        ]
        return (images, self._class_ids[[draw.position for draw in draws]]), jobs

    def _fill(self, job: _Job) -> None:
        for slot in job.slots:
            job.images[slot] = self._picture(job.draws[slot])

    def _picture(self, draw: _Draw) -> Image:
        path = self._root / self._rows[draw.position].file
        try:
            image = self._cache.read(path, self._decoding) if self._cache else read_image(path, self._decoding)
        except SourceError as error:
            raise DataError(
                f"{error} It was readable when the split was made. Put it back, or train again to make a new split."
            ) from error
        if self._augmentation is None:
            return fit_image(image, self._spec)
        turn = [draw.turn] if draw.turn else []
        rng = np.random.default_rng([_PICTURE_STREAM, self._seed, draw.view, draw.position, *turn])
        return augment(image, self._spec, self._augmentation, rng)
