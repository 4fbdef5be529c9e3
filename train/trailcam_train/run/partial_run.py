"""The folder of a training: written before the first step, read to resume, and renamed at the end.

    runs/NAME.partial/    exists during the training: labels, split, recipe and provenance from the first step on, then
                          checkpoints and history after each epoch
    runs/NAME/            the same folder, renamed when everything in it is written

Of several hosts that train together, host N above 0 writes ``runs/NAME.hostN``, see ``fitting/multi_host.py``.

``trailcam_core.datasets.run_directory`` lists the files of a finished run.
"""

import csv
import io
import json
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

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
from trailcam_core.files.digest import file_sha256
from trailcam_train.data.dataset import Unreadable
from trailcam_train.fitting.checkpoints import BEST_FILE, LAST_FILE, START_FILE
from trailcam_train.fitting.frozen_features import remove_features
from trailcam_train.fitting.multi_host import resume_command
from trailcam_train.fitting.teacher import TEACHER_PREFIX
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import read_recipe, recipe_to_toml
from trailcam_train.run.lock import LOCK_FILE

# Weights, Adam's two averages and one of the weights, each 4 bytes; all of it twice while a checkpoint is replaced.
_BYTES_PER_PARAMETER = 32
_SPARE_BYTES = 50_000_000  # report, predictions and what the file system needs


@dataclass(frozen=True)
class TrainingJob:
    """A training, whether it starts or resumes; ``folder`` is the unfinished run.

    ``ood`` is a folder of out-of-distribution images, to choose and evaluate the reject rule; ``outliers`` are those of
    them that training shows.
    """

    folder: Path
    data: Path
    recipe: Recipe
    labels: tuple[str, ...]
    rows: tuple[SplitRow, ...]
    provenance: dict[str, str]
    ood: Path | None = None
    outliers: tuple[SplitRow, ...] = ()

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.folder.name.removesuffix(PARTIAL_SUFFIX)

    def pictures(self, split: str) -> tuple[SplitRow, ...]:
        """Return the rows of one split."""
        return tuple(row for row in self.rows if row.split == split)


def partial_folder(run: Path) -> Path:
    """Return the folder of a run until it is finished."""
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
            f'{partial_folder(run)}: an unfinished run. Go on with "{resume_command(run)}", '
            'remove the folder, or choose another "--name".'
        )


def check_space(folder: Path, parameter_count: int) -> None:
    """Refuse to start a training whose checkpoints do not fit on the disk.

    Raises:
        TrainError: too little free space.
    """
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free, needed = shutil.disk_usage(existing).free, _BYTES_PER_PARAMETER * parameter_count + _SPARE_BYTES
    if free < needed:
        raise TrainError(
            f"{existing}: {free / 1e6:,.0f} MB free, checkpoints need {needed / 1e6:,.0f} MB. Free some, or name a "
            'folder on another disk with "--runs".'
        )


def create_job(job: TrainingJob, unreadable: Sequence[Unreadable]) -> None:
    """Write the folder of a new training.

    Raises:
        TrainError: another training has taken the name.
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
        (staging / "unreadable.csv").write_bytes(buffer.getvalue().encode("utf-8", "surrogateescape"))
        if job.outliers:
            (staging / OUTLIERS_FILE).write_bytes(split_to_bytes(job.outliers))


def read_job(folder: Path, data: Path | None = None, ood: Path | None = None) -> TrainingJob:
    """Read the folder of an unfinished training; ``data`` and ``ood`` are the folders that pictures were moved to.

    Raises:
        TrainError: a file of it is missing or damaged.
        DataError: its split cannot be read.
    """
    try:
        labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        provenance |= {name: str(path.resolve()) for name, path in (("data", data), ("others", ood)) if path}
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("labels.json holds no list of names")
        pictures = data or Path(provenance["data"])
        ood = Path(provenance["others"]) if "others" in provenance else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{folder}: cannot go on, it is damaged ({error}). Train again.") from error
    read_unreadable(folder)  # refused now, not after hours of training
    recipe = read_recipe(folder / "recipe.toml")
    outliers = read_split(folder / OUTLIERS_FILE) if (folder / OUTLIERS_FILE).exists() else ()
    return TrainingJob(
        folder, pictures, recipe, tuple(labels), read_split(folder / "split.csv"), provenance, ood, outliers
    )


def read_unreadable(folder: Path) -> tuple[Unreadable, ...]:
    """Return the files that the training left out.

    Raises:
        TrainError: the list is missing or damaged.
    """
    path = folder / "unreadable.csv"
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        return tuple(Unreadable(*row) for row in list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:])
    except (OSError, TypeError, csv.Error) as error:
        raise TrainError(f"{path}: missing or damaged ({error}). Train again.") from error


def publish(folder: Path) -> Run:
    """Remove the checkpoints and rename the run, the last step of a training.

    Raises:
        OSError: the disk is failing; the unfinished run stays and can be resumed.
    """
    finished = folder.with_name(folder.name.removesuffix(PARTIAL_SUFFIX))
    for path in [
        *(folder / name for name in (LAST_FILE, BEST_FILE, START_FILE)),
        *folder.glob(f"{TEACHER_PREFIX}*.npy"),
    ]:
        path.unlink(missing_ok=True)
    remove_features(folder)
    remove_staging(folder)
    (folder / LOCK_FILE).unlink(missing_ok=True)
    sync_directory(folder)
    folder.rename(finished)
    sync_directory(finished.parent)
    return read_run(finished)


def describe_machine(weights: str) -> dict[str, str]:
    """Return the provenance of this machine: versions, platform, and the digest of a named backbone file."""
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
        found["weights_sha256"] = file_sha256(Path(weights))
    return found


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def json_bytes(value: Any) -> bytes:
    """Return indented JSON; raise ``ValueError`` if a number is not finite."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
