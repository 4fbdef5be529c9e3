"""Files of a release repository, and which of them a device lacks.

A device outside of a release's rollout may need an older release, and a damaged bundle makes deltas useless:
``Published.everything`` is for both.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Snapshot, TargetFile, Targets, Timestamp

from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError
from trailcam_core.files.digest import file_sha256
from trailcam_core.release.index import ReleaseIndex, index_path, parse_index
from trailcam_deploy.device.facts import INBOX
from trailcam_deploy.ssh.transfer import Upload

_LAST = "metadata/timestamp.json"
_DIGITS = 16  # of a digest, in the name of a delta
_NOTHING = sha256(b"").hexdigest()


@dataclass(frozen=True)
class Published:
    """The repository as a device sees it: ``targets`` by path, and the metadata that leads to them."""

    folder: Path
    targets: dict[str, TargetFile]
    metadata: tuple[str, ...]
    expires: Timestamp

    def index(self, channel: str) -> ReleaseIndex:
        """Return the index of a channel.

        Raises:
            DeployError: nothing was released in it.
        """
        target = self.targets.get(index_path(channel))
        if target is None:
            known = sorted(path.rpartition("/")[0] for path in self.targets if path.endswith("/release.json"))
            raise DeployError(
                f"{self.folder}: nothing is released in the channel {channel}; there are: "
                f"{', '.join(known) or 'none'}. Name a BUNDLE to release it."
            )
        return parse_index((self.folder / self.target_file(target)).read_bytes(), index_path(channel))

    def target_file(self, target: TargetFile) -> str:
        """Return the path of a target's file, relative to the repository's folder."""
        folder, _, name = target.path.rpartition("/")
        return f"targets/{folder}/{target.hashes['sha256']}.{name}"

    def files(self, channel: str, held: frozenset[str]) -> list[str]:
        """Return the files that a device with ``held`` lacks for the newest release, or smaller deltas."""
        version = self.index(channel).version
        paths = [index_path(channel)]
        for path, target in sorted(self.targets.items()):
            if path.startswith(f"{channel}/{version}/") and (
                target.hashes["sha256"] not in held or path.endswith("/manifest.json")
            ):
                paths.append(self._smallest(channel, target, held))
        return [self.target_file(self.targets[path]) for path in paths]

    def everything(self, channel: str) -> list[str]:
        """Return all files of a channel but deltas."""
        paths = [path for path in self.targets if path.startswith(f"{channel}/") and "/deltas/" not in path]
        return [self.target_file(self.targets[path]) for path in sorted(paths)]

    def _smallest(self, channel: str, target: TargetFile, held: frozenset[str]) -> str:
        wanted = target.hashes["sha256"][:_DIGITS]
        names = [f"{channel}/deltas/{base[:_DIGITS]}-{wanted}.zst" for base in (*sorted(held), _NOTHING)]
        deltas = [self.targets[name] for name in names if name in self.targets]
        return min([target, *deltas], key=lambda each: each.length).path


def read_published(folder: Path) -> Published:
    """Read the repository that the newest timestamp describes.

    Raises:
        DeployError: the folder is no release repository, or damaged.
    """
    metadata = folder / "metadata"
    try:
        timestamp = Metadata[Timestamp].from_file(str(metadata / "timestamp.json")).signed
        snapshot_name = f"{timestamp.snapshot_meta.version}.snapshot.json"
        snapshot = Metadata[Snapshot].from_file(str(metadata / snapshot_name)).signed
        targets_name = f"{snapshot.meta['targets.json'].version}.targets.json"
        targets = Metadata[Targets].from_file(str(metadata / targets_name)).signed
    except (OSError, RepositoryError) as error:
        raise DeployError(
            f"{folder}: cannot be read as a release repository ({error}). Restore it from its backup."
        ) from error
    roots = sorted(metadata.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
    names = (*(path.name for path in roots), targets_name, snapshot_name, "timestamp.json")
    return Published(folder, targets.targets, tuple(f"metadata/{name}" for name in names), timestamp)


def plan_push(published: Published, files: list[str], inbox: dict[str, str]) -> list[Upload]:
    """Return the uploads for an inbox, each after the files that it refers to; equal files are not sent again."""
    order = [*files, *(name for name in published.metadata if name != _LAST), _LAST]
    uploads = [Upload(published.folder / name, f"{INBOX}/{name}") for name in order]
    return [upload for upload in uploads if inbox.get(upload.path.removeprefix(f"{INBOX}/")) != upload.sha256]


def stale_files(published: Published, files: list[str], inbox: dict[str, str]) -> list[str]:
    """Return the files of an inbox that belong to no release any more."""
    return sorted(set(inbox) - {*files, *published.metadata})


def builtin_digests() -> frozenset[str]:
    """Return the digests of the files of the built-in bundle, which every device with this Trailcam has."""
    return frozenset(file_sha256(path) for path in BUILTIN_BUNDLE.iterdir() if path.is_file())
