"""The operator's folder: keys, release repository, wheels and the state of the fleet. Created on first use.

    FOLDER/release/             the signed repository
    FOLDER/keys/                its keys; root.pem is encrypted
    FOLDER/keys/root-passphrase of root.pem, until the operator moves it to the backup
    FOLDER/wheels/              this Trailcam as a wheel
    FOLDER/state.json           the last outcome of each device

The passphrase is generated and written beside the key, so that the first deployment needs no input. As long as both
are on one disk, the encryption protects only a copy of the key file: operators should move both away.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle
from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.files.digest import file_sha256
from trailcam_core.release.index import bundle_path
from trailcam_deploy.device.release_diff import read_published
from trailcam_deploy.release.drift_verdict import approve
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.metadata import LIFETIMES
from trailcam_deploy.release.repository import ReleaseRepository

_PASSPHRASE_FILE = "root-passphrase"  # noqa: S105 - a file's name
_PASSPHRASE_BYTES = 24  # of randomness


@dataclass(frozen=True)
class OperatorFolder:
    """One operator's folder; ``now`` is the time of its signatures, with its zone."""

    folder: Path
    now: datetime

    @property
    def repository(self) -> ReleaseRepository:
        """Return the release repository with its keys."""
        return ReleaseRepository(self.folder / "release", KeyFolder(self.folder / "keys"), self.now)

    @property
    def passphrase_file(self) -> Path:
        """Return the path of the root key's passphrase."""
        return self.folder / "keys" / _PASSPHRASE_FILE

    @contextmanager
    def copied(self) -> Iterator["OperatorFolder"]:
        """Yield a temporary copy that only its user can read; this folder is neither changed nor created."""
        with tempfile.TemporaryDirectory(prefix="trailcam-") as name:  # mkdtemp makes it with mode 700
            if self.folder.is_dir():
                shutil.copytree(self.folder, Path(name), dirs_exist_ok=True)
            yield OperatorFolder(Path(name), self.now)

    @contextmanager
    def locked(self) -> Iterator["OperatorFolder"]:
        """Lock the folder against a second deployment; yield this folder.

        Raises:
            DeployError: another deployment is running.
        """
        make_folder(self.folder, 0o700)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DeployError(
                    f"{self.folder}: another deployment is running. Wait for its end, or use another --fleet."
                ) from error
            yield self
        finally:
            os.close(descriptor)

    def create_if_missing(self) -> bool:
        """Create keys and an empty repository; return False if they exist.

        Raises:
            DeployError: there are keys without a repository, or a repository without keys.
        """
        if (self.folder / "release" / "metadata" / "timestamp.json").exists():
            return False
        make_folder(self.folder, 0o700)
        make_folder(self.passphrase_file.parent, 0o700)
        if not self.passphrase_file.exists():
            write_file(self.passphrase_file, f"{secrets.token_urlsafe(_PASSPHRASE_BYTES)}\n".encode(), 0o600)
        passphrase = self.passphrase_file.read_text(encoding="utf-8-sig").strip()
        if (self.folder / "keys" / "root.pem").exists():
            # An interrupted first use: no signature of this key was published yet.
            if (self.folder / "release" / "metadata").exists() and any(
                (self.folder / "release" / "metadata").glob("*.snapshot.json")
            ):
                raise DeployError(
                    f"{self.folder}/release: has no timestamp.json any more. Restore the folder from its backup."
                )
            (self.folder / "keys" / "root.pem").unlink()
        self.repository.init(passphrase)
        return True

    def release(self, bundle: Bundle, channel: str, i_know: str | None) -> str | None:
        """Make a bundle the newest release of a channel; return a description, or None if it is the newest already.

        Raises:
            DeployError: the drift gate objects, or this version exists with other bytes.
        """
        if self._is_newest(bundle, channel):
            return None
        approval = approve(bundle, i_know)
        index = self.repository.add(bundle, channel, approval)
        return f"{index.channel} {index.version}: release {index.number}, drift gate: {approval.verdict}"

    def renew_if_due(self) -> bool:
        """Sign the metadata again once half of the shortest lifetime is over; return True if that was due."""
        soon = self.now + timedelta(seconds=LIFETIMES["timestamp"].total_seconds() / 2)
        if read_published(self.folder / "release").expires.expires > soon:
            return False
        self.repository.renew()
        return True

    def roots(self) -> tuple[bytes, ...]:
        """Return all root metadata of the repository, oldest first."""
        metadata = self.folder / "release" / "metadata"
        paths = sorted(metadata.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
        return tuple(path.read_bytes() for path in paths)

    def _is_newest(self, bundle: Bundle, channel: str) -> bool:
        published = read_published(self.folder / "release")
        version = bundle.manifest.version
        target = published.targets.get(bundle_path(channel, version, MANIFEST_FILE))
        if target is None or published.index(channel).version != version:
            return False
        return bool(target.hashes["sha256"] == file_sha256(bundle.path / MANIFEST_FILE))
