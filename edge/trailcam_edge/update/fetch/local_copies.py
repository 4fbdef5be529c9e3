"""Avoid downloads: reuse files of bundles that are already on the device, directly or through a delta."""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import TargetFile

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, open_bundle
from trailcam_core.errors import UpdateError
from trailcam_core.files.atomic import sync_directory
from trailcam_core.files.digest import file_sha256
from trailcam_core.release.delta import MAX_DELTA_FILE_BYTES, apply_delta, delta_path
from trailcam_core.spec import FileEntry
from trailcam_edge.update.install.journal import BUILTIN, Journal, read_journal
from trailcam_edge.update.install.slots import Slots

_log = logging.getLogger(__name__)
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class LocalCopies:
    """Intact bundles of a camera: the running one and the candidate, and all of them without repetition."""

    active: tuple[Bundle, ...]
    bundles: tuple[Bundle, ...]

    def active_versions(self, digests: Callable[[str], str | None], versions: Collection[str]) -> dict[str, Path]:
        """Return the folders of active versions; ``digests`` returns the signed digest of a version's manifest."""
        active = {file_sha256(bundle.path / MANIFEST_FILE): bundle.path for bundle in self.active}
        found = {version: active.get(digests(version) or "") for version in versions}
        return {version: path for version, path in found.items() if path is not None}

    def files(self) -> Iterator[tuple[Path, FileEntry]]:
        """Yield the files of all bundles, those of the running one first."""
        for bundle in self.bundles:
            for entry in (bundle.manifest.model, bundle.manifest.golden):
                yield bundle.path / entry.file, entry


@dataclass(frozen=True)
class TargetSource:
    """Access to the targets of a repository: ``find`` returns the signed entry of one, ``fetch`` downloads one.

    ``folder`` is for downloaded deltas.
    """

    channel: str
    folder: Path
    find: Callable[[str], TargetFile | None]
    fetch: Callable[[str, Path, int], Path]


def read_local_copies(folder: Path, builtin: Path) -> LocalCopies:
    """Return the intact bundles in the update folder of a camera; damaged ones are left out."""
    try:
        journal = read_journal(folder / "journal.json")
    except UpdateError:
        journal = Journal()
    slots = Slots(folder, builtin)
    names = dict.fromkeys((journal.candidate or journal.running, journal.running, journal.previous, BUILTIN))
    whole = {name: open_bundle(slots.path(name)) for name in names if slots.is_intact(name)}
    active = tuple(bundle for name, bundle in whole.items() if name in (journal.candidate, journal.running))
    return LocalCopies(active, tuple(whole.values()))


def reuse_local_copy(path: str, place: Path, copies: LocalCopies, source: TargetSource) -> bool:
    """Create a signed file from a local copy or by the smallest delta; return True on success.

    A failure is logged, and the caller downloads the whole file.

    Args:
        path: the target path of the file.
        place: the file to create, whole or not at all; an existing one is kept if it is correct.
        copies: the bundles of this camera.
        source: of targets.

    Raises:
        OSError: the disk is full, read-only or failing.
    """
    target = source.find(path)
    if target is None:
        return False
    if _is_correct(place, target):
        return True
    staging = place.with_name(f"{place.name}.staging")
    try:
        base = _same_file(target, copies)
        if base is not None:
            _copy(base, staging, target)
        elif not _make_from_delta(target, staging, copies, source):
            return False
    except (DownloadError, RepositoryError, UpdateError) as error:
        _log.warning("%s: is fetched whole, because %s", place.name, error)
        staging.unlink(missing_ok=True)
        return False
    staging.replace(place)
    sync_directory(place.parent)
    return True


def _same_file(target: TargetFile, copies: LocalCopies) -> Path | None:
    for path, entry in copies.files():
        if (entry.sha256, entry.size_bytes) == (target.hashes.get("sha256"), target.length):
            return path
    return None


def _copy(base: Path, staging: Path, target: TargetFile) -> None:
    with open(base, "rb") as source, open(staging, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    if not _is_correct(staging, target):
        raise UpdateError(f"{base}: changed while it was copied.")


def _is_correct(place: Path, target: TargetFile) -> bool:
    try:
        with open(place, "rb") as file:
            target.verify_length_and_hashes(file)
    except (FileNotFoundError, LengthOrHashMismatchError):
        return False
    return True


def _make_from_delta(target: TargetFile, staging: Path, copies: LocalCopies, source: TargetSource) -> bool:
    """Make the file from the smallest signed delta with a local base; return False if there is none.

    If that delta is signed but missing, the one without a base is tried: an inbox may hold only that.
    """
    wanted = target.hashes.get("sha256", "")
    if target.length > MAX_DELTA_FILE_BYTES:
        return False
    bases: list[tuple[Path | None, str]] = [(None, _EMPTY)]
    bases += [(path, entry.sha256) for path, entry in copies.files() if entry.size_bytes <= MAX_DELTA_FILE_BYTES]
    signed = [(source.find(delta_path(source.channel, digest, wanted)), path) for path, digest in bases]
    smaller = [(delta, path) for delta, path in signed if delta is not None and delta.length < target.length]
    if not smaller:
        return False
    delta, base = min(smaller, key=lambda pair: pair[0].length)
    without_base = next((delta for delta, path in smaller if path is None), None)
    try:
        _apply(delta, base, target, staging, source)
    except DownloadHTTPError:
        if base is None or without_base is None:
            raise
        _apply(without_base, None, target, staging, source)
    return True


def _apply(delta: TargetFile, base: Path | None, target: TargetFile, staging: Path, source: TargetSource) -> None:
    packed = source.folder / f"{staging.stem}.delta"
    source.fetch(delta.path, packed, delta.length)
    try:
        apply_delta(
            base.read_bytes() if base is not None else b"", packed, staging, target.length, target.hashes["sha256"]
        )
    finally:
        packed.unlink(missing_ok=True)
