"""A dataset: class folders whose pictures are all decoded once before anything is built on them.

``trailcam_core.datasets.class_folders`` has the layout. The name of a class folder, or its entry in a label map, is the
label. Every picture is decoded, because one truncated file would stop a training after hours. Files that are no
pictures are listed as odd.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.bundle.labels import MAX_LABEL_CHARACTERS, case_twins, check_labels
from trailcam_core.datasets.class_folders import ClassFolders, describe_left_out, is_image, scan_class_folders
from trailcam_core.errors import BundleError, DataError, SourceError
from trailcam_core.files.names import printable
from trailcam_core.images.alignment import THUMBNAIL, THUMBNAIL_PX, make_thumbnail
from trailcam_core.images.decode import decode_image
from trailcam_core.images.header import read_image_header
from trailcam_core.jobs.cores import usable_cores
from trailcam_core.jobs.progress import Progress, silent

_MIN_PER_CLASS = 3  # one for each split


@dataclass(frozen=True)
class Picture:
    """A readable picture: posix path below the root, label, SHA-256 of the file, and its upright size."""

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
    """The content of a folder; ``labels`` are sorted, ``pictures``, ``unreadable`` and ``odd`` are ordered by file.

    ``odd`` are files without the suffix of a picture, or outside any class folder. ``thumbnails`` are (N, 64, 64) grey
    uint8, one per picture, for the search for near-duplicates; None in a dataset that was not scanned from disk.
    """

    root: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    unreadable: tuple[Unreadable, ...] = ()
    odd: tuple[str, ...] = ()
    thumbnails: npt.NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)

    @property
    def left_out(self) -> str | None:
        """A sentence about odd files that are photographs of other formats, or videos; None if there are none."""
        return describe_left_out(self.root, [self.root / file for file in self.odd])


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
    return _class_names(scan_class_folders(root))


def _class_names(found: ClassFolders) -> tuple[str, ...]:
    if found.folders:
        return tuple(found.folders)
    root, loose = found.root, sum(map(is_image, found.loose))
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
        label_map: label by class folder, as ``choose_label_map`` returns it; folder names are the labels if None.
        progress: receives each picture.
        threads: number of decoding threads; all cores if None.

    Raises:
        DataError: nothing to learn from: folder missing or empty, fewer than two classes, or a class with fewer than
            three readable pictures. Unreadable files alone are no error, see ``Dataset.unreadable``.
    """
    dataset = survey_dataset(root, label_map, progress, threads)
    _check_classes(dataset)
    return dataset


def _check_names(root: Path, labels: Mapping[str, str]) -> None:
    """Refuse a label that a bundle cannot hold, and two that differ in upper and lower case only.

    Args:
        root: of the class folders.
        labels: by folder.
    """
    for folder, label in labels.items():
        try:
            check_labels((label,), "")
        except BundleError as error:
            raise DataError(
                f"{root / printable(folder)}: its label is {printable(label)[:60]!r}, expected a printable name of 1 "
                f"to {MAX_LABEL_CHARACTERS} characters. Rename the folder or give a label map."
            ) from error
    check_labels(tuple(labels.values()), str(root))  # their number
    twins = case_twins(labels.values())
    if twins is not None:
        raise DataError(
            f"{root}: the labels {' and '.join(twins)} differ in upper and lower case only, which makes two classes of "
            "one animal. Put their pictures into one folder, or give a label map."
        )


def survey_dataset(
    root: Path,
    label_map: Mapping[str, str] | None = None,
    progress: Progress = silent,
    threads: int | None = None,
) -> Dataset:
    """Read and decode every picture as ``scan_dataset``, but accept few and tiny classes: to inspect a folder.

    Raises:
        DataError: folder missing or empty, no class folders, or the label map does not fit.
    """
    scanned = scan_class_folders(root)
    folders = _class_names(scanned)
    labels = {name: name for name in folders} if label_map is None else dict(label_map)
    for name in folders:
        if name not in labels:
            raise DataError(f"{root / name}: the label map does not name this folder; it names {sorted(labels)}.")
    _check_names(root, {name: labels[name] for name in folders})
    files = [(name, path) for name in folders for path in scanned.folders[name]]
    odd = [*scanned.loose, *(path for _, path in files if not is_image(path))]
    jobs = [_Job(path, path.relative_to(root).as_posix(), labels[name]) for name, path in files if is_image(path)]
    jobs.sort(key=lambda job: job.file)
    pictures: list[Picture] = []
    unreadable: list[Unreadable] = []
    thumbnails = np.empty((len(jobs), THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
    cv2.setNumThreads(1)  # these threads keep the cores busy; OpenCV's own would compete with them
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        try:
            for done, found in enumerate(pool.map(_decode, jobs), start=1):
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
        odd=tuple(sorted(path.relative_to(root).as_posix() for path in odd)),
        thumbnails=thumbnails[: len(pictures)],
    )


def _decode(job: _Job) -> tuple[Picture, npt.NDArray[np.uint8]] | Unreadable:
    """Return the picture with its (64, 64) uint8 grey thumbnail, or the reason why it cannot be read."""
    try:
        job.file.encode("utf-8")
    except UnicodeEncodeError:
        name = job.file.encode("utf-8", "backslashreplace").decode("ascii", "backslashreplace")
        return Unreadable(name, "its name is not valid UTF-8: rename it")
    try:
        data = job.path.read_bytes()
        image = decode_image(data, job.file, THUMBNAIL)
    except OSError as error:
        return Unreadable(job.file, f"cannot be read ({error.strerror})")
    except SourceError as error:
        return Unreadable(job.file, str(error).removeprefix(f"{job.file}: "))
    header = read_image_header(data)
    width_px, height_px = header.width_px, header.height_px
    rows, columns = image.shape[:2]
    if (width_px > height_px and columns < rows) or (width_px < height_px and columns > rows):
        width_px, height_px = height_px, width_px  # EXIF turned it
    picture = Picture(job.file, job.label, hashlib.sha256(data).hexdigest(), width_px, height_px)
    return picture, make_thumbnail(image)


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
    tiny = {label: counts[label] for label in dataset.labels if counts[label] < _MIN_PER_CLASS}
    if tiny:
        listed = ", ".join(f"{label} ({count})" for label, count in tiny.items())
        raise DataError(
            f"{root}: too few readable pictures of {listed}, expected at least {_MIN_PER_CLASS} of each class: one "
            "to train, one to validate, one to test. Add pictures or remove the folder."
        )
