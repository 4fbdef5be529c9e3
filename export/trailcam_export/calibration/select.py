"""Select calibration images: check the candidates, compute their features, take those that differ most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.class_folders import list_images
from trailcam_core.datasets.near_duplicates import ThumbnailIndex
from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import DataError, ExportError, SourceError
from trailcam_core.files.digest import file_sha256
from trailcam_core.images.alignment import make_thumbnail
from trailcam_core.images.decode import IMAGE_SUFFIXES
from trailcam_core.images.resize import Image
from trailcam_core.jobs.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.calibration.calibration_set import CalibrationSet, FieldFrame, select_diverse
from trailcam_export.calibration.image_checks import unfit_reason, unfit_set_reason
from trailcam_export.inference.batches import BATCH, Images, fit_file, stream_batches

Features = npt.NDArray[np.float32]  # (N, F)
FeatureFunction = Callable[[Images], Features]  # of (N, H, W, 3) uint8 RGB

_MAX_UNFIT_FRACTION = 0.5  # of field frames: more means that the folder is the wrong one


@dataclass(frozen=True)
class CalibrationCandidates:
    """Images that may calibrate.

    ``pool`` are rows of the training split and ``held_out`` the validation and test rows, all below ``data``;
    ``frames`` are field frames. ``spec`` is the model's input. ``count`` training images are selected, and at most as
    many frames: more would let the field alone set the ranges, and take longer without widening them.
    """

    pool: tuple[SplitRow, ...]
    frames: tuple[FieldFrame, ...]
    held_out: tuple[SplitRow, ...]
    data: Path
    spec: InputSpec
    count: int


@dataclass(frozen=True)
class CalibrationSelection:
    """The selected images, and notes on the selection for the report."""

    pictures: CalibrationSet
    notes: tuple[str, ...]


def find_frames(folder: Path) -> tuple[FieldFrame, ...]:
    """List the images of ``--calibration DIR``, nested ones included, by path.

    Raises:
        ExportError: no such folder, one that cannot be read, or no image in it.
    """
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder. --calibration names a folder of frames that cameras saved.")
    try:
        found = list_images(folder)
    except DataError as error:
        raise ExportError(str(error)) from error
    if not found:
        raise ExportError(f"{folder}: no picture in it ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    return tuple(FieldFrame(path, file_sha256(path)) for path in found)


def select_calibration(
    features: FeatureFunction, candidates: CalibrationCandidates, progress: Progress = silent
) -> CalibrationSelection:
    """Select calibration images from the pool and the field frames.

    Args:
        features: see ``feature_function``.
        candidates: the images, and how many to select.
        progress: receives each image.

    Raises:
        ExportError: no candidate is left, all of them together have a wrong range, a field frame is a validation or
            test image or its near-duplicate, or too many field frames are unfit.
        SourceError: an image of the run cannot be read.
    """
    data, spec, count = candidates.data, candidates.spec, candidates.count
    held_out = _HeldOut(candidates, progress)
    notes = []
    rows, left_out = _check_pool(candidates, held_out, progress)
    if left_out:
        file, reason = left_out[0]
        notes.append(
            f"{len(left_out)} of {len(candidates.pool)} calibration candidates were left out, among them {file}: "
            f"{reason}"
        )
    if not rows:
        raise ExportError(f"No training picture can calibrate: {left_out[0][0]}: {left_out[0][1]}.")
    seen = _compute_features(
        [data / row.file for row in rows], features, spec, "choosing calibration pictures", progress
    )
    chosen = [rows[position] for position in select_diverse([row.label for row in rows], seen, count)]
    kept, unfit = _check_frames(candidates, held_out, progress)
    if unfit:
        notes.append(f"{len(unfit)} of {len(candidates.frames)} --calibration frames were left out: {unfit[0]}")
    if len(kept) > count:
        notes.append(
            f"{count} of {len(kept)} --calibration frames calibrate, those with the largest distances in the model's "
            "features; --calibration-count sets the number"
        )
        seen = _compute_features([frame.path for frame in kept], features, spec, "choosing field frames", progress)
        kept = [kept[position] for position in sorted(select_diverse([""] * len(kept), seen, count))]
    return CalibrationSelection(CalibrationSet(tuple(chosen), tuple(kept)), tuple(notes))


class _HeldOut:
    """The validation and test images, to find copies of them."""

    def __init__(self, candidates: CalibrationCandidates, progress: Progress) -> None:
        self._rows = candidates.held_out
        self._digests = {row.sha256: row for row in self._rows}
        thumbnails = []
        for images in stream_batches([candidates.data / row.file for row in self._rows], candidates.spec):
            thumbnails += [make_thumbnail(image) for image in images]
            progress("describing test pictures", len(thumbnails), len(self._rows))
        self._index = ThumbnailIndex(thumbnails)

    def same_file(self, sha256: str) -> SplitRow | None:
        return self._digests.get(sha256)

    def near_duplicate(self, image: Image) -> SplitRow | None:
        position = self._index.find(make_thumbnail(image))
        return None if position is None else self._rows[position]


def _compute_features(
    paths: Sequence[Path], features: FeatureFunction, spec: InputSpec, stage: str, progress: Progress
) -> Features:
    seen = []
    for images in stream_batches(paths, spec):
        seen.append(features(images))
        progress(stage, min(len(seen) * BATCH, len(paths)), len(paths))
    return np.concatenate(seen)


def _check_pool(
    candidates: CalibrationCandidates, held_out: _HeldOut, progress: Progress
) -> tuple[list[SplitRow], list[tuple[str, str]]]:
    """Return the rows that may calibrate, and file and reason of the others."""
    pool = candidates.pool
    rows, left_out, levels = [], [], _Levels()
    done = 0
    for images in stream_batches([candidates.data / row.file for row in pool], candidates.spec):
        for row, image in zip(pool[done : done + len(images)], images, strict=True):
            levels.add(image)
            reason = unfit_reason(image)
            if reason is None and (same := held_out.same_file(row.sha256)) is not None:
                reason = f"the same file as the {same.split} picture {same.file}"
            if reason is None and held_out.near_duplicate(image) is not None:
                reason = "nearly a validation or test picture"
            if reason is None:
                rows.append(row)
            else:
                left_out.append((row.file, reason))
        done += len(images)
        progress("checking calibration candidates", done, len(pool))
    levels.check("The training pictures")
    return rows, left_out


def _check_frames(
    candidates: CalibrationCandidates, held_out: _HeldOut, progress: Progress
) -> tuple[list[FieldFrame], list[str]]:
    """Return the frames that may calibrate, and the reasons of the others."""
    frames = candidates.frames
    kept: list[FieldFrame] = []
    unfit: list[str] = []
    levels = _Levels()
    for done, frame in enumerate(frames, start=1):
        progress("checking field frames", done, len(frames))
        try:
            image = fit_file(frame.path, candidates.spec)
        except SourceError as error:
            unfit.append(str(error))
            continue
        reason = unfit_reason(image)
        _refuse_copies(frame, held_out, None if reason else image)
        levels.add(image)
        if reason is None:
            kept.append(frame)
        else:
            unfit.append(f"{frame.path.name}: {reason}")
    if len(unfit) > _MAX_UNFIT_FRACTION * len(frames):
        raise ExportError(
            f"--calibration: {len(unfit)} of {len(frames)} frames cannot calibrate, the first is {unfit[0]}. Name a "
            "folder of ordinary frames of your cameras."
        )
    if frames:
        levels.check("--calibration")
    return kept, unfit


def _refuse_copies(frame: FieldFrame, held_out: _HeldOut, image: Image | None) -> None:
    """Refuse a frame that is a held-out image; ``image`` is None if only its bytes are to be compared."""
    row, same = held_out.same_file(frame.sha256), "the same file as"
    if row is None and image is not None:
        row, same = held_out.near_duplicate(image), "a near-duplicate of"
    if row is not None:
        raise ExportError(
            f"{frame.path}: {same} the {row.split} picture {row.file}. Pictures that the model is measured on must "
            "not set its ranges: remove it from --calibration."
        )


class _Levels:
    """The lowest and highest level of all images so far."""

    def __init__(self) -> None:
        self._low, self._high = 255, 0

    def add(self, image: Image) -> None:
        self._low, self._high = min(self._low, int(image.min())), max(self._high, int(image.max()))

    def check(self, what: str) -> None:
        reason = unfit_set_reason(self._low, self._high)
        if reason is not None:
            raise ExportError(f"{what} cannot calibrate: {reason}.")
