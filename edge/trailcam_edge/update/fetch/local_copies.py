"""What a camera has already need not be fetched: the bundles on it, and files that they or a delta of them give."""

import hashlib
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

__all__ = ["Held", "Shelf", "bring_from_held", "read_held"]

_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Held:
    """The whole bundles of a camera: what runs or is being tried, and all of them, without repetition."""

    active: tuple[Bundle, ...]
    bundles: tuple[Bundle, ...]

    def active_versions(self, digests: Callable[[str], str | None], versions: Collection[str]) -> dict[str, Path]:
        """Return which versions are active, and where; ``digests`` gives the signed digest of a version's manifest."""
        active = {file_sha256(bundle.path / MANIFEST_FILE): bundle.path for bundle in self.active}
        found = {version: active.get(digests(version) or "") for version in versions}
        return {version: path for version, path in found.items() if path is not None}

    def files(self) -> Iterator[tuple[Path, FileEntry]]:
        """Yield the files of all bundles, those of what runs first."""
        for bundle in self.bundles:
            for entry in (bundle.manifest.model, bundle.manifest.golden):
                yield bundle.path / entry.file, entry


@dataclass(frozen=True)
class Shelf:
    """How targets are had: ``find`` says what was signed of one, ``fetch`` brings one to a place and checks it.

    ``folder`` is for deltas on their way.
    """

    channel: str
    folder: Path
    find: Callable[[str], TargetFile | None]
    fetch: Callable[[str, Path, int], Path]
    report: Callable[[str], None]


def read_held(folder: Path, builtin: Path) -> Held:
    """Return the bundles of the update folder of a camera whose every byte is right; a damaged one is not held."""
    try:
        journal = read_journal(folder / "journal.json")
    except UpdateError:
        journal = Journal()
    slots = Slots(folder, builtin)
    names = dict.fromkeys((journal.candidate or journal.running, journal.running, journal.previous, BUILTIN))
    whole = {name: open_bundle(slots.path(name)) for name in names if slots.whole(name)}
    active = tuple(bundle for name, bundle in whole.items() if name in (journal.candidate, journal.running))
    return Held(active, tuple(whole.values()))


def bring_from_held(path: str, place: Path, held: Held, shelf: Shelf) -> bool:
    """Bring a signed file to ``place`` from what is here, or by the smallest delta; say whether that went well.

    Where it did not, that is reported, and the whole file is for the caller to fetch.

    Args:
        path: the target path of the file.
        place: appears whole or not at all; what is there already stays if it is right.
        held: the bundles of this camera.
        shelf: where targets are.

    Raises:
        OSError: the disk is full, read-only or failing.
    """
    target = shelf.find(path)
    if target is None:
        return False
    if _is_right(place, target):
        return True
    made = place.with_name(f"{place.name}.made")
    try:
        base = _same_file(target, held)
        if base is not None:
            _copy(base, made, target)
        elif not _make_from_delta(target, made, held, shelf):
            return False
    except (DownloadError, RepositoryError, UpdateError) as error:
        shelf.report(f"{place.name}: is fetched whole, because {error}")
        made.unlink(missing_ok=True)
        return False
    made.replace(place)
    sync_directory(place.parent)
    return True


def _same_file(target: TargetFile, held: Held) -> Path | None:
    for path, entry in held.files():
        if (entry.sha256, entry.size_bytes) == (target.hashes.get("sha256"), target.length):
            return path
    return None


def _copy(base: Path, made: Path, target: TargetFile) -> None:
    with open(base, "rb") as source, open(made, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    if not _is_right(made, target):
        raise UpdateError(f"{base}: changed while it was copied.")


def _is_right(place: Path, target: TargetFile) -> bool:
    try:
        with open(place, "rb") as file:
            target.verify_length_and_hashes(file)
    except (FileNotFoundError, LengthOrHashMismatchError):
        return False
    return True


def _make_from_delta(target: TargetFile, made: Path, held: Held, shelf: Shelf) -> bool:
    """Make the file from the smallest delta that was signed for a base that is here; say whether there was one.

    Where that one is signed and not there, the delta that needs no base is tried: an inbox may hold that alone.
    """
    wanted = target.hashes.get("sha256", "")
    if target.length > MAX_DELTA_FILE_BYTES:
        return False
    bases: list[tuple[Path | None, str]] = [(None, _EMPTY)]
    bases += [(path, entry.sha256) for path, entry in held.files() if entry.size_bytes <= MAX_DELTA_FILE_BYTES]
    signed = [(shelf.find(delta_path(shelf.channel, digest, wanted)), path) for path, digest in bases]
    smaller = [(delta, path) for delta, path in signed if delta is not None and delta.length < target.length]
    if not smaller:
        return False
    delta, base = min(smaller, key=lambda pair: pair[0].length)
    without_base = next((delta for delta, path in smaller if path is None), None)
    try:
        _apply(delta, base, target, made, shelf)
    except DownloadHTTPError:
        if base is None or without_base is None:
            raise
        _apply(without_base, None, target, made, shelf)
    return True


def _apply(delta: TargetFile, base: Path | None, target: TargetFile, made: Path, shelf: Shelf) -> None:
    packed = shelf.folder / f"{made.stem}.delta"
    shelf.fetch(delta.path, packed, delta.length)
    try:
        apply_delta(
            base.read_bytes() if base is not None else b"", packed, made, target.length, target.hashes["sha256"]
        )
    finally:
        packed.unlink(missing_ok=True)
