"""Fetch and verify: from an untrusted repository to a verified bundle folder.

TUF (python-tuf's client) verifies the signatures and protects against a compromised host. Added here: a floor under
versions and time that survives damaged metadata, flushing, limits, and one index that names the release.
"""

import os
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater as TufUpdater
from tuf.ngclient import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.bundle.folder import MANIFEST_FILE, open_bundle
from trailcam_core.bundle.manifest import MAX_MANIFEST_BYTES, parse_manifest
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import make_folder, sync_directory
from trailcam_core.inference.runtimes import check_installed
from trailcam_core.network.secrets import mask_address, mask_text
from trailcam_core.release.index import MAX_INDEX_BYTES, SIGNED_AT, ReleaseIndex, bundle_path, index_path, parse_index
from trailcam_core.release.rollout import Choice, choose
from trailcam_edge.update.errors import NotFetchedError, RefusedError
from trailcam_edge.update.fetch.advice import explain_not_fetched, explain_refused
from trailcam_edge.update.fetch.device_id import read_device_id
from trailcam_edge.update.fetch.fetchers import open_source
from trailcam_edge.update.fetch.folder_fetcher import FOLDER_URL
from trailcam_edge.update.fetch.local_copies import LocalCopies, TargetSource, read_local_copies, reuse_local_copy
from trailcam_edge.update.fetch.resuming_fetcher import ResumingFetcher, partial_bytes
from trailcam_edge.update.fetch.rollback_floor import (
    Floor,
    SeenVersion,
    advance_floor,
    check_floor,
    read_floor,
    trusted_time,
    with_release,
    write_floor,
)

_ROOT_DAMAGED = "The root.json that this camera trusts cannot be used"
_ROOT_AGAIN = "Copy the newest metadata/N.root.json of your release repository there again, over a trusted connection."
_PARTS = "parts"  # of files that are not whole yet
_KINDS: dict[str, type[Root | Timestamp | Snapshot | Targets]] = {
    "root": Root,
    "timestamp": Timestamp,
    "snapshot": Snapshot,
    "targets": Targets,
}
_CONFIG = UpdaterConfig(max_root_rotations=64, snapshot_max_length=500_000, targets_max_length=2_000_000)


def fetch_release(
    source: str,
    folder: Path,
    root: bytes,
    channel: str,
    clock: Callable[[], datetime | None],
    fetcher: FetcherInterface | None = None,
    builtin: Path = BUILTIN_BUNDLE,
) -> tuple[Choice, Path | None]:
    """Fetch the release of a channel that this camera is offered; return the choice and the verified bundle.

    The bundle is the folder of the running one if this camera has the release, and None if no release is offered to it.
    Existing files are not fetched again, and an interrupted file is resumed. A file that differs from one of a bundle
    on this camera is made with a delta, if the repository has one.

    Args:
        source: a folder or an ``https://`` address with ``metadata/`` and ``targets/``.
        folder: of the device, for metadata, floor and downloads; created if it is missing.
        root: the root metadata that the device was provisioned with.
        channel: of the release.
        clock: returns the date with its zone, or None if it cannot be trusted.
        fetcher: replaces the one for ``source``.
        builtin: the built-in bundle.

    Raises:
        NotFetchedError: the repository cannot be reached.
        RefusedError: the signatures or versions of the repository are not acceptable.
        UpdateError: the repository lacks the channel, or the disk is too small.
        BundleError: a signed bundle that breaks the rules of its format.
        DeviceError: no interpreter here can run the bundle.
        OSError: the disk is full, read-only or failing.
    """
    opened, base = (fetcher, source) if fetcher is not None else open_source(source)
    _check_root(root)
    resuming = ResumingFetcher(opened, folder / "downloads" / _PARTS)
    now = clock()
    floor = read_floor(folder)
    metadata = folder / "metadata"
    for place in (metadata, folder / "downloads"):
        make_folder(place)
    try:
        client = TufUpdater(
            str(metadata),
            f"{base}metadata/",
            str(folder / "downloads"),
            f"{base}targets/",
            resuming,
            _CONFIG,
            bootstrap=root,
        )
        set_reference_time(client, trusted_time(floor, now))
        client.refresh()
        floor = _checked_floor(metadata, floor, now)
        write_floor(folder, floor)
        index = _read_index(client, folder, channel)
        floor = with_release(floor, channel, index.number)
        write_floor(folder, floor)
        copies = read_local_copies(folder, builtin)
        choice, path = _choose(client, folder, index, copies)
        if choice.version is None or path is not None:
            return choice, path
        return choice, _read_bundle(client, folder, (channel, choice.version), copies)
    except DownloadError as error:
        advice = explain_not_fetched(base == FOLDER_URL)
        raise NotFetchedError(
            f"{mask_address(source)}: cannot be fetched ({mask_text(str(error))}). {advice}"
        ) from error
    except RepositoryError as error:
        raise RefusedError(
            f"{mask_address(source)}: verification failed ({resuming.last}, {type(error).__name__}: "
            f"{mask_text(str(error))}). Nothing was installed. {explain_refused(error, base == FOLDER_URL)}"
        ) from error


