"""Pictures from disk to batches, with the device's own preprocessing, fast enough for two cores or a GPU.

    file -> decode_image -> augment or fit_image -> (N, H, W, 3) uint8

Decoding runs in threads: OpenCV releases Python's lock while it decodes and warps, so threads use every core without
the copies and the start-up of worker processes. The random changes of a picture depend on (seed, view, position in the
rows) alone, so an epoch is the same with any number of threads, and can be resumed in the middle.
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

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, SourceError
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.spec import InputSpec
from trailcam_train.input.augmentation import Augmentation, augment, decoding_spec
from trailcam_train.input.epoch_order import EpochOrder, repeat_counts
from trailcam_train.input.share import WHOLE, Share

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]  # images (N, H, W, 3) RGB, class_ids (N,)

_BATCHES_AHEAD = 3  # enough to hide one slow batch; more only holds memory
_PICTURE_STREAM = 1  # first word of each seed, so that these draws are independent of those of epoch_order (0, 2)


class DecodedCache:
    """Decoded pictures in memory, up to a budget; those beyond it are decoded each time. Safe to share by threads."""

    def __init__(self, budget_bytes: int = 2_000_000_000) -> None:
        self._budget_bytes = budget_bytes
        self._used_bytes = 0
        self._images: dict[tuple[Path, int, int, str], Image] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, spec: InputSpec) -> Image:
        """Return ``read_image(path, spec)``; the caller must not modify it.

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
    """One view of the picture at ``position`` of the rows; ``turn`` counts its repetitions in one epoch."""

    position: int
    view: int
    turn: int = 0
    mirrored: bool = False


@dataclass(frozen=True)
class _Job:
    """Fill ``images[slots]`` with ``draws[slots]``."""

    images: npt.NDArray[np.uint8]
    slots: range
    draws: Sequence[_Draw]


class PictureReader:
    """Reads pictures and fits or augments them for a model.

    Args:
        root: the data folder.
        spec: the model's input.
        augmentation: random changes; None for the device's own preprocessing.
        threads: number of threads of a stream; all cores if None.
        cache: keeps decoded pictures, if given.
    """

    def __init__(
        self,
        root: Path,
        spec: InputSpec,
        augmentation: Augmentation | None = None,
        threads: int | None = None,
        cache: DecodedCache | None = None,
    ) -> None:
        self.spec = spec
        self.may_mirror = augmentation is not None and augmentation.flip > 0
        self.threads = threads or usable_cores()
        self._root, self._augmentation, self._cache = root, augmentation, cache
        self._decoding = decoding_spec(spec, augmentation)

    def read(self, file: str, seed: Sequence[int]) -> Image:
        """Return a picture as the model takes it, (H, W, 3) uint8 RGB.

        Args:
            file: path below the data folder.
            seed: of the random changes.

        Raises:
            DataError: it cannot be read.
        """
        path = self._root / file
        try:
            image = self._cache.read(path, self._decoding) if self._cache else read_image(path, self._decoding)
        except SourceError as error:
            raise DataError(
                f"{error} It was readable when the split was made. Put it back, or train again to make a new split."
            ) from error
        if self._augmentation is None:
            return fit_image(image, self.spec)
        return augment(image, self.spec, self._augmentation, np.random.default_rng(seed))


class PictureStream:
    """Batches of pictures of one split, epoch by epoch.

    Args:
        rows: the pictures; one may occur in several rows.
        labels: class names in the order of the model's outputs.
        batch_size: pictures per batch; the last batch of an epoch may be smaller.
        order: of the pictures in an epoch.
        reader: reads them.
        share: of each batch of an epoch that this host reads.
    """

    def __init__(
        self,
        rows: Sequence[SplitRow],
        labels: Sequence[str],
        batch_size: int,
        order: EpochOrder,
        reader: PictureReader,
        share: Share = WHOLE,
    ) -> None:
        if not rows or batch_size < 1:
            raise ValueError(f"expected rows and a batch_size of 1 or more, got {len(rows)}, {batch_size}")
        class_ids = {label: number for number, label in enumerate(labels)}
        unknown = sorted({row.label for row in rows} - set(class_ids))
        if unknown:
            raise ValueError(f"rows have the label {unknown[0]!r}, which labels {tuple(labels)} do not list")
        self._rows = tuple(rows)
        self._class_ids = np.array([class_ids[row.label] for row in rows], np.int32)
        self._batch_size, self._order, self._reader, self.share = batch_size, order, reader, share

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
        return self._order.positions(self._class_ids, number)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield this host's part of the batches of one epoch.

        Args:
            number: of the epoch, from 0; the same number gives the same batches.
            start_batch: how many batches to leave out at the start, to go on after a stop.

        Yields:
            images (N, H, W, 3) uint8 RGB, C-contiguous and the caller's to keep, and class_ids (N,) int32.

        Raises:
            DataError: a picture cannot be read.
        """
        order = self.order(number)
        draws = [
            self._draw(int(position), number, int(turn))
            for position, turn in zip(order, repeat_counts(order), strict=True)
        ]
        return self._give(draws[start_batch * self._batch_size :])

    def view(self, number: int) -> Iterator[Batch]:
        """Yield view ``number`` of every picture once, in the order of ``rows``; of each batch this host's part."""
        return self._give([_Draw(position, number) for position in range(len(self._rows))])

    def _draw(self, position: int, epoch: int, turn: int) -> _Draw:
        """Return a new view, or one of the stored ones: in every second round of them mirrored, if pictures may be."""
        views = self._order.views
        if not views:
            return _Draw(position, epoch, turn)
        rounds, view = divmod(epoch + turn, views)
        return _Draw(position, view, mirrored=self._reader.may_mirror and rounds % 2 == 1)

    def _give(self, draws: Sequence[_Draw]) -> Iterator[Batch]:
        cv2.setNumThreads(1)  # these threads keep the cores busy; OpenCV's own would compete with them
        starts = iter(range(0, len(draws), self._batch_size))
        waiting: deque[tuple[Batch, list[Future[None]]]] = deque()
        pool = ThreadPoolExecutor(self._reader.threads, thread_name_prefix="pictures")
        try:
            while True:
                while len(waiting) < _BATCHES_AHEAD and (start := next(starts, None)) is not None:
                    part = self.share.within(start, min(len(draws), start + self._batch_size))
                    waiting.append(self._begin(pool, draws[part]))
                if not waiting:
                    return
                batch, jobs = waiting.popleft()
                for job in jobs:
                    job.result()
                yield batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, draws: Sequence[_Draw]) -> tuple[Batch, list[Future[None]]]:
        images = np.empty((len(draws), self._reader.spec.height, self._reader.spec.width, 3), np.uint8)
        jobs = [
            pool.submit(self._fill, _Job(images, range(first, len(draws), self._reader.threads), draws))
            for first in range(min(self._reader.threads, len(draws)))
        ]
        return (images, self._class_ids[[draw.position for draw in draws]]), jobs

    def _fill(self, job: _Job) -> None:
        for slot in job.slots:
            draw = job.draws[slot]
            seed = [_PICTURE_STREAM, self._order.seed, draw.view, draw.position, *([draw.turn] if draw.turn else [])]
            image = self._reader.read(self._rows[draw.position].file, seed)
            job.images[slot] = image[:, ::-1] if draw.mirrored else image
