"""The release repository: a folder of static files for any web server, stick or inbox.

    FOLDER/metadata/     signed by four roles, see metadata.py
    FOLDER/targets/      the files of the releases, the indexes and the deltas, each under the digest of its content

Files are written before the metadata that names them. A copy of the folder must copy
``metadata/timestamp.json`` last.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Targets

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError
from trailcam_core.release.delta import delta_path
from trailcam_core.release.index import (
    MAX_OFFERS,
    Offer,
    ReleaseIndex,
    bundle_path,
    index_to_bytes,
)
from trailcam_deploy.release.deltas import Base, Cost, costs, make_deltas
from trailcam_deploy.release.drift_verdict import Approval
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.metadata import ONLINE_ROLES, SignedMetadata
from trailcam_deploy.release.target_files import TargetFiles, channels

_DELTAS_FROM = 3  # releases before the new one, and the built-in bundle


@dataclass(frozen=True)
class ReleasePlan:
    """Download sizes of a release for each kind of camera, and ``whole_bytes`` without deltas."""

    version: str
    whole_bytes: int
    costs: tuple[Cost, ...]


@dataclass(frozen=True)
class Release:
    """An offer of a channel, with the verdict that was signed with it."""

    channel: str
    offer: Offer
    drift_gate: str
    i_know: str | None


@dataclass(frozen=True)
class RepositoryStatus:
    """Releases of a repository, the newest of each channel first, and the expiry of each role's signature."""

    releases: tuple[Release, ...]
    expiry: Mapping[str, datetime]