def _check_root(content: bytes) -> None:
    """Check that the provisioned root metadata can be read: the repository is not to blame if it cannot.

    Raises:
        UpdateError: it cannot.
    """
    try:
        found = Metadata.from_bytes(content).signed
    except DeserializationError as error:
        raise UpdateError(f"{_ROOT_DAMAGED} (it holds no metadata). {_ROOT_AGAIN}") from error
    if not isinstance(found, Root):
        raise UpdateError(f"{_ROOT_DAMAGED} (it holds {found.type} metadata, expected root). {_ROOT_AGAIN}")


def set_reference_time(client: TufUpdater, time: datetime) -> None:
    """Set the time against which the client checks expiry; python-tuf 7 has no public parameter for it.

    Raises:
        UpdateError: the installed python-tuf stores the time elsewhere.
    """
    trusted = getattr(client, "_trusted_set", None)
    if not isinstance(getattr(trusted, "reference_time", None), datetime):
        raise UpdateError(
            f"python-tuf {version('tuf')} keeps its reference time elsewhere, expected version 7. Install "
            '"tuf>=7,<8", as Trailcam requires.'
        )
    trusted.reference_time = time  # type: ignore[union-attr]  # checked above


def _checked_floor(metadata: Path, floor: Floor, now: datetime | None) -> Floor:
    """Check the metadata that the client has verified and stored against the floor; return the new floor."""
    found = {}
    root = Metadata[Root].from_bytes((metadata / "root.json").read_bytes()).signed
    signed_at = None
    for role in _KINDS:
        stored = Metadata.from_bytes((metadata / f"{role}.json").read_bytes()).signed
        found[role] = SeenVersion(stored.version, " ".join(sorted(root.roles[role].keyids)))
        if role == "timestamp":
            signed_at = _moment(stored.unrecognized_fields.get(SIGNED_AT))
    check_floor(floor, found)
    return advance_floor(floor, found, signed_at, now)


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _read_index(client: TufUpdater, folder: Path, channel: str) -> ReleaseIndex:
    path = _download(client, index_path(channel), folder / "downloads" / "release.json", MAX_INDEX_BYTES)
    index = parse_index(path.read_bytes(), index_path(channel))
    if index.channel != channel:
        raise UpdateError(f"{index_path(channel)}: is of the channel {index.channel}, expected {channel}.")
    return index


def _choose(client: TufUpdater, folder: Path, index: ReleaseIndex, copies: LocalCopies) -> tuple[Choice, Path | None]:
    """Return the chosen release, and its folder if this camera has it already."""

    def digest(version: str) -> str | None:
        target = client.get_targetinfo(bundle_path(index.channel, version, MANIFEST_FILE))
        return target.hashes.get("sha256") if target is not None else None

    has = copies.active_versions(digest, [offer.version for offer in index.offers])
    choice = choose(index, read_device_id(folder), has)
    return choice, has.get(choice.version or "")


def _read_bundle(client: TufUpdater, folder: Path, release: tuple[str, str], copies: LocalCopies) -> Path:
    channel, wanted = release
    place = folder / "downloads" / "release.bundle"
    make_folder(place)
    manifest_path = _download(
        client, bundle_path(channel, wanted, MANIFEST_FILE), place / MANIFEST_FILE, MAX_MANIFEST_BYTES
    )
    manifest = parse_manifest(manifest_path.read_bytes(), str(manifest_path))
    if manifest.version != wanted:
        raise BundleError(f"{manifest_path}: is version {manifest.version}, the index names {wanted}.")
    check_installed(manifest.model, str(manifest_path))  # before anything large is fetched
    entries = (manifest.model, manifest.golden)
    for item in place.iterdir():
        if item.name not in {MANIFEST_FILE, *(entry.file for entry in entries)}:
            item.unlink()  # of an earlier release, or a partial download
    free = os.statvfs(place)
    needed = sum(entry.size_bytes for entry in entries)
    room = free.f_bavail * free.f_frsize + partial_bytes(folder / "downloads" / _PARTS)
    if room < 2 * needed:  # downloaded here, then staged
        raise UpdateError(
            f"{place}: {room / 1e6:,.0f} MB free, the release needs {2 * needed / 1e6:,.0f} MB. Free some space."
        )
    source = TargetSource(
        channel,
        folder / "downloads",
        find=client.get_targetinfo,
        fetch=lambda path, place, max_bytes: _download(client, path, place, max_bytes),
    )
    for entry in entries:
        path = bundle_path(channel, wanted, entry.file)
        if not reuse_local_copy(path, place / entry.file, copies, source):
            _download(client, path, place / entry.file, entry.size_bytes)
    return open_bundle(place).path


def _download(client: TufUpdater, path: str, place: Path, max_bytes: int) -> Path:
    """Download a target to ``place`` and flush it; a signed length above ``max_bytes`` is refused first."""
    target: TargetFile | None = client.get_targetinfo(path)
    if target is None:
        raise UpdateError(f"{path}: the repository does not have it. Check the channel, and that a release was added.")
    if target.length > max_bytes:
        raise UpdateError(f"{path}: {target.length:,} bytes, expected at most {max_bytes:,}. It was not fetched.")
    if client.find_cached_target(target, str(place)) is None:
        partial = place.with_name(f"{place.name}.part")
        client.download_target(target, str(partial))
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        partial.replace(place)
        sync_directory(place.parent)
    return place
