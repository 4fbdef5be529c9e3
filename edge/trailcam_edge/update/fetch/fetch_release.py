"""Fetch and verify: from a repository that nobody trusts to a bundle folder that everybody may.

Who signs what, and why an attacker who owns the host gets nowhere, is TUF's business (python-tuf's client). Added here:
a floor under versions and time that survives damaged metadata, flushing, limits, and one index that names the release.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater as TufUpdater
from tuf.ngclient import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.bundle.folder import MANIFEST_FILE, open_bundle
from trailcam_core.bundle.manifest import MAX_MANIFEST_BYTES, parse_manifest
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import sync_directory
from trailcam_core.inference.runtimes import check_installed
from trailcam_core.release.index import MAX_INDEX_BYTES, SIGNED_AT, ReleaseIndex, bundle_path, index_path, parse_index
from trailcam_core.release.rollout import Choice, choose
from trailcam_edge.update.fetch.device_id import read_device_id
from trailcam_edge.update.fetch.fetchers import open_source
from trailcam_edge.update.fetch.local_copies import Held, Shelf, bring_from_held, read_held
from trailcam_edge.update.fetch.resuming_fetcher import ResumingFetcher, held_bytes
from trailcam_edge.update.fetch.rollback_floor import (
    Floor,
    Seen,
    check_floor,
    raised,
    read_floor,
    trusted_time,
    with_release,
    write_floor,
)

__all__ = ["fetch_release"]

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
    report: Callable[[str], None] = lambda _: None,
    builtin: Path = BUILTIN_BUNDLE,
) -> tuple[Choice, Path | None]:
    """Bring the release of a channel that is for this camera here; return which, and its bundle, every byte checked.

    The bundle is the running one's folder where this camera has the release, and None where no release is for it.
    Files that are here already are not fetched again, and a file that was cut off goes on where it was. A file that
    differs from one that a bundle on this camera has is made with a delta, where the repository has one.

    Args:
        source: a folder or an ``https://`` address with ``metadata/`` and ``targets/``.
        folder: of the device, for metadata, floor and downloads; made where it is missing.
        root: the root metadata that the device was provisioned with.
        channel: what to fetch.
        clock: gives the date, with its zone, or None where it cannot be trusted.
        fetcher: replaces the one that ``source`` asks for.
        report: gets a sentence where a delta was of no use.
        builtin: the bundle that is always there.

    Raises:
        UpdateError: the repository cannot be reached or does not prove what it offers.
        BundleError: a signed bundle that breaks the rules of its format.
        DeviceError: a bundle that nothing here can run.
        OSError: the disk is full, read-only or failing.
    """
    opened, base = (fetcher, source) if fetcher is not None else open_source(source)
    resuming = ResumingFetcher(opened, folder / "downloads" / _PARTS)
    now = clock()
    floor = read_floor(folder)
    metadata = folder / "metadata"
    for place in (metadata, folder / "downloads"):
        place.mkdir(parents=True, exist_ok=True)
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
        # python-tuf 7 takes the machine's clock and offers no other way to give it the time.
        client._trusted_set.reference_time = trusted_time(floor, now)
        client.refresh()
        floor = _checked_floor(metadata, floor, now)
        write_floor(folder, floor)
        index = _read_index(client, folder, channel)
        floor = with_release(floor, channel, index.number)
        write_floor(folder, floor)
        held = read_held(folder, builtin)
        choice, path = _choose(client, folder, index, held)
        if choice.version is None or path is not None:
            return choice, path
        return choice, _read_bundle(client, folder, (channel, choice.version), held, report)
    except DownloadError as error:
        raise UpdateError(f"{source}: cannot be fetched ({error}). Try again later.") from error
    except RepositoryError as error:
        raise UpdateError(
            f"{source}: does not prove what it offers ({type(error).__name__}: {error}). Nothing of it was taken."
        ) from error


def _checked_floor(metadata: Path, floor: Floor, now: datetime | None) -> Floor:
    """Hold what the client has just verified and stored against the floor, and return the higher one."""
    found = {}
    root = Metadata[Root].from_bytes((metadata / "root.json").read_bytes()).signed
    signed_at = None
    for role in _KINDS:
        stored = Metadata.from_bytes((metadata / f"{role}.json").read_bytes()).signed
        found[role] = Seen(stored.version, " ".join(sorted(root.roles[role].keyids)))
        if role == "timestamp":
            signed_at = _moment(stored.unrecognized_fields.get(SIGNED_AT))
    check_floor(floor, found)
    return raised(floor, found, signed_at, now)


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


def _choose(client: TufUpdater, folder: Path, index: ReleaseIndex, held: Held) -> tuple[Choice, Path | None]:
    """Return what this camera takes, and where it has it already."""

    def digest(version: str) -> str | None:
        target = client.get_targetinfo(bundle_path(index.channel, version, MANIFEST_FILE))
        return target.hashes.get("sha256") if target is not None else None

    has = held.active_versions(digest, [offer.version for offer in index.offers])
    choice = choose(index, read_device_id(folder), has)
    return choice, has.get(choice.version or "")


def _read_bundle(
    client: TufUpdater, folder: Path, release: tuple[str, str], held: Held, report: Callable[[str], None]
) -> Path:
    channel, version = release
    place = folder / "downloads" / "release.bundle"
    place.mkdir(exist_ok=True)
    manifest_path = _download(
        client, bundle_path(channel, version, MANIFEST_FILE), place / MANIFEST_FILE, MAX_MANIFEST_BYTES
    )
    manifest = parse_manifest(manifest_path.read_bytes(), str(manifest_path))
    if manifest.version != version:
        raise BundleError(f"{manifest_path}: is version {manifest.version}, the index says {version}.")
    check_installed(manifest.model, str(manifest_path))  # before anything large is fetched
    entries = (manifest.model, manifest.golden)
    for item in place.iterdir():
        if item.name not in {MANIFEST_FILE, *(entry.file for entry in entries)}:
            item.unlink()  # of a release before, or half of a download
    free = os.statvfs(place)
    needed = sum(entry.size_bytes for entry in entries)
    room = free.f_bavail * free.f_frsize + held_bytes(folder / "downloads" / _PARTS)
    if room < 2 * needed:  # downloaded here, then staged
        raise UpdateError(f"{place}: no room for {2 * needed / 1e6:,.0f} MB. Free some space.")
    shelf = Shelf(
        channel,
        folder / "downloads",
        find=client.get_targetinfo,
        fetch=lambda path, place, most_bytes: _download(client, path, place, most_bytes),
        report=report,
    )
    for entry in entries:
        path = bundle_path(channel, version, entry.file)
        if not bring_from_held(path, place / entry.file, held, shelf):
            _download(client, path, place / entry.file, entry.size_bytes)
    return open_bundle(place).path


def _download(client: TufUpdater, path: str, place: Path, most_bytes: int) -> Path:
    """Bring a target to ``place``, flushed; the signed length is held against ``most_bytes`` first."""
    target: TargetFile | None = client.get_targetinfo(path)
    if target is None:
        raise UpdateError(f"{path}: the repository does not have it. Is the channel right, was a release added?")
    if target.length > most_bytes:
        raise UpdateError(f"{path}: {target.length:,} bytes, expected at most {most_bytes:,}. It was not fetched.")
    if client.find_cached_target(target, str(place)) is None:
        partial = place.with_name(f"{place.name}.part")
        client.download_target(target, str(partial))
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        partial.replace(place)
        sync_directory(place.parent)
    return place
