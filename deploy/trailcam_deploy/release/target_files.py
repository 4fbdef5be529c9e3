"""Files of a repository, named by the digest of their content, and the list of the signed ones."""

from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import TargetFile, Targets

from trailcam_core.bundle.folder import MANIFEST_FILE
from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.release.delta import delta_path
from trailcam_core.release.index import ReleaseIndex, index_path, index_to_bytes, parse_index

_DELTAS_TO = 3  # newest releases


@dataclass(frozen=True)
class TargetFiles:
    """The folder ``targets`` of a repository; ``put`` adds a file to the list to be signed."""

    folder: Path

    def put(self, targets: Targets, path: str, content: bytes, custom: dict[str, dict[str, str]] | None = None) -> None:
        """Write a file unless it exists, and list it; ``custom`` is signed beside its digest."""
        target = TargetFile.from_data(path, content, ["sha256"])
        if custom is not None:
            target.unrecognized_fields["custom"] = custom
        file = self._path(target)
        make_folder(file.parent)
        if not file.exists():
            write_file(file, content)
        targets.targets[path] = target

    def put_index(self, targets: Targets, index: ReleaseIndex) -> None:
        """Write a channel's index, and remove the paths that it does not need from the list."""
        self.put(targets, index_path(index.channel), index_to_bytes(index))
        for path in unneeded(targets, index):
            del targets.targets[path]

    def index(self, targets: Targets, channel: str) -> ReleaseIndex | None:
        """Return a channel's index; None if it has no release."""
        known = targets.targets.get(index_path(channel))
        return parse_index(self._read(known), index_path(channel)) if known is not None else None

    def released(self, targets: Targets, channel: str, version: str) -> dict[str, bytes]:
        """Return the files of a release, by name, without its manifest."""
        start = f"{channel}/{version}/"
        return {
            path.removeprefix(start): self._read(target)
            for path, target in targets.targets.items()
            if path.startswith(start) and path != f"{start}{MANIFEST_FILE}"
        }

    def _path(self, target: TargetFile) -> Path:
        parent, _, name = target.path.rpartition("/")
        return self.folder / parent / f"{target.hashes['sha256']}.{name}"

    def _read(self, target: TargetFile) -> bytes:
        path = self._path(target)
        try:
            return path.read_bytes()
        except OSError as error:
            raise DeployError(f"{path}: cannot be read ({error.strerror}). Restore it from its backup.") from error


def channels(targets: Targets) -> list[str]:
    """Return the names of all channels with a release."""
    return sorted(path.split("/")[0] for path in targets.targets if path == index_path(path.split("/")[0]))


def unneeded(targets: Targets, index: ReleaseIndex) -> list[str]:
    """Return the listed paths of a channel that no offer needs: files of other versions, deltas to old releases.

    Every camera fetches the list, so it stays short.
    """
    needed = {index_path(index.channel)}
    for position, offer in enumerate(index.offers):
        start = f"{index.channel}/{offer.version}/"
        files = {path: target for path, target in targets.targets.items() if path.startswith(start)}
        needed |= set(files)
        if position < _DELTAS_TO:
            ends = [
                delta_path(index.channel, "", target.hashes["sha256"]).rpartition("/")[2] for target in files.values()
            ]
            needed |= {path for path in targets.targets if path.endswith(tuple(ends))}
    return [path for path in targets.targets if path.startswith(f"{index.channel}/") and path not in needed]
