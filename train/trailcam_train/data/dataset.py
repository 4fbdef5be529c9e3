"""A folder of pictures, one folder per class, read once from end to end before anything is built on it.

    DATA/
        fox/               the class folder; its name, or what a label map makes of it, is the label
            a.jpg
            camera-3/b.jpg  files may lie deeper
        hare/

Every picture is decoded for real, because one truncated file stops a training after hours. Hidden files and folders are
passed over; anything else that is no picture is listed as odd.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.cores import usable_cores
from trailcam_core.errors import BundleError, DataError, SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES, decode_image
from trailcam_core.images.header import read_image_header
from trailcam_core.images.resize import fit_image
from trailcam_core.labels import check_labels
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec

__all__ = ["THUMBNAIL_PX", "Dataset", "Picture", "Unreadable", "list_class_folders", "scan_dataset", "survey_dataset"]

THUMBNAIL_PX = 64  # side of the grey thumbnails that the search for duplicates compares
_THUMBNAIL = InputSpec(THUMBNAIL_PX, THUMBNAIL_PX, "stretch")
_FEWEST_PER_CLASS = 3  # one for each split


@dataclass(frozen=True)
class Picture:
    """A picture that decodes: posix path below the root, label, SHA-256 of the file, size as one sees it (upright)."""

    file: str
    label: str
    sha256: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Unreadable:
    """A file that should be a picture but does not decode, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """What was found in a folder; ``labels`` are sorted, ``pictures``, ``unreadable`` and ``odd`` are ordered by file.

    ``odd`` are files that are no pictures by their suffix, or lie outside any class folder. ``thumbnails`` are
    (N, 64, 64) uint8, grey, one per picture, stretched to a square, kept for the search for near-duplicates; None in a
    dataset that was not scanned from disk.
    """

    root: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    unreadable: tuple[Unreadable, ...] = ()
    odd: tuple[str, ...] = ()
    thumbnails: npt.NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class _Job:
    path: Path
    file: str
    label: str


def list_class_folders(root: Path) -> tuple[str, ...]:
    """Return the names of the class folders below ``root``, sorted.

    Raises:
        DataError: no such folder, or no class folders in it.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "no such folder"
        raise DataError(f"{root}: {what}, expected a folder with one folder of pictures per class. Check the path.")
    names = tuple(sorted(item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith(".")))
    if names:
        return names
    loose = sum(1 for item in root.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES)
    if loose:
        raise DataError(
            f"{root}: holds {loose:,} pictures but no class folders. Put the pictures of each class into a folder "
            f"named after it, such as {root}/fox/."
        )
    raise DataError(f"{root}: is empty, expected one folder of pictures per class, such as {root}/fox/.")


def scan_dataset(
    root: Path,
    label_map: Mapping[str, str] | None = None,
    progress: Progress = silent,
    threads: int | None = None,
) -> Dataset:
    """Read and decode every picture below ``root``.

    Args:
        root: folder with one folder per class.
        label_map: label by class folder, as ``choose_label_map`` gives it; folder names are the labels where None.
        progress: told of each picture.
        threads: decoding threads; as many as there are cores where None.

    Raises:
        DataError: nothing to learn from: folder missing or empty, fewer than two classes, or a class with fewer than
            three readable pictures. Unreadable files alone are no error, see ``Dataset.unreadable``.
    """
    dataset = survey_dataset(root, label_map, progress, threads)
    _check_classes(dataset)
    return dataset


def survey_dataset(
    root: Path,
    label_map: Mapping[str, str] | None = None,
    progress: Progress = silent,
    threads: int | None = None,
) -> Dataset:
    """Do what ``scan_dataset`` does, but let classes be few and tiny: for looking at a folder, not for training.

    Raises:
        DataError: folder missing or empty, no class folders, or the label map does not fit.
    """
    folders = list_class_folders(root)
    labels = {name: name for name in folders} if label_map is None else dict(label_map)
    for name in folders:
        if name not in labels:
            raise DataError(f"{root / name}: the label map does not name this folder; it names {sorted(labels)}.")
    try:
        check_labels(tuple(labels[name] for name in folders), str(root))
    except BundleError as error:
        raise DataError(f"{error} Rename the folder or give a label map.") from error
    jobs: list[_Job] = []
    odd: list[str] = [item.name for item in root.iterdir() if item.is_file() and not item.name.startswith(".")]
    for name in folders:
        for path in _walk(root / name):
            file = path.relative_to(root).as_posix()
            if path.suffix.lower() in IMAGE_SUFFIXES:
                jobs.append(_Job(path, file, labels[name]))
            else:
                odd.append(file)
    jobs.sort(key=lambda job: job.file)
    pictures: list[Picture] = []
    unreadable: list[Unreadable] = []
    thumbnails = np.empty((len(jobs), THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
    cv2.setNumThreads(1)  # our threads keep the cores busy; OpenCV's own would only get in their way
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        try:
            for done, found in enumerate(pool.map(_look_at, jobs), start=1):
                if isinstance(found, Unreadable):
                    unreadable.append(found)
                else:
                    thumbnails[len(pictures)] = found[1]
                    pictures.append(found[0])
                progress("reading pictures", done, len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Dataset(
        root=root,
        labels=tuple(sorted({labels[name] for name in folders})),
        pictures=tuple(pictures),
        unreadable=tuple(unreadable),
        odd=tuple(sorted(odd)),
        thumbnails=thumbnails[: len(pictures)],
    )


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, hidden ones left out; links are followed, but no folder is entered twice."""
    entered: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place) / name


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: the folder cannot be read ({error.strerror}). Correct its permissions."
    ) from error


