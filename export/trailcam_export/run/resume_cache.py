"""The cache of an export: its finished parts, so that an interrupted export can resume.

    OUT/.trailcam-export-NAME/
        key                digest of the inputs; with other inputs all parts are removed
        lock               held by the export that uses the folder
        calibration.json   the selected calibration images and the notes on them
        VARIANT.json       written last: the file's SHA-256, parity, seconds
        VARIANT.model      a converted file
        VARIANT.npz        its logits
        finished/          the bundles and reports, for a moment; renamed to OUT/NAME

Each part is written to a temporary file, flushed and renamed, so it is complete or missing. A finished export removes
the folder; the next export of the same name removes what a kill left of a temporary file.
"""

import errno
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
from trailcam_core.files.atomic import remove_staging, staged_directory, sync_directory, write_file
from trailcam_core.files.digest import file_sha256
from trailcam_core.records import canonical_json
from trailcam_export.calibration.calibration_set import CalibrationSet, FieldFrame
from trailcam_export.calibration.select import CalibrationSelection
from trailcam_export.inference.batches import Logits

WORK_PREFIX = ".trailcam-export-"
_SELECTION = "calibration.json"
_FINISHED = "finished"


@dataclass(frozen=True)
class ConvertedFile:
    """A converted file, its digest and the duration of its conversion.

    ``parity`` is the largest difference of a logit to the trained model, None for integers.
    """

    path: Path
    sha256: str
    parity: float | None
    conversion_s: float


class ResumeCache:
    """The folder of one export; made by ``open_resume_cache``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load_converted(self, name: str, suffix: str) -> ConvertedFile | None:
        """Return a variant that was converted before, None if there is none or its file has changed."""
        path = self.path / f"{name}.{suffix}"
        try:
            stated = json.loads((self.path / f"{name}.json").read_bytes())
            found = ConvertedFile(path=path, **stated)
            return found if file_sha256(path) == found.sha256 else None
        except (OSError, ValueError, TypeError):
            return None

    def save_converted(
        self, name: str, suffix: str, content: bytes, parity: float | None, seconds: float
    ) -> ConvertedFile:
        """Keep a converted file.

        Raises:
            OSError: the disk is full or read-only; nothing of it is kept.
        """
        path = self.path / f"{name}.{suffix}"
        write_file(path, content)
        found = ConvertedFile(path, hashlib.sha256(content).hexdigest(), parity, seconds)
        fields = asdict(found)
        del fields["path"]
        write_file(self.path / f"{name}.json", canonical_json(fields))
        return found

    def load_logits(self, name: str, sha256: str) -> dict[str, Logits] | None:
        """Return the stored logits of the file with this digest, by image set."""
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

    def load_selection(self, pool: Sequence[SplitRow], frames: Sequence[FieldFrame]) -> CalibrationSelection | None:
        """Return the stored selection of calibration images, None if there is none."""
        by_file, by_path = {row.file: row for row in pool}, {str(frame.path): frame for frame in frames}
        try:
            stated = json.loads((self.path / _SELECTION).read_bytes())
            pictures = CalibrationSet(
                tuple(by_file[file] for file in stated["rows"]), tuple(by_path[path] for path in stated["frames"])
            )
            return CalibrationSelection(pictures, tuple(stated["notes"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_selection(self, selection: CalibrationSelection) -> None:
        """Keep a selection of calibration images.

        Raises:
            OSError: the disk is full or read-only; nothing of it is kept.
        """
        fields = {
            "rows": [row.file for row in selection.pictures.rows],
            "frames": [str(frame.path) for frame in selection.pictures.frames],
            "notes": list(selection.notes),
        }
        write_file(self.path / _SELECTION, canonical_json(fields))

    @contextmanager
    def publishing(self, target: Path) -> Iterator[Path]:
        """Yield a folder to fill, which becomes ``target`` if the block succeeds.

        It is in the cache: what a kill leaves of it is removed by the next export of this name, or with the cache.

        Raises:
            FileExistsError: something exists at ``target``.
            OSError: the disk is full, read-only or failing; nothing is left at ``target``.
        """
        finished = self.path / _FINISHED
        with staged_directory(finished) as staging:
            yield staging
            if target.exists() or target.is_symlink():
                raise FileExistsError(errno.EEXIST, "exists already", str(target))
        finished.rename(target)
        sync_directory(target.parent)

    def is_empty(self) -> bool:
        """Return whether no part is finished yet."""
        return not any(item.name not in ("key", "lock") for item in self.path.iterdir())


def cache_folder(out: Path, name: str) -> Path:
    """Return the folder of the cache of ``out``/``name``."""
    return out / f"{WORK_PREFIX}{name}"


@contextmanager
def open_resume_cache(out: Path, name: str, inputs: Mapping[str, Any]) -> Iterator[ResumeCache]:
    """Open the cache of ``out``/``name``; parts that were made from other ``inputs`` are removed.

    The folder is removed at the end of the block. After an exception it stays, unless no part is finished.

    Raises:
        ExportError: another export uses it.
        OSError: ``out`` cannot be written.
    """
    path = cache_folder(out, name)
    path.mkdir(parents=True, exist_ok=True)
    with open(path / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(
                f"{path}: another export of {name!r} is running. Wait for it, or give another --name."
            ) from error
        remove_staging(path)  # of an export that was killed
        if (path / _FINISHED).exists():
            shutil.rmtree(path / _FINISHED)
        key = hashlib.sha256(canonical_json(inputs)).hexdigest().encode()
        if not (path / "key").exists() or (path / "key").read_bytes() != key:
            for item in path.iterdir():
                if item.name != "lock":
                    shutil.rmtree(item) if item.is_dir() else item.unlink()
            write_file(path / "key", key)
        folder = ResumeCache(path)
        try:
            yield folder
        except BaseException:
            if folder.is_empty():
                shutil.rmtree(path, ignore_errors=True)
            raise
        shutil.rmtree(path)
