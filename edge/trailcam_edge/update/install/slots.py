"""Bundles of a device on disk, each in a separate slot, and the link to the active one."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import STAGING_PREFIX, make_folder, remove_staging, staged_directory, sync_directory
from trailcam_edge.update.install.journal import BUILTIN

_CHUNK_BYTES = 1 << 20
_SPARE_BYTES = 16_000_000  # for the event store, the journal and the file system's own needs
_ID_DIGITS = 12


def slot_name(bundle: Bundle) -> str:
    """Return the name of a bundle's slot; equal names are equal bundles, because the manifest states every digest.

    Raises:
        OSError: the manifest cannot be read.
    """
    digest = hashlib.sha256((bundle.path / MANIFEST_FILE).read_bytes()).hexdigest()
    return f"{bundle.manifest.name}-{bundle.manifest.version}-{digest[:_ID_DIGITS]}"


class Slots:
    """The folder ``slots/`` and the link ``current`` beside it."""

    def __init__(self, folder: Path, builtin: Path = BUILTIN_BUNDLE) -> None:
        self._slots = folder / "slots"
        self._current = folder / "current"
        self._builtin = builtin

    @property
    def current(self) -> Path:
        """The link to the active bundle."""
        return self._current

    def path(self, slot: str) -> Path:
        """Return the folder of a slot's bundle."""
        return self._builtin if slot == BUILTIN else self._slots / slot

    def names(self) -> list[str]:
        """Return the slots on disk, without the built-in one."""
        if not self._slots.is_dir():
            return []
        return sorted(item.name for item in self._slots.iterdir() if not item.name.startswith(STAGING_PREFIX))

    def is_intact(self, slot: str) -> bool:
        """Return True if the files of a slot match its manifest, and the manifest matches the slot's name.

        Unreadable files are read once more, so that a single failure of a card does not cost a bundle.
        """
        for _ in range(2):
            try:
                bundle = open_bundle(self.path(slot))
                return slot == BUILTIN or slot_name(bundle) == slot
            except (BundleError, OSError) as error:
                if not isinstance(error.__cause__ or error, OSError):
                    return False
        return False

    def stage(self, bundle: Bundle) -> str:
        """Copy a bundle into its slot and return the slot's name; an existing intact copy is kept.

        Raises:
            UpdateError: there is too little space.
            BundleError: the copy differs from the original.
            OSError: the disk is full, read-only or failing; no slot appears.
        """
        slot = slot_name(bundle)
        make_folder(self._slots)
        sync_directory(self._slots.parent)
        if self.is_intact(slot):
            sync_directory(self._slots)  # it may have been renamed into place right before a cut
            return slot
        if slot in self.names():
            self.remove(slot)
        entries = [item for item in bundle.path.iterdir() if item.is_file() and not item.is_symlink()]
        needed = sum(item.stat().st_size for item in entries) + _SPARE_BYTES
        free = shutil.disk_usage(self._slots).free
        if free < needed:
            raise UpdateError(
                f"{self._slots}: {free / 1e6:,.0f} MB free, the bundle needs {needed / 1e6:,.0f} MB. "
                "Lower the limit of the event store, or free some space."
            )
        with staged_directory(self._slots / slot) as staging:
            for item in entries:
                _copy(item, staging / item.name)
            if slot_name(open_bundle(staging)) != slot:
                raise BundleError(f"{bundle.path}: changed while it was copied. Copy it again.")
        return slot

    def point_to(self, slot: str) -> None:
        """Replace ``current`` by a link to ``slot`` in one rename, unless it points there already.

        Raises:
            OSError: the disk is full, read-only or failing; the old link is kept.
        """
        target = self.path(slot)
        wanted = str(target) if slot == BUILTIN else str(target.relative_to(self._current.parent))
        if not (self._current.is_symlink() and str(self._current.readlink()) == wanted):
            make_folder(self._current.parent)
            staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=self._current.parent))
            (staging / "current").symlink_to(wanted)
            (staging / "current").rename(self._current)
            staging.rmdir()
        sync_directory(self._current.parent)

    def remove(self, slot: str) -> None:
        """Delete a slot: first its name, durably, so that a partial one is never taken for a bundle."""
        trash = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=self._slots))
        (self._slots / slot).rename(trash / slot)
        sync_directory(trash)
        sync_directory(self._slots)
        shutil.rmtree(trash, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the leftovers of an interrupted step."""
        for folder in (self._slots, self._current.parent):
            remove_staging(folder)


def _copy(source: Path, target: Path) -> None:
    """Copy a plain file by writing it; the staging folder flushes it."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file, open(target, "xb", buffering=0) as copy:
        while chunk := file.read(_CHUNK_BYTES):
            view = memoryview(chunk)
            while view:
                view = view[copy.write(view) :]
