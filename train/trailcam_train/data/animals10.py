"""Download Animals-10, the data set of the built-in model, and check that it is complete."""

import errno
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path

from trailcam_core.errors import DataError
from trailcam_core.errors.command_line import command_line
from trailcam_core.errors.install_command import install_command
from trailcam_core.files.atomic import staged_directory
from trailcam_core.jobs.progress import Progress, silent
from trailcam_train.data.class_names import ANIMALS10
from trailcam_train.data.dataset import Dataset, scan_dataset

ANIMALS10_HANDLE = "alessiocorrado99/animals10"
ANIMALS10_PAGE = f"https://www.kaggle.com/datasets/{ANIMALS10_HANDLE}"
ANIMALS10_FILES = 26_179  # 1,446 of elefante to 4,863 of cane, as published in 2019
_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

Download = Callable[[], Path]


def fetch_animals10(
    target: Path, download: Download, progress: Progress = silent, published: int = ANIMALS10_FILES
) -> Dataset:
    """Download Animals-10, put its ten class folders at ``target`` and read every picture.

    Args:
        target: folder that must not exist yet; it appears whole or not at all.
        download: returns the folder of the unpacked download; ``kaggle_download``, or a fake in tests.
        progress: receives each picture.
        published: number of files of the data set.

    Returns:
        The data set at ``target``, with English labels.

    Raises:
        DataError: it cannot be downloaded, is not Animals-10 or incomplete; the message describes the manual way.
        OSError: the disk is full or read-only.
    """
    if target.exists():
        raise DataError(
            f'{target}: exists already. Inspect it with "{command_line("data", "check", target)}", or choose another.'
        )
    source = _class_root(download())
    files = [path for name in ANIMALS10 for path in sorted((source / name).iterdir()) if path.is_file()]
    if len(files) < published:
        raise DataError(
            f"{source}: {len(files):,} files, expected {published:,}: the download is incomplete. Remove that folder "
            f"and fetch again. {_by_hand()}"
        )
    with staged_directory(target) as staging:
        for name in ANIMALS10:
            (staging / name).mkdir()
        for done, path in enumerate(files, 1):  # not copytree, which goes on when the disk is full
            shutil.copyfile(path, staging / path.parent.name / path.name)
            progress("copying", done, len(files))
    return scan_dataset(target, ANIMALS10, progress)


def kaggle_download() -> Path:
    """Download Animals-10 with the package ``kagglehub`` into its cache; an interrupted download is resumed.

    Raises:
        DataError: no package, no network or no access; the message describes the manual way.
    """
    try:
        hub = importlib.import_module("kagglehub")
        errors = importlib.import_module("kagglehub.exceptions")
    except ModuleNotFoundError as error:
        raise DataError(f"the package kagglehub is not installed: {install_command('data')} . {_by_hand()}") from error
    # requests' errors are OSErrors; kagglehub's own have no common base.
    known = (errors.BackendError, errors.CredentialError, errors.DataCorruptionError, errors.NotFoundError)
    try:
        return Path(hub.dataset_download(ANIMALS10_HANDLE))
    except (OSError, errors.UnauthenticatedError, *known) as error:
        if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"Animals-10 cannot be downloaded ({type(error).__name__}: {reason}). {_by_hand()}") from error


def _by_hand() -> str:
    return (
        f"By hand: download {ANIMALS10_PAGE} in a browser, unpack it, and name the folder raw-img in it, for example "
        '"trailcam data check animals10/raw-img".'
    )


def _class_root(folder: Path) -> Path:
    """Return the folder below ``folder`` that holds the ten class folders."""
    for candidate in (folder, *sorted(item for item in folder.rglob("*") if item.is_dir())):
        if all((candidate / name).is_dir() for name in ANIMALS10):
            return candidate
    raise DataError(f"{folder}: the download has no folders {', '.join(ANIMALS10)}. {_by_hand()}")
