"""Choose calibration pictures: check the candidates, look at them through the model, spread them out."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import ExportError, SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES
from trailcam_core.images.resize import Image
from trailcam_core.progress import Progress, silent
from trailcam_core.spec import InputSpec
from trailcam_export.calibration.calibration_set import CalibrationSet, FieldFrame, spread_out
from trailcam_export.calibration.image_checks import (
    NEAR_BITS,
    Hashes,
    nearest,
    picture_hash,
    stack_hashes,
    unfit_reason,
    unfit_set_reason,
)
from trailcam_export.inference.batches import BATCH, Images, fit_file, stream_batches

__all__ = ["Choice", "choose_calibration", "feature_function", "find_frames"]

_MOST_UNFIT = 0.5  # of field frames: more says that the folder is not what it should be

Features = npt.NDArray[np.float32]  # (N, F)


@dataclass(frozen=True)
class Choice:
    """The pictures, and what a person should know of how they were chosen."""

    pictures: CalibrationSet
    notes: tuple[str, ...]


def feature_function(model: keras.Model) -> Callable[[Images], Features]:
    """Return what maps (N, H, W, 3) uint8 RGB to what the last dense layer takes; to the logits where there is none.

    The layer is looked for inside nested models too, as those are that come from elsewhere.
    """
    seen = _before_last_dense(model) or model
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)]
    call = tf.function(lambda images: seen(images, training=False), input_signature=signature)

    def features(images: Images) -> Features:
        found = np.asarray(call(tf.constant(images)).numpy(), np.float32)
        return found.reshape(len(found), -1)

    return features


def _before_last_dense(model: keras.Model) -> keras.Model | None:
    """Return the model up to what the dense layer at its end takes, None where it ends otherwise."""
    output = model.outputs[0]
    while True:
        last, node, _ = output._keras_history
        taken = last._inbound_nodes[node].input_tensors
        if isinstance(last, keras.Model):
            inner = _before_last_dense(last)
            return inner and keras.Model(model.inputs, inner(taken if len(taken) > 1 else taken[0]))
        if isinstance(last, keras.layers.Dense):
            return keras.Model(model.inputs, taken[0])
        if not isinstance(last, keras.layers.Activation):
            return None
        output = taken[0]  # a linear one in float32, as stands at the end of mixed-precision models


def find_frames(folder: Path) -> tuple[FieldFrame, ...]:
    """List the pictures of ``--calibration DIR``, also in folders below, by name.

    Raises:
        ExportError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder. --calibration names a folder of frames that cameras saved.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise ExportError(f"{folder}: no picture in it ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    return tuple(FieldFrame(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in found)


def choose_calibration(
    features: Callable[[Images], Features],
    pool: Sequence[SplitRow],
    frames: Sequence[FieldFrame],
    held_out: Sequence[SplitRow],
    data: Path,
    spec: InputSpec,
    count: int,
    progress: Progress = silent,
) -> Choice:
    """Choose ``count`` pictures of the pool, and up to as many of the field frames that may be taken.

    More frames than pictures would let the field alone set the ranges, and take longer without widening them.

    Args:
        features: see ``feature_function``.
        pool: candidates of the training split.
        frames: frames from the field.
        held_out: validation and test pictures.
        data: folder of the pictures of the run.
        spec: the model's input.
        count: of training pictures, and the most field frames.
        progress: told after each picture.

    Raises:
        ExportError: no candidate is left, all of them together have a wrong range, a field frame is a validation or
            test picture or nearly one, or too many field frames are unfit.
        SourceError: a picture of the run cannot be read.
    """
    digests = {row.sha256: row for row in held_out}
    hashes = _hash_all([data / row.file for row in held_out], spec, progress)
    notes = []
    rows, left_out = _check_pool(pool, digests, hashes, data, spec, progress)
    if left_out:
        file, reason = left_out[0]
        notes.append(
            f"{len(left_out)} of {len(pool)} calibration candidates were left out, among them {file}: {reason}"
        )
    if not rows:
        raise ExportError(f"No training picture can calibrate: {left_out[0][0]}: {left_out[0][1]}.")
    seen = _look([data / row.file for row in rows], features, spec, "choosing calibration pictures", progress)
    chosen = [rows[place] for place in spread_out([row.label for row in rows], seen, count)]
    kept, unfit = _check_frames(frames, digests, held_out, hashes, spec, progress)
    if unfit:
        notes.append(f"{len(unfit)} of {len(frames)} --calibration frames were left out: {unfit[0]}")
    if len(kept) > count:
        notes.append(
            f"{count} of {len(kept)} --calibration frames calibrate, those that lie farthest apart as the model sees "
            "them; --calibration-count says how many"
        )
        seen = _look([frame.path for frame in kept], features, spec, "choosing field frames", progress)
        kept = [kept[place] for place in sorted(spread_out([""] * len(kept), seen, count))]
    return Choice(CalibrationSet(tuple(chosen), tuple(kept)), tuple(notes))


def _look(
    paths: Sequence[Path], features: Callable[[Images], Features], spec: InputSpec, stage: str, progress: Progress
) -> Features:
    """Return (N, F) of N pictures, as the model sees them."""
    seen = []
    for images in stream_batches(paths, spec):
        seen.append(features(images))
        progress(stage, min(len(seen) * BATCH, len(paths)), len(paths))
    return np.concatenate(seen)


def _hash_all(paths: Sequence[Path], spec: InputSpec, progress: Progress) -> Hashes:
    found = []
    for images in stream_batches(paths, spec):
        found += [picture_hash(image) for image in images]
        progress("looking at test pictures", len(found), len(paths))
    return stack_hashes(found)


def _check_pool(
    pool: Sequence[SplitRow],
    digests: dict[str, SplitRow],
    hashes: Hashes,
    data: Path,
    spec: InputSpec,
    progress: Progress,
) -> tuple[list[SplitRow], list[tuple[str, str]]]:
    rows, left_out, limits = [], [], _Limits()
    done = 0
    for images in stream_batches([data / row.file for row in pool], spec):
        for image in images:
            row = pool[done]
            done += 1
            limits.add(image)
            reason = unfit_reason(image)
            if reason is None and row.sha256 in digests:
                reason = f"the same file as the {digests[row.sha256].split} picture {digests[row.sha256].file}"
            if reason is None and len(hashes) and nearest(picture_hash(image), hashes)[1] <= NEAR_BITS:
                reason = "nearly a validation or test picture"
            if reason is None:
                rows.append(row)
            else:
                left_out.append((row.file, reason))
        progress("checking calibration candidates", done, len(pool))
    limits.check("The training pictures")
    return rows, left_out


def _check_frames(
    frames: Sequence[FieldFrame],
    digests: dict[str, SplitRow],
    held_out: Sequence[SplitRow],
    hashes: Hashes,
    spec: InputSpec,
    progress: Progress,
) -> tuple[list[FieldFrame], list[str]]:
    kept: list[FieldFrame] = []
    unfit: list[str] = []
    limits = _Limits()
    for done, frame in enumerate(frames, start=1):
        progress("checking field frames", done, len(frames))
        try:
            image = fit_file(frame.path, spec)
        except SourceError as error:
            unfit.append(str(error))
            continue
        row = digests.get(frame.sha256)
        if row is None and len(hashes):
            place, bits = nearest(picture_hash(image), hashes)
            row = held_out[place] if bits <= NEAR_BITS and unfit_reason(image) is None else None
        if row is not None:
            same = "the same file as" if frame.sha256 == row.sha256 else "a near-duplicate of"
            raise ExportError(
                f"{frame.path}: {same} the {row.split} picture {row.file}. Pictures that the model is measured on must "
                "not set its ranges: remove it from --calibration."
            )
        limits.add(image)
        reason = unfit_reason(image)
        if reason is None:
            kept.append(frame)
        else:
            unfit.append(f"{frame.path.name}: {reason}")
    if len(unfit) > _MOST_UNFIT * len(frames):
        raise ExportError(
            f"--calibration: {len(unfit)} of {len(frames)} frames cannot calibrate, the first is {unfit[0]}. Name a "
            "folder of ordinary frames of your cameras."
        )
    if frames:
        limits.check("--calibration")
    return kept, unfit


class _Limits:
    """The lowest and highest level of all pictures so far."""

    def __init__(self) -> None:
        self._low, self._high = 255, 0

    def add(self, image: Image) -> None:
        self._low, self._high = min(self._low, int(image.min())), max(self._high, int(image.max()))

    def check(self, what: str) -> None:
        reason = unfit_set_reason(self._low, self._high)
        if reason is not None:
            raise ExportError(f"{what} cannot calibrate: {reason}.")
