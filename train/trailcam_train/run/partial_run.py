"""The folder of a training: what is written before the first step, read to go on, and renamed at the end.

    runs/NAME.partial/    grows while the training lasts: labels, split, recipe and provenance from the first step on,
                          then checkpoints and history after each epoch
    runs/NAME/            the same folder, renamed when everything in it is written

``trailcam_core.datasets.run_directory`` says what a finished run holds.
"""

import csv
import hashlib
import io
import json
import platform
import shutil
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import (
    OUTLIERS_FILE,
    PARTIAL_SUFFIX,
    Run,
    SplitRow,
    read_run,
    read_split,
    split_to_bytes,
)
from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import remove_staging, staged_directory, sync_directory
from trailcam_train.data.dataset import Unreadable
from trailcam_train.fitting.checkpoints import BEST_FILE, LAST_FILE, START_FILE
from trailcam_train.fitting.frozen_features import remove_views
from trailcam_train.fitting.outliers import outlier_stream
from trailcam_train.fitting.teacher import ANSWERS_PREFIX
from trailcam_train.input.pipeline import PictureStream
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import recipe_from_table, recipe_to_toml
from trailcam_train.run.lock import LOCK_FILE

__all__ = [
    "Job",
    "check_free",
    "check_space",
    "create_job",
    "describe_machine",
    "json_bytes",
    "now",
    "partial_folder",
    "publish",
    "read_job",
    "read_unreadable",
]

# Weights, Adam's two averages and one of the weights, each 4 bytes; all of it twice while a checkpoint is replaced.
_BYTES_PER_PARAMETER = 32
_SPARE_BYTES = 50_000_000  # report, predictions and what the file system needs


@dataclass(frozen=True)
class Job:
    """What a training works with, whether it starts or goes on; ``folder`` is the unfinished run.

    ``others`` is a folder of pictures of none of the labels, to choose and judge the reject rule; ``outliers`` are
    those of them that training shows.
    """

    folder: Path
    data: Path
    recipe: Recipe
    labels: tuple[str, ...]
    rows: tuple[SplitRow, ...]
    provenance: dict[str, str]
    others: Path | None = None
    outliers: tuple[SplitRow, ...] = ()

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.folder.name.removesuffix(PARTIAL_SUFFIX)

    def of(self, split: str) -> tuple[SplitRow, ...]:
        """Return the pictures of one split."""
        return tuple(row for row in self.rows if row.split == split)

    def training_stream(self) -> PictureStream:
        """Return the training pictures, shuffled and changed at random; for a teacher with views, in these views."""
        recipe = self.recipe
        views = recipe.distillation.views if recipe.distillation.teacher else 0
        return PictureStream(
            self.data,
            self.of("train"),
            self.labels,
            recipe.input.spec,
            recipe.batch_size,
            recipe.seed,
            shuffle=True,
            augmentation=recipe.augmentation,
            sampling=recipe.sampling,
            views=views,
        )

    def plain_stream(self, split: str) -> PictureStream:
        """Return the pictures of a split as the device sees them, in the order of the split."""
        return PictureStream(
            self.data, self.of(split), self.labels, self.recipe.input.spec, self.recipe.batch_size, 0, shuffle=False
        )

    def outlier_stream(self) -> PictureStream | None:
        """Return the pictures of none of the labels that training shows, if it shows any."""
        if not self.outliers or self.others is None:
            return None
        return outlier_stream(self.outliers, self.others, self.recipe)

    def class_weights(self) -> npt.NDArray[np.float32]:
        """Return the weight of each class in the loss, (K,): 1, or such that every class counts alike."""
        if self.recipe.class_weights == "none":
            return np.ones(len(self.labels), np.float32)
        counts = Counter(row.label for row in self.of("train"))
        share = sum(counts.values()) / len(self.labels)
        return np.array([share / counts[label] for label in self.labels], np.float32)


def partial_folder(run: Path) -> Path:
    """Return where a run stands until it is finished."""
    return run.with_name(run.name.removesuffix(PARTIAL_SUFFIX) + PARTIAL_SUFFIX)