def _look_at(job: _Job) -> tuple[Picture, npt.NDArray[np.uint8]] | Unreadable:
    """Return the picture with its (64, 64) uint8 grey thumbnail, or why there is none."""
    try:
        job.file.encode("utf-8")
    except UnicodeEncodeError:
        name = job.file.encode("utf-8", "backslashreplace").decode("ascii", "backslashreplace")
        return Unreadable(name, "its name is not valid UTF-8: rename it")
    try:
        data = job.path.read_bytes()
        image = decode_image(data, job.file, _THUMBNAIL)
    except OSError as error:
        return Unreadable(job.file, f"cannot be read ({error.strerror})")
    except SourceError as error:
        return Unreadable(job.file, str(error).removeprefix(f"{job.file}: "))
    header = read_image_header(data)
    width_px, height_px = header.width_px, header.height_px
    rows, columns = image.shape[:2]
    if (width_px > height_px and columns < rows) or (width_px < height_px and columns > rows):
        width_px, height_px = height_px, width_px  # EXIF turned it
    thumbnail = cv2.cvtColor(fit_image(image, _THUMBNAIL), cv2.COLOR_RGB2GRAY)
    picture = Picture(job.file, job.label, hashlib.sha256(data).hexdigest(), width_px, height_px)
    return picture, np.asarray(thumbnail, np.uint8)


def _check_classes(dataset: Dataset) -> None:
    root = dataset.root
    if not dataset.pictures:
        broken = f"; {len(dataset.unreadable):,} files do not decode" if dataset.unreadable else ""
        raise DataError(f"{root}: no readable picture in its class folders{broken}. Add JPEG, PNG, WebP or BMP files.")
    if len(dataset.labels) < 2:
        inner = {picture.file.rpartition("/")[0] for picture in dataset.pictures}
        if len(inner) > 1 and all("/" in folder for folder in inner):
            raise DataError(
                f"{root}: only one class, {dataset.labels[0]!r}, but {len(inner):,} folders of pictures in it. If "
                f"those are the classes, name {root / dataset.pictures[0].file.partition('/')[0]} instead."
            )
        raise DataError(
            f"{root}: only one class, {dataset.labels[0]!r}; a classifier needs at least two. Add a folder of "
            "something else, or of empty scenes."
        )
    counts = Counter(picture.label for picture in dataset.pictures)
    tiny = {label: counts[label] for label in dataset.labels if counts[label] < _FEWEST_PER_CLASS}
    if tiny:
        listed = ", ".join(f"{label} ({count})" for label, count in tiny.items())
        raise DataError(
            f"{root}: too few readable pictures of {listed}, expected at least {_FEWEST_PER_CLASS} of each class: one "
            "to train, one to validate, one to test. Add pictures or remove the folder."
        )
