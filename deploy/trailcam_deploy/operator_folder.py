"""The operator's folder: keys, release repository, wheels, and what is known of the fleet. Made on first use.

    FOLDER/release/             the signed repository
    FOLDER/keys/                its keys; root.pem is encrypted
    FOLDER/keys/root-passphrase what root.pem is encrypted with, until it is moved to where the backup is
    FOLDER/wheels/              this Trailcam as a wheel
    FOLDER/state.json           the last word on each device

The passphrase is made here and written beside the key, so that the first deployment asks for nothing. As long as both
lie on one disk the encryption protects a copy of the key file and nothing else: the advice is to move both away.
"""

import fcntl
import hashlib
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
from trailcam_core.files.atomic import write_file
from trailcam_core.release.index import bundle_path
from trailcam_deploy.device.release_diff import read_published
from trailcam_deploy.release.drift_verdict import approve
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.repository import LIFETIMES, ReleaseRepository

__all__ = ["Home"]

_PASSPHRASE_FILE = "root-passphrase"  # noqa: S105 - a file's name
_WORDS = 24  # bytes of chance


@dataclass(frozen=True)
class Home:
    """One operator's folder; ``now`` is the moment at which it signs, with its zone."""

    folder: Path
    now: datetime

    @property
    def repository(self) -> ReleaseRepository:
        """The release repository and its keys."""
        return ReleaseRepository(self.folder / "release", KeyFolder(self.folder / "keys"), self.now)

    @property
    def passphrase_file(self) -> Path:
        """Where the root key's passphrase lies until it is moved away."""
        return self.folder / "keys" / _PASSPHRASE_FILE

    @contextmanager
    def copied(self) -> Iterator["Home"]:
        """Give a copy, for its user alone, that is gone afterwards: nothing in this folder changes, or is made."""
        with tempfile.TemporaryDirectory(prefix="trailcam-") as name:  # mkdtemp makes it with mode 700
            if self.folder.is_dir():
                shutil.copytree(self.folder, Path(name), dirs_exist_ok=True)
            yield Home(Path(name), self.now)

    @contextmanager
    def locked(self) -> Iterator["Home"]:
        """Keep a second deployment from this folder away; gives this folder.

        Raises:
            DeployError: one is going on.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DeployError(
                    f"{self.folder}: another deployment is going on. Wait until it is over, or use another --fleet."
                ) from error
            yield self
        finally:
            os.close(descriptor)

    def ensure(self) -> bool:
        """Make keys and an empty repository where there are none; say whether they were made.

        Raises:
            DeployError: there are keys without a repository, or the other way round.
        """
        if (self.folder / "release" / "metadata" / "timestamp.json").exists():
            return False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.passphrase_file.parent.mkdir(mode=0o700, exist_ok=True)
        if not self.passphrase_file.exists():
            write_file(self.passphrase_file, f"{secrets.token_urlsafe(_WORDS)}\n".encode(), 0o600)
        passphrase = self.passphrase_file.read_text(encoding="utf-8").strip()
        if (self.folder / "keys" / "root.pem").exists():
            # A first use that was cut off: nobody has seen a signature of this key yet.
            if (self.folder / "release" / "metadata").exists() and any(
                (self.folder / "release" / "metadata").glob("*.snapshot.json")
            ):
                raise DeployError(
                    f"{self.folder}/release: has lost its timestamp.json. Bring the folder back from its backup."
                )
            (self.folder / "keys" / "root.pem").unlink()
        self.repository.init(passphrase)
        return True

    def release(self, bundle: Bundle, channel: str, i_know: str | None) -> str | None:
        """Make a bundle the newest release of a channel if it is not; return what was done, or None.

        Raises:
            DeployError: the drift gate objects, or this version is there with other bytes.
        """
        if self._is_newest(bundle, channel):
            return None
        approval = approve(bundle, i_know)
        index = self.repository.add(bundle, channel, approval)
        return f"{index.channel} {index.version}: release {index.number}, drift gate: {approval.verdict}"

    def keep_fresh(self) -> bool:
        """Sign again when half of the shortest lifetime is over; say whether that was done."""
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
        manifest = (bundle.path / MANIFEST_FILE).read_bytes()
        return bool(target.hashes["sha256"] == hashlib.sha256(manifest).hexdigest())