def check_free(run: Path) -> None:
    """Refuse a name that is taken.

    Raises:
        TrainError: a finished or unfinished run has it.
    """
    if run.exists():
        raise TrainError(f'{run}: exists already, and a finished run is never changed. Choose another "--name".')
    if partial_folder(run).exists():
        raise TrainError(
            f'{partial_folder(run)}: an unfinished run. Go on with "trailcam train --resume {run}", remove the folder, '
            'or choose another "--name".'
        )


def check_space(folder: Path, parameter_count: int) -> None:
    """Refuse to start what the disk cannot hold: better now than after an hour.

    Raises:
        TrainError: the disk has too little room.
    """
    place = folder
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free, _BYTES_PER_PARAMETER * parameter_count + _SPARE_BYTES
    if free < needed:
        raise TrainError(
            f"{place}: {free / 1e6:,.0f} MB free, checkpoints need {needed / 1e6:,.0f} MB. Free some, or name a folder "
            'on another disk with "--runs".'
        )


def create_job(job: Job, unreadable: Sequence[Unreadable]) -> None:
    """Write the folder of a training that is about to start.

    Raises:
        TrainError: another training took the name meanwhile.
        OSError: the disk is full or read-only; nothing is left.
    """
    check_free(job.folder.with_name(job.name))
    with staged_directory(job.folder) as staging:
        (staging / "labels.json").write_bytes(json_bytes(list(job.labels)))
        (staging / "split.csv").write_bytes(split_to_bytes(job.rows))
        (staging / "recipe.toml").write_bytes(recipe_to_toml(job.recipe))
        (staging / "provenance.json").write_bytes(json_bytes(job.provenance))
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerows(
            [("file", "reason"), *((u.file, u.reason) for u in unreadable)]
        )
        (staging / "unreadable.csv").write_bytes(buffer.getvalue().encode("utf-8"))
        if job.outliers:
            (staging / OUTLIERS_FILE).write_bytes(split_to_bytes(job.outliers))


def read_job(folder: Path, data: Path | None = None, others: Path | None = None) -> Job:
    """Read the folder of an unfinished training; ``data`` and ``others`` say where pictures were moved to.

    Raises:
        TrainError: a file of it is missing or damaged.
        DataError: its split cannot be read.
    """
    try:
        labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        table = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
        provenance |= {name: str(path.resolve()) for name, path in (("data", data), ("others", others)) if path}
        place = data or Path(provenance["data"])
        others = Path(provenance["others"]) if "others" in provenance else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{folder}: cannot go on, it is damaged ({error}). Train again.") from error
    recipe = recipe_from_table(table, str(folder / "recipe.toml"))
    outliers = read_split(folder / OUTLIERS_FILE) if (folder / OUTLIERS_FILE).exists() else ()
    return Job(folder, place, recipe, tuple(labels), read_split(folder / "split.csv"), provenance, others, outliers)


def read_unreadable(folder: Path) -> tuple[Unreadable, ...]:
    """Return the files that were left out."""
    text = (folder / "unreadable.csv").read_text(encoding="utf-8")
    return tuple(Unreadable(*row) for row in list(csv.reader(io.StringIO(text, newline="")))[1:])


def publish(folder: Path) -> Run:
    """Drop the checkpoints and give the run its name: the last step of all.

    Raises:
        OSError: the disk is failing; the unfinished run stays and can go on.
    """
    finished = folder.with_name(folder.name.removesuffix(PARTIAL_SUFFIX))
    for path in [
        *(folder / name for name in (LAST_FILE, BEST_FILE, START_FILE)),
        *folder.glob(f"{ANSWERS_PREFIX}*.npy"),
    ]:
        path.unlink(missing_ok=True)
    remove_views(folder)
    remove_staging(folder)
    (folder / LOCK_FILE).unlink(missing_ok=True)
    sync_directory(folder)
    folder.rename(finished)
    sync_directory(finished.parent)
    return read_run(finished)


def describe_machine(weights: str) -> dict[str, str]:
    """Return what made a run, as texts: versions, machine, and the digest of the backbone file if one was named."""
    found = {
        "trailcam": metadata.version("trailcam"),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "weights": weights if weights in ("none", "imagenet") else Path(weights).name,
    }
    if Path(weights).is_file():
        found["weights_sha256"] = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return found


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def json_bytes(value: Any) -> bytes:
    """Return readable JSON; ``ValueError`` where a number is not finite."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
