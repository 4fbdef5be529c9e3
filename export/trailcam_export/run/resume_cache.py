"""What an unfinished export keeps, so that it goes on where it was killed.

    OUT/.trailcam-export-NAME/
        key                what the finished parts were made from; with another key all of them are thrown away
        lock               held by the export that works here
        calibration.json   the pictures that were chosen, and what is to be said of them
        VARIANT.json       written last: the file's SHA-256, parity, seconds
        VARIANT.model      a converted file
        VARIANT.npz        its logits

Each part is written beside, flushed and renamed, so it is whole or not there. A finished export removes the folder; the
bundles themselves appear in one step, elsewhere.
"""

import fcntl
import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.errors import ExportError
from trailcam_core.files.atomic import write_file
from trailcam_core.files.digest import file_sha256
from trailcam_core.strict_json import canonical_json
from trailcam_export.calibration.calibration_set import CalibrationSet, FieldFrame
from trailcam_export.calibration.select import Choice
from trailcam_export.inference.batches import Logits

__all__ = ["WORK_PREFIX", "Converted", "WorkFolder", "open_work_folder"]

WORK_PREFIX = ".trailcam-export-"
_CHOICE = "calibration.json"


@dataclass(frozen=True)
class Converted:
    """A converted file, its digest and how long the conversion took.

    ``parity`` is the largest difference of a logit to the trained model, None for integers.
    """

    path: Path
    sha256: str
    parity: float | None
    conversion_s: float


class WorkFolder:
    """The folder of one export; made by ``open_work_folder``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load_converted(self, name: str, suffix: str) -> Converted | None:
        """Return a variant that was converted before, None where it was not or its file is not the same any more."""
        path = self.path / f"{name}.{suffix}"
        try:
            stated = json.loads((self.path / f"{name}.json").read_bytes())
            found = Converted(path=path, **stated)
            return found if file_sha256(path) == found.sha256 else None
        except (OSError, ValueError, TypeError):
            return None

    def save_converted(self, name: str, suffix: str, content: bytes, parity: float | None, seconds: float) -> Converted:
        """Keep a converted file.

        Raises:
            OSError: the disk is full or read-only; nothing of it is kept.
        """
        path = self.path / f"{name}.{suffix}"
        write_file(path, content)
        found = Converted(path, hashlib.sha256(content).hexdigest(), parity, seconds)
        fields = asdict(found)
        del fields["path"]
        write_file(self.path / f"{name}.json", canonical_json(fields))
        return found

    def load_logits(self, name: str, sha256: str) -> dict[str, Logits] | None:
        """Return the logits of the file with this digest that were measured before, by what was shown."""
        try:
            with np.load(self.path / f"{name}.npz", allow_pickle=False) as arrays:
                found = {key: np.asarray(arrays[key]) for key in arrays.files}
        except (OSError, ValueError, KeyError):
            return None
        own = found.pop("sha256", None)
        return found if own is not None and str(own) == sha256 else None

    def save_logits(self, name: str, sha256: str, logits: Mapping[str, Logits]) -> None:
        """Keep the logits of the file with this digest.

        Raises:
            OSError: the disk is full or read-only; nothing of it is kept.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, sha256=np.array(sha256), **dict(logits))
        write_file(self.path / f"{name}.npz", buffer.getvalue())

    def load_choice(self, pool: Sequence[SplitRow], frames: Sequence[FieldFrame]) -> Choice | None:
        """Return the calibration pictures that were chosen before, None where there are none."""
        by_file, by_path = {row.file: row for row in pool}, {str(frame.path): frame for frame in frames}
        try:
            stated = json.loads((self.path / _CHOICE).read_bytes())
            pictures = CalibrationSet(
                tuple(by_file[file] for file in stated["rows"]), tuple(by_path[path] for path in stated["frames"])
            )
            return Choice(pictures, tuple(stated["notes"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_choice(self, choice: Choice) -> None:
        """Keep which calibration pictures were chosen.

        Raises:
            OSError: the disk is full or read-only; nothing of it is kept.
        """
        fields = {
            "rows": [row.file for row in choice.pictures.rows],
            "frames": [str(frame.path) for frame in choice.pictures.frames],
            "notes": list(choice.notes),
        }
        write_file(self.path / _CHOICE, canonical_json(fields))

    def is_empty(self) -> bool:
        """Say whether nothing was finished yet."""
        return not any(item.name not in ("key", "lock") for item in self.path.iterdir())


@contextmanager
def open_work_folder(out: Path, name: str, inputs: Mapping[str, Any]) -> Iterator[WorkFolder]:
    """Give the work folder of ``out``/``name``, with what is finished if it was made from the same ``inputs``.

    When the block ends well the folder is removed; when it does not, it stays, unless nothing in it is finished.

    Raises:
        ExportError: another export works in it.
        OSError: ``out`` cannot be written.
    """
    path = out / f"{WORK_PREFIX}{name}"
    path.mkdir(parents=True, exist_ok=True)
    with open(path / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(
                f"{path}: another export of {name!r} is running. Wait for it, or give another --name."
            ) from error
        key = hashlib.sha256(canonical_json(inputs)).hexdigest().encode()
        if not (path / "key").exists() or (path / "key").read_bytes() != key:
            for item in path.iterdir():
                if item.name != "lock":
                    shutil.rmtree(item) if item.is_dir() else item.unlink()
            write_file(path / "key", key)
        folder = WorkFolder(path)
        try:
            yield folder
        except BaseException:
            if folder.is_empty():
                shutil.rmtree(path, ignore_errors=True)
            raise
        shutil.rmtree(path)
