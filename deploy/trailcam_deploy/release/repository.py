"""The release repository: a folder of static files that any web server, stick or inbox can carry.

    FOLDER/metadata/     signed by four roles: N.root.json, N.targets.json, N.snapshot.json, timestamp.json
    FOLDER/targets/      the files of the releases, each under the digest of its content

Metadata is written in the order in which a device may see it: files, targets, snapshot, timestamp. Whoever copies the
folder elsewhere copies ``metadata/timestamp.json`` last.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from trailcam_deploy.release.drift_verdict import Approval
from trailcam_deploy.release.keys import KeyFolder
from trailcam_edge.bundle import MANIFEST_FILE, Bundle
from trailcam_edge.disk import write_file
from trailcam_edge.errors import DeployError
from trailcam_edge.update.fetch import SIGNED_AT
from trailcam_edge.update.release_index import ReleaseIndex, bundle_path, index_path, index_to_bytes, parse_index

__all__ = ["LIFETIMES", "ONLINE_ROLES", "ReleaseRepository"]

ONLINE_ROLES = ("targets", "snapshot", "timestamp")
LIFETIMES: Mapping[str, timedelta] = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=90),
    "timestamp": timedelta(days=30),  # cameras are reached once a week; this leaves three missed weeks
}


@dataclass(frozen=True)
class ReleaseRepository:
    """One repository and its keys; ``now`` is the moment at which it signs, with its zone."""

    folder: Path
    keys: KeyFolder
    now: datetime

    def init(self, passphrase: str) -> None:
        """Make the keys and an empty repository.

        Raises:
            DeployError: there is one already, or the passphrase is too short.
        """
        with self._locked():
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
            self._publish(Targets(), signers)

    def add(self, bundle: Bundle, channel: str, approval: Approval) -> ReleaseIndex:
        """Sign a bundle's files and make it the newest release of a channel.

        Raises:
            DeployError: this version is there with other bytes, or a key cannot be used.
        """
        with self._locked():
            targets = self._load_targets().signed
            version = bundle.manifest.version
            names = (MANIFEST_FILE, bundle.manifest.model.file, bundle.manifest.golden.file)
            for name in names:
                path = bundle_path(channel, version, name)
                custom = {"trailcam": approval.record()} if name == MANIFEST_FILE else None
                content = (bundle.path / name).read_bytes()
                known = targets.targets.get(path)
                if known is not None and known.hashes["sha256"] != hashlib.sha256(content).hexdigest():
                    raise DeployError(f"{path}: is released with other bytes. Give the bundle another version.")
                self._put(targets, path, content, custom)
            index = ReleaseIndex(channel, self._number(targets, channel) + 1, version)
            self._put(targets, index_path(channel), index_to_bytes(index), None)
            self._publish(targets)
            return index

    def expire(self, channel: str, version: str) -> ReleaseIndex:
        """Withdraw a version: it is signed no more, and the newest of the others becomes the channel's next release.

        Raises:
            DeployError: it is not there, or no other version is.
        """
        with self._locked():
            targets = self._load_targets().signed
            doomed = [path for path in targets.targets if path.startswith(f"{channel}/{version}/")]
            if not doomed:
                raise DeployError(f"{channel} {version}: was not released here.")
            for path in doomed:
                del targets.targets[path]
            left = [
                path.split("/")[1]
                for path in targets.targets
                if path.startswith(f"{channel}/") and path.count("/") == 2
            ]
            if not left:
                raise DeployError(f"{channel} {version}: is the only release of its channel. Add another one first.")
            index = ReleaseIndex(channel, self._number(targets, channel) + 1, left[-1])
            self._put(targets, index_path(channel), index_to_bytes(index), None)
            self._publish(targets)
            return index

    def renew(self) -> None:
        """Sign the same releases again, with new dates."""
        with self._locked():
            self._publish(self._load_targets().signed)

    def rotate_keys(self, passphrase: str, roles: tuple[str, ...] = ONLINE_ROLES) -> None:
        """Exchange the keys of roles other than root, and shut out whoever has the old ones.

        Raises:
            DeployError: the root key cannot be opened, or a role is unknown.
        """
        if not roles or not set(roles) <= set(ONLINE_ROLES):
            raise DeployError(
                f"cannot rotate {', '.join(roles) or 'nothing'}, expected some of {', '.join(ONLINE_ROLES)}."
            )
        with self._locked():
            root = self._load_root()
            root_signer = self.keys.load("root", passphrase)
            targets = self._load_targets().signed
            for role in roles:
                for keyid in list(root.signed.roles[role].keyids):
                    root.signed.revoke_key(keyid, role)
                root.signed.add_key(self.keys.create(role).public_key, role)
            root.signed.version += 1
            root.signed.expires = self._expires("root")
            self._write_root(root, [root_signer])
            self._publish(targets)

    def root_bytes(self) -> bytes:
        """Return the first root metadata: what a device is provisioned with."""
        return self._read(self.folder / "metadata" / "1.root.json")

    def _publish(self, targets: Targets, signers: Mapping[str, CryptoSigner] | None = None) -> None:
        signers = signers or {role: self.keys.load(role) for role in ONLINE_ROLES}
        before = self._load_timestamp() if (self.folder / "metadata" / "timestamp.json").exists() else None
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

    def _write(self, signed: Targets | Snapshot | Timestamp, role: str, signer: CryptoSigner) -> None:
        metadata: Metadata[Any] = Metadata(signed)
        if signer.public_key.keyid not in self._load_root().signed.roles[role].keyids:
            raise DeployError(f"{self.keys.path(role)}: is not the key that root names for {role}.")
        metadata.sign(signer)
        name = "timestamp.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        write_file(self.folder / "metadata" / name, metadata.to_bytes(JSONSerializer(compact=False)))

    def _write_root(self, root: Metadata[Root], signers: list[CryptoSigner]) -> None:
        root.signatures.clear()
        for signer in signers:
            root.sign(signer, append=True)
        place = self.folder / "metadata" / f"{root.signed.version}.root.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, root.to_bytes(JSONSerializer(compact=False)))

    def _put(self, targets: Targets, path: str, content: bytes, custom: dict[str, dict[str, str]] | None) -> None:
        target = TargetFile.from_data(path, content, ["sha256"])
        if custom is not None:
            target.unrecognized_fields["custom"] = custom
        folder, _, name = path.rpartition("/")
        place = self.folder / "targets" / folder / f"{target.hashes['sha256']}.{name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            write_file(place, content)
        targets.targets[path] = target

    def _number(self, targets: Targets, channel: str) -> int:
        known = targets.targets.get(index_path(channel))
        if known is None:
            return 0
        place = self.folder / "targets" / channel / f"{known.hashes['sha256']}.release.json"
        return parse_index(self._read(place), str(place)).number

    def _load_timestamp(self) -> Timestamp:
        content = self._read(self.folder / "metadata" / "timestamp.json")
        return Metadata[Timestamp].from_bytes(content).signed

    def _load_root(self) -> Metadata[Root]:
        versions = [int(path.name.split(".")[0]) for path in (self.folder / "metadata").glob("*.root.json")]
        if not versions:
            raise DeployError(f'{self.folder}: is no release repository. Make one with "trailcam release init".')
        return Metadata[Root].from_bytes(self._read(self.folder / "metadata" / f"{max(versions)}.root.json"))

    def _load_targets(self) -> Metadata[Targets]:
        """Read the targets that the newest timestamp leads to; later ones are the rest of a step that was cut off."""
        self._load_root()
        snapshot_version = self._load_timestamp().snapshot_meta.version
        place = self.folder / "metadata" / f"{snapshot_version}.snapshot.json"
        try:
            snapshot = Metadata[Snapshot].from_bytes(self._read(place)).signed
            version = snapshot.meta["targets.json"].version
            return Metadata[Targets].from_bytes(self._read(self.folder / "metadata" / f"{version}.targets.json"))
        except RepositoryError as error:
            raise DeployError(f"{self.folder}: is damaged ({error}). Bring it back from its backup.") from error

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise DeployError(f"{path}: cannot be read ({error.strerror}). Is this a release repository?") from error

    def _expires(self, role: str) -> datetime:
        return self.now + LIFETIMES[role]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise DeployError(f"{self.folder}: somebody else is releasing. Wait until they are done.") from error
        finally:
            os.close(descriptor)