@dataclass(frozen=True)
class ReleaseRepository:
    """One repository and its keys; ``now`` is the time of its signatures, with its zone."""

    folder: Path
    keys: KeyFolder
    now: datetime
    builtin: Path = BUILTIN_BUNDLE

    def init(self, passphrase: str) -> None:
        """Create the keys and an empty repository.

        Raises:
            DeployError: the folder is one already, or the passphrase is too short.
        """
        with self._metadata.locked(make=True):
            self._metadata.init(passphrase)

    def plan(self, bundle: Bundle, channel: str) -> ReleasePlan:
        """Return the download sizes of a bundle; changes nothing.

        Raises:
            DeployError: this is no repository.
        """
        targets = self._metadata.targets()
        files, bases = _contents(bundle), self._bases(targets, channel, bundle.manifest.version)
        rows = costs(files, bases, make_deltas(files, bases))
        return ReleasePlan(bundle.manifest.version, sum(map(len, files.values())), tuple(rows))

    def add(self, bundle: Bundle, channel: str, approval: Approval, percent: int = 100) -> ReleaseIndex:
        """Sign a bundle's files, and deltas to them, and make it the newest release of a channel.

        The same bundle may be added again: it becomes the newest again, with a new percentage, and is not stopped.

        Args:
            bundle: to release.
            channel: of the cameras.
            approval: by the drift gate or the operator.
            percent: 1 to 100, of the cameras.

        Raises:
            DeployError: this version exists with other bytes, or a key cannot be used.
            BundleError: channel or percent is out of its range.
        """
        with self._locked():
            targets = self._metadata.targets()
            version, files = bundle.manifest.version, _contents(bundle)
            before = self._files.index(targets, channel)
            number = before.number + 1 if before else 1
            others = [offer for offer in before.offers if offer.version != version] if before else []
            index = ReleaseIndex(channel, number, _kept((Offer(number, version, percent), *others)))
            index_to_bytes(index)  # a wrong channel or percentage is refused before anything is written
            manifest = {MANIFEST_FILE: (bundle.path / MANIFEST_FILE).read_bytes()}
            for name, content in (manifest | files).items():
                path = bundle_path(channel, version, name)
                known = targets.targets.get(path)
                if known is not None and known.hashes["sha256"] != hashlib.sha256(content).hexdigest():
                    raise DeployError(f"{path}: is released with other bytes. Give the bundle another version.")
                custom = {"trailcam": approval.record()} if name == MANIFEST_FILE else None
                self._files.put(targets, path, content, custom)
            for delta in make_deltas(files, self._bases(targets, channel, version)):
                path = delta_path(channel, delta.base_sha256, delta.result_sha256)
                self._files.put(targets, path, delta.content)
            self._files.put_index(targets, index)
            self._metadata.publish(targets)
            return index

    def widen(self, channel: str, percent: int, version: str | None = None) -> ReleaseIndex:
        """Offer a release, the newest unless ``version`` names another, to more cameras.

        Raises:
            DeployError: there is none, it was stopped, or that would be fewer.
            BundleError: percent is out of its range.
        """

        def wider(offer: Offer) -> Offer:
            if offer.stopped:
                raise DeployError(
                    f'{channel} {offer.version}: was stopped. Add a better version, or this one again: "release add".'
                )
            if percent <= offer.percent:
                raise DeployError(
                    f"{channel} {offer.version}: {offer.percent} % of the cameras take it, {percent} % is not "
                    'more. Cameras that have it keep it: use "release stop", or "release expire" to withdraw it.'
                )
            return replace(offer, percent=percent)

        return self._change(channel, lambda index: _with(index, version, wider))

    def stop(self, channel: str, version: str | None = None) -> ReleaseIndex:
        """Offer a release, the newest unless ``version`` names another, to no further camera; the others keep it.

        Raises:
            DeployError: there is none, or it was stopped before.
        """

        def stopped(offer: Offer) -> Offer:
            if offer.stopped:
                raise DeployError(f"{channel} {offer.version}: was stopped before. Expire it to withdraw it.")
            return replace(offer, stopped=True)

        return self._change(channel, lambda index: _with(index, version, stopped))

    def expire(self, channel: str, version: str) -> ReleaseIndex:
        """Withdraw a version: it is not signed any more, and cameras that have it go to the newest of the others.

        Raises:
            DeployError: it does not exist, or is the only one.
        """

        def without(index: ReleaseIndex) -> tuple[Offer, ...]:
            left = tuple(offer for offer in index.offers if offer.version != version)
            if left == index.offers:
                raise _not_released(index, version)
            if not left:
                raise DeployError(f"{channel} {version}: is the only release of its channel. Add another one first.")
            return left

        return self._change(channel, without)

    def renew(self) -> None:
        """Sign the same releases again, with new dates."""
        with self._locked():
            self._metadata.publish(self._metadata.targets())

    def rotate_keys(
        self, passphrase: str, roles: tuple[str, ...] = ONLINE_ROLES, new_passphrase: str | None = None
    ) -> None:
        """Exchange the keys of roles and revoke the old ones; ``new_passphrase`` is of a new root key.

        Raises:
            DeployError: the root key cannot be opened, a role is unknown, or the new passphrase is too short.
        """
        with self._locked():
            self._metadata.rotate(roles, passphrase, new_passphrase)

    def root_bytes(self) -> bytes:
        """Return the newest root, for new devices; it trusts no key that was exchanged."""
        return self._metadata.root_bytes()

    def status(self) -> RepositoryStatus:
        """Return the releases with their verdicts, and the expiry of the signatures.

        Raises:
            DeployError: this is no repository, or it is damaged.
        """
        targets = self._metadata.targets()
        releases = []
        for channel in channels(targets):
            index = self._files.index(targets, channel)
            for offer in index.offers if index else ():
                manifest = targets.targets[bundle_path(channel, offer.version, MANIFEST_FILE)]
                record = manifest.unrecognized_fields.get("custom", {}).get("trailcam", {})
                releases.append(Release(channel, offer, record.get("drift_gate", "missing"), record.get("i_know")))
        return RepositoryStatus(tuple(releases), self._metadata.expiry())

    @property
    def _metadata(self) -> SignedMetadata:
        return SignedMetadata(self.folder, self.keys, self.now)

    @property
    def _files(self) -> TargetFiles:
        return TargetFiles(self.folder / "targets")

    def _locked(self) -> AbstractContextManager[None]:
        return self._metadata.locked()

    def _change(self, channel: str, change: Callable[[ReleaseIndex], tuple[Offer, ...]]) -> ReleaseIndex:
        with self._locked():
            targets = self._metadata.targets()
            before = self._files.index(targets, channel)
            if before is None:
                raise DeployError(f"{channel}: nothing was released in this channel.")
            index = ReleaseIndex(channel, before.number + 1, change(before))
            self._files.put_index(targets, index)
            self._metadata.publish(targets)
            return index

    def _bases(self, targets: Targets, channel: str, version: str) -> list[Base]:
        index = self._files.index(targets, channel)
        offers = [offer for offer in index.offers if offer.version != version] if index else []
        bases = [
            Base(f"{channel} {offer.version}", self._files.released(targets, channel, offer.version))
            for offer in offers[:_DELTAS_FROM]
        ]
        builtin = open_bundle(self.builtin)
        return [*bases, Base(f"the built-in bundle {builtin.manifest.version}", _contents(builtin))]


def _with(index: ReleaseIndex, version: str | None, change: Callable[[Offer], Offer]) -> tuple[Offer, ...]:
    """Return the offers with one of them changed."""
    wanted = index.version if version is None else version
    if wanted not in {offer.version for offer in index.offers}:
        raise _not_released(index, wanted)
    return tuple(change(offer) if offer.version == wanted else offer for offer in index.offers)


def _not_released(index: ReleaseIndex, version: str) -> DeployError:
    listed = ", ".join(offer.version for offer in index.offers)
    return DeployError(f"{index.channel} {version}: was not released here, expected one of {listed}.")


def _kept(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Return the newest offers, and among them always the newest one that is for every camera."""
    kept = offers[:MAX_OFFERS]
    for_all = [offer for offer in offers if offer.percent == 100 and not offer.stopped]
    return kept if not for_all or for_all[0] in kept else (*kept[:-1], for_all[0])


def _contents(bundle: Bundle) -> dict[str, bytes]:
    names = (bundle.manifest.model.file, bundle.manifest.golden.file)
    return {name: (bundle.path / name).read_bytes() for name in names}
