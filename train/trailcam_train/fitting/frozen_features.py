"""Run the frozen layers of a network once per augmented view, and train the rest on their outputs.

Where only the last blocks of a backbone learn, an epoch spends most of its time in layers that never change. A phase
with ``views = n`` augments every training picture n times, runs the frozen layers on these views once, and keeps their
outputs as float16 on disk; its epochs then alternate between the views. On a machine without a GPU that makes an epoch
several times shorter, for augmentation that repeats after n epochs.
"""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import sync_directory, write_file
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.fitting.gather import gather_rows, on_all_hosts
from trailcam_train.input.epoch_order import gather_views, repeat_counts
from trailcam_train.input.share import Share
from trailcam_train.models.frozen_inference import compile_inference

Batch = tuple[npt.NDArray[Any], npt.NDArray[np.int32]]  # what a network takes, (N, ...), and class_ids (N,)
Features = npt.NDArray[np.float16]  # (pictures, h, w, C)

_PREFIX = "trunk-"  # of the feature files


class Stream(Protocol):
    """Batches of inputs and class ids, epoch by epoch."""

    @property
    def rows(self) -> tuple[SplitRow, ...]:
        """The pictures."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield this host's part of the batches of epoch ``number``."""

    @property
    def batch_size(self) -> int:
        """Pictures per batch, on all hosts together."""

    @property
    def share(self) -> Share:
        """This host's share of each batch."""

    def order(self, number: int) -> npt.NDArray[np.intp]:
        """Return the positions in ``rows`` in the order in which epoch ``number`` gives them."""

    def view(self, number: int) -> Iterator[Batch]:
        """Yield view ``number`` of every picture once, in the order of ``rows``; of each batch this host's part."""


class FeatureStream:
    """A stream of cached features in place of pictures.

    Args:
        pictures: defines the order.
        views: one array of features per augmented view, each in the order of ``pictures.rows``; epochs alternate
            between them, and so do repetitions of a picture in one epoch.
        class_ids: (pictures,) int32, in the order of ``pictures.rows``.
    """

    def __init__(self, pictures: Stream, views: Sequence[Features], class_ids: npt.NDArray[np.int32]) -> None:
        self._pictures = pictures
        self._views = views
        self._class_ids = class_ids

    @property
    def rows(self) -> tuple[SplitRow, ...]:
        """The pictures."""
        return self._pictures.rows

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._pictures)

    @property
    def batch_size(self) -> int:
        """Pictures per batch."""
        return self._pictures.batch_size

    @property
    def share(self) -> Share:
        """This host's share of each batch."""
        return self._pictures.share

    def order(self, number: int) -> npt.NDArray[np.intp]:
        """Return the positions in ``rows`` in the order in which epoch ``number`` gives them."""
        return self._pictures.order(number)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield features (N, h, w, C) float32 and class_ids (N,) int32."""
        order, step = self.order(number), self.batch_size
        numbers = (number + repeat_counts(order)) % len(self._views)
        for start in range(start_batch * step, len(order), step):
            part = self.share.within(start, min(len(order), start + step))
            yield gather_views(self._views, numbers[part], order[part]), self._class_ids[order[part]]

    def view(self, number: int) -> Iterator[Batch]:
        """Yield view ``number`` of every picture once, in the order of ``rows``; of each batch this host's part."""
        for start in range(0, len(self.rows), self.batch_size):
            part = self.share.within(start, min(start + self.batch_size, len(self.rows)))
            positions = np.arange(part.start, part.stop)
            yield gather_views(self._views, np.full(len(positions), number), positions), self._class_ids[positions]


def split_network(model: keras.Model, first_layer: str) -> tuple[keras.Model, keras.Model]:
    """Split a network before ``first_layer`` into frozen layers and the rest; both share layers with ``model``.

    Raises:
        TrainError: no such layer, or a connection leads around it, so that the rest needs more than its input.
    """
    names = [layer.name for layer in model.layers]
    if first_layer not in names:
        raise TrainError(f"no layer {first_layer!r} in this network, expected one of {', '.join(names)}.")
    cut = model.get_layer(first_layer).input
    try:
        rest = keras.Model(cut, model.outputs[0])
    except ValueError as error:
        raise TrainError(f"the network cannot be cut before {first_layer!r}: a connection leads around it.") from error
    frozen = keras.Model(model.inputs[0], cut)
    return frozen, rest


def cache_features(
    frozen: keras.Model, pictures: Stream, count: int, folder: Path, name: str, progress: Progress = silent
) -> FeatureStream:
    """Cache the features of ``count`` augmented views of every picture; views that are cached already are read.

    Args:
        frozen: pictures (N, H, W, 3) uint8 to features.
        pictures: yields the views.
        count: number of views.
        folder: where the features are kept until ``remove_features``.
        name: of the stream in that folder.
        progress: receives each batch.

    Raises:
        DataError: a picture cannot be read.
        OSError: the disk is full; finished views stay.
    """
    views = []
    for view in range(count):
        path = folder / f"{_PREFIX}{name}-{view}.npy"
        if not on_all_hosts(path.exists()):
            _write_view(frozen, pictures, view, path, progress)
        views.append(np.load(path, mmap_mode="r"))
    class_ids = np.load(folder / f"{_PREFIX}{name}-classes.npy")
    return FeatureStream(pictures, views, class_ids)


def remove_features(folder: Path) -> None:
    """Delete the features of every stream."""
    for path in folder.glob(f"{_PREFIX}*"):
        path.unlink()


def _write_view(frozen: keras.Model, pictures: Stream, view: int, path: Path, progress: Progress) -> None:
    shape = (len(pictures.rows), *frozen.output_shape[1:])
    class_ids = np.zeros(len(pictures.rows), np.int32)
    unfinished = path.with_suffix(".unfinished")
    features = _map_new(unfinished, shape)
    forward = compile_inference(frozen)
    done = 0
    with closing(pictures.view(view)) as batches:  # type: ignore[type-var]
        for images, ids in batches:
            size = min(pictures.batch_size, len(pictures.rows) - done)
            features[done : done + size] = gather_rows(forward(images).astype(np.float16), size, pictures.share)
            class_ids[done : done + size] = gather_rows(ids, size, pictures.share)
            done += size
            progress("frozen layers", done, len(pictures.rows), path.stem)
    features.flush()
    buffer = io.BytesIO()
    np.save(buffer, class_ids)
    write_file(path.with_name(f"{path.stem.rpartition('-')[0]}-classes.npy"), buffer.getvalue())
    unfinished.replace(path)
    sync_directory(path.parent)


def _map_new(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.float16]]":
    """Create a float16 array in a file with reserved blocks, so that a full disk raises here and not during writes."""
    array = np.lib.format.open_memmap(path, "w+", np.float16, shape)
    try:
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
    return array
