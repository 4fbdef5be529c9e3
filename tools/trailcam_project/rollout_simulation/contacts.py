"""What one contact of a camera with its host costs: measured, with the real repository and the real client."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.bundle.folder import MANIFEST_FILE, Bundle, describe_file, open_bundle, write_bundle
from trailcam_core.bundle.golden_file import golden_to_bytes
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.release.index import Offer
from trailcam_core.release.rollout import takes
from trailcam_core.spec import GoldenEntry, ModelEntry
from trailcam_deploy.release.drift_verdict import Approval
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.repository import ReleaseRepository
from trailcam_edge.update.fetch.device_id import write_device_id
from trailcam_edge.update.fetch.fetch_release import fetch_release
from trailcam_edge.update.fetch.folder_fetcher import FolderFetcher
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings
from trailcam_project.rollout_simulation.head import with_another_head

CHANNEL, OLD, NEW = "animals10", "1.1.0", "1.2.0"
_NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_PASSPHRASE = "of a repository that lives for a minute"  # noqa: S105


@dataclass(frozen=True)
class Costs:
    """Bytes of each transfer, in order; one of 0 bytes is a question that was answered with "not found".

    ``unchanged`` is a contact when nothing was signed since the last one, ``changed`` when something was. A release
    comes on top: as a ``delta``, ``whole``, or from what the camera still has when it goes ``back``.
    """

    unchanged: tuple[int, ...]
    changed: tuple[int, ...]
    delta: tuple[int, ...]
    whole: tuple[int, ...]
    back: tuple[int, ...]


class _Counter(FetcherInterface):
    """Notes what was asked for, and how much came."""

    def __init__(self, folder: Path) -> None:
        self._fetcher = FolderFetcher(folder)
        self.transfers: list[tuple[str, int]] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.transfers.append((url, 0))
        for chunk in self._fetcher.fetch(url):
            self.transfers[-1] = (url, self.transfers[-1][1] + len(chunk))
            yield chunk


def measure(base: Path) -> Costs:
    """Release, fetch and go back in a folder, and count."""
    repository = ReleaseRepository(base / "release", KeyFolder(base / "keys"), _NOW)
    repository.init(_PASSPHRASE)
    old, new = (_retrained(base, version, seed) for seed, version in enumerate((OLD, NEW)))
    repository.add(old, CHANNEL, Approval("pass"))
    names = [f"cam-{number}" for number in range(100)]
    early = next(name for name in names if takes(Offer(1, NEW, 10), name, CHANNEL))
    late = next(name for name in names if not takes(Offer(1, NEW, 10), name, CHANNEL))
    cameras = {name: base / name for name in (early, late)}
    for name, folder in cameras.items():
        folder.mkdir()
        write_device_id(folder, name)
        _contact(repository, folder)
    unchanged = _contact(repository, cameras[late])
    repository.add(new, CHANNEL, Approval("pass"), percent=10)
    changed, delta = _contact(repository, cameras[late]), _contact(repository, cameras[early])
    repository.expire(CHANNEL, NEW)
    back = _contact(repository, cameras[early])
    manifest_bytes = (new.path / MANIFEST_FILE).stat().st_size
    return Costs(
        unchanged=_sizes(unchanged, of_release=False),
        changed=_sizes(changed, of_release=False),
        delta=_sizes(delta, of_release=True),
        whole=(manifest_bytes, new.manifest.model.size_bytes, new.manifest.golden.size_bytes),
        back=_sizes(back, of_release=True),
    )


def _retrained(folder: Path, version: str, seed: int) -> Bundle:
    """Write the built-in bundle with another head, and with golden vectors that have other answers."""
    builtin = open_bundle(BUILTIN_BUNDLE)
    golden = builtin.read_golden()
    noise = np.random.default_rng(seed).normal(size=golden.logits.shape).astype(golden.logits.dtype)
    content = golden_to_bytes(replace(golden, logits=golden.logits + noise))
    (folder / "golden.npz").write_bytes(content)
    (folder / "model.tflite").write_bytes(with_another_head(builtin.model_path.read_bytes(), seed))
    model, vectors = builtin.manifest.model, builtin.manifest.golden
    manifest = replace(
        builtin.manifest,
        version=version,
        model=ModelEntry(**vars(model) | vars(describe_file(folder / "model.tflite", model.file))),
        golden=GoldenEntry(**vars(vectors) | vars(describe_file(folder / "golden.npz", vectors.file))),
    )
    return write_bundle(folder / f"{version}.bundle", manifest, folder / "model.tflite", content)


def _contact(repository: ReleaseRepository, folder: Path) -> list[tuple[str, int]]:
    """Do what ``trailcam update`` and a watch without trouble do; return what was transferred."""
    counter = _Counter(repository.folder)
    updater = Updater(UpdateSettings(folder), lambda _: None)
    _, path = fetch_release("folder:/", folder, repository.root_bytes(), CHANNEL, lambda: _NOW, counter)
    if path is not None and not updater.installed(path):
        updater.install(path)
        updater.start()
        updater.observe(healthy_s=float("inf"), started_s=float("inf"))
    return counter.transfers


def _sizes(transfers: list[tuple[str, int]], of_release: bool) -> tuple[int, ...]:
    """Return the sizes of a release's files, or of everything that comes before it."""
    return tuple(size for url, size in transfers if (url.count("/") > 3) == of_release)
