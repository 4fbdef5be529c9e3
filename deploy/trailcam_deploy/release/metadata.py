"""The signed metadata of a release repository: four roles, their keys and dates, written in the order of their trust.

metadata/N.root.json         names the keys; each is signed by the root key it names and by the one before
metadata/N.targets.json      the digest and length of every file
metadata/N.snapshot.json     which targets
metadata/timestamp.json      which snapshot; written last, so that an interrupted step has no effect
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.release.index import SIGNED_AT
from trailcam_deploy.release.keys import KeyFolder

ONLINE_ROLES = ("targets", "snapshot", "timestamp")
ROLES = ("root", *ONLINE_ROLES)
LIFETIMES: Mapping[str, timedelta] = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=90),
    "timestamp": timedelta(days=30),  # cameras are reached once a week; this leaves three missed weeks
}


@dataclass(frozen=True)
class SignedMetadata:
    """The folder ``metadata`` of a repository and the keys that sign it; ``now`` is the time of signing."""

    folder: Path
    keys: KeyFolder
    now: datetime

    def init(self, passphrase: str) -> None:
        """Create all keys, a root that names them, and an empty list of targets.

        Raises:
            DeployError: there is a repository or a root key already, or the passphrase is too short.
        """
        if (self.folder / "metadata" / "timestamp.json").exists():
            raise DeployError(f"{self.folder}: is a release repository already. Choose another folder.")
        if self.keys.path("root").exists():
            raise DeployError(f"{self.keys.path('root')}: exists. A root key is never written over: move it away.")
        signers = {"root": self.keys.create("root", passphrase)}
        signers |= {role: self.keys.create(role) for role in ONLINE_ROLES}
        root = Root(expires=self._expires("root"), consistent_snapshot=True)
        for role, signer in signers.items():
            root.add_key(signer.public_key, role)
        self._write_root(Metadata(root), [signers["root"]])
        self.publish(Targets())

    def publish(self, targets: Targets) -> None:
        """Sign targets, snapshot and timestamp anew; the repository then offers these targets.

        Raises:
            DeployError: a key cannot be used.
        """
        signers = {role: self.keys.load(role) for role in ONLINE_ROLES}
        before = self.timestamp() if (self.folder / "metadata" / "timestamp.json").exists() else None
        if before is not None:
            targets.version += 1
        targets.expires = self._expires("targets")
        self._write(targets, "targets", signers["targets"])
        snapshot = Snapshot(before.snapshot_meta.version + 1 if before else 1, expires=self._expires("snapshot"))
        snapshot.meta["targets.json"] = MetaFile(targets.version)
        self._write(snapshot, "snapshot", signers["snapshot"])
        timestamp = Timestamp(before.version + 1 if before else 1, expires=self._expires("timestamp"))
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        timestamp.unrecognized_fields[SIGNED_AT] = self.now.isoformat(timespec="seconds")
        self._write(timestamp, "timestamp", signers["timestamp"])

    def rotate(self, roles: tuple[str, ...], passphrase: str, new_passphrase: str | None = None) -> None:
        """Exchange the keys of roles and revoke the old ones.

        A new root key signs together with the old one, once; devices follow from root to root. It is written beside the
        old key, and replaces it after the new root is written: after a power cut at any step one of them can sign.

        Args:
            roles: any of ``ROLES``.
            passphrase: of the root key.
            new_passphrase: of the new root key, where root is among the roles.

        Raises:
            DeployError: the root key cannot be opened, a role is unknown, or the new passphrase is too short.
        """
        if not roles or not set(roles) <= set(ROLES):
            raise DeployError(f"cannot rotate {', '.join(roles) or 'nothing'}, expected some of {', '.join(ROLES)}.")
        root = self.root()
        signers = [self._root_signer(root.signed, passphrase)]
        targets = self.targets()
        for role in roles:
            for keyid in list(root.signed.roles[role].keyids):
                root.signed.revoke_key(keyid, role)
            signer = self.keys.create_next_root(new_passphrase) if role == "root" else self.keys.create(role)
            root.signed.add_key(signer.public_key, role)
            signers += [signer] if role == "root" else []
        root.signed.version += 1
        root.signed.expires = self._expires("root")
        self._write_root(root, signers)
        if "root" in roles:
            self.keys.take_next_root()
        self.publish(targets)

    def root(self) -> Metadata[Root]:
        """Read the newest root.

        Raises:
            DeployError: there is none.
        """
        return Metadata[Root].from_bytes(self.root_bytes())

    def root_bytes(self) -> bytes:
        """Return the newest root as it is on disk.

        Raises:
            DeployError: there is none.
        """
        names = [path.name.split(".")[0] for path in (self.folder / "metadata").glob("*.root.json")]
        versions = [int(name) for name in names if name.isdecimal()]  # a copy of a file has another name
        if not versions:
            raise self._no_repository()
        return self._read(f"{max(versions)}.root.json")

    def timestamp(self) -> Timestamp:
        """Return the timestamp."""
        return Metadata[Timestamp].from_bytes(self._read("timestamp.json")).signed

    def snapshot(self) -> Snapshot:
        """Return the snapshot that the timestamp names."""
        return (
            Metadata[Snapshot].from_bytes(self._read(f"{self.timestamp().snapshot_meta.version}.snapshot.json")).signed
        )

    def targets(self) -> Targets:
        """Return the targets that the timestamp leads to; later ones belong to an interrupted step.

        Raises:
            DeployError: this is no repository, or it is damaged.
        """
        self.root_bytes()
        try:
            version = self.snapshot().meta["targets.json"].version
            return Metadata[Targets].from_bytes(self._read(f"{version}.targets.json")).signed
        except RepositoryError as error:
            raise DeployError(f"{self.folder}: is damaged ({error}). Restore it from its backup.") from error

    def expiry(self) -> dict[str, datetime]:
        """Return when each role's newest metadata expires."""
        signed: tuple[Root | Targets | Snapshot | Timestamp, ...] = (
            self.root().signed,
            self.targets(),
            self.snapshot(),
            self.timestamp(),
        )
        return {metadata.type: metadata.expires for metadata in signed}

    @contextmanager
    def locked(self, make: bool = False) -> Iterator[None]:
        """Lock the repository against a second operator.

        Args:
            make: make the folder if it does not exist; otherwise nothing is left in a folder that is no repository.

        Raises:
            DeployError: another process holds the lock, or there is no such folder.
        """
        if make:
            make_folder(self.folder)
        elif not self.folder.is_dir():
            raise self._no_repository()
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise DeployError(f"{self.folder}: another release is running. Wait for its end.") from error
        finally:
            os.close(descriptor)

    def _no_repository(self) -> DeployError:
        return DeployError(f'{self.folder}: is no release repository. Make one with "trailcam release init".')

    def _root_signer(self, root: Root, passphrase: str) -> CryptoSigner:
        """Return the key that root names; after an interrupted exchange it is the next one."""
        named = root.roles["root"].keyids
        signer = self.keys.load("root", passphrase)
        if signer.public_key.keyid not in named and self.keys.next_root.exists():
            raise DeployError(
                f"{self.keys.path('root')}: its exchange was interrupted after the new root was signed. "
                f"The new key is {self.keys.next_root}: rename it to root.pem, and try again."
            )
        if signer.public_key.keyid not in named:
            raise DeployError(f"{self.keys.path('root')}: is not the key that root names: it was exchanged.")
        return signer

    def _write(self, signed: Targets | Snapshot | Timestamp, role: str, signer: CryptoSigner) -> None:
        metadata: Metadata[Any] = Metadata(signed)
        if signer.public_key.keyid not in self.root().signed.roles[role].keyids:
            raise DeployError(f"{self.keys.path(role)}: is not the key that root names for {role}.")
        metadata.sign(signer)
        name = "timestamp.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        write_file(self.folder / "metadata" / name, metadata.to_bytes(JSONSerializer(compact=True)))

    def _write_root(self, root: Metadata[Root], signers: list[CryptoSigner]) -> None:
        root.signatures.clear()
        for signer in signers:
            root.sign(signer, append=True)
        path = self.folder / "metadata" / f"{root.signed.version}.root.json"
        make_folder(path.parent)
        write_file(path, root.to_bytes(JSONSerializer(compact=True)))

    def _read(self, name: str) -> bytes:
        path = self.folder / "metadata" / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise DeployError(f"{path}: cannot be read ({error.strerror}). Is this a release repository?") from error

    def _expires(self, role: str) -> datetime:
        return self.now + LIFETIMES[role]
