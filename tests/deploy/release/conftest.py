"""A release repository, and a camera that fetches from a copy of it that can lie."""

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata
from tuf.ngclient.fetcher import FetcherInterface

from trailcam_core.bundle.folder import Bundle, open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.release.rollout import Choice
from trailcam_deploy.release.drift_verdict import Approval
from trailcam_deploy.release.keys import KeyFolder
from trailcam_deploy.release.repository import ReleaseRepository
from trailcam_edge.update.fetch.device_id import write_device_id
from trailcam_edge.update.fetch.fetch_release import fetch_release

PASSPHRASE = "correct horse battery staple"
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSED = Approval("pass")


class LyingHost(FetcherInterface):
    """Serves a folder, and gives what it is told instead for some addresses; counts the bytes that it has sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instead: dict[str, Callable[[], Iterator[bytes]]] = {}
        self.sent = 0
        self.asked: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix("host:/")
        self.asked.append(path)
        for part, answer in self.instead.items():
            if part in path:
                return self._count(answer())
        if not (self.folder / path).is_file():
            raise DownloadHTTPError(path, 404)
        return self._count(iter([(self.folder / path).read_bytes()]))

    def _count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.sent += len(chunk)
            yield chunk


@dataclass
class Camera:
    """Fetches as ``trailcam update`` does, with a clock that a test sets."""

    folder: Path
    host: LyingHost
    root: bytes
    channel: str = "tiny"
    clock: datetime | None = START
    builtin: Path = Path("/no/bundle")
    reports: list[str] = field(default_factory=list)

    def fetch(self) -> tuple[Choice, Path]:
        """Fetch what must be for this camera."""
        choice, path = self.ask()
        assert path is not None, choice
        return choice, path

    def ask(self) -> tuple[Choice, Path | None]:
        handler = logging.Handler()
        handler.emit = lambda record: self.reports.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("trailcam_edge")
        logger.addHandler(handler)
        try:
            return fetch_release(
                "host:/", self.folder, self.root, self.channel, lambda: self.clock, self.host, self.builtin
            )
        finally:
            logger.removeHandler(handler)

    def named(self, device_id: str) -> "Camera":
        self.folder.mkdir(parents=True, exist_ok=True)
        write_device_id(self.folder, device_id)
        return self


@dataclass
class Fleet:
    """The operator's repository, its keys, and what has been published of it."""

    repository: ReleaseRepository
    base: Path

    def at(self, moment: datetime) -> ReleaseRepository:
        return replace(self.repository, now=moment)

    def snapshot(self, name: str) -> Path:
        """Keep a copy of the repository as it is now, as a mirror does."""
        return Path(shutil.copytree(self.repository.folder, self.base / name))

    def signer(self, role: str) -> CryptoSigner:
        return self.repository.keys.load(role, PASSPHRASE if role == "root" else None)

    def forge(self, path: Path, signer: CryptoSigner, change: Callable[[Metadata], None]) -> None:
        """Change metadata on disk and sign it with whatever key is at hand."""
        metadata = Metadata.from_file(str(path))
        change(metadata)
        metadata.sign(signer)
        metadata.to_file(str(path))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """Return a function that gives a bundle of a version."""
    folder = tmp_path_factory.mktemp("bundles")
    builtin = open_bundle(BUILTIN_BUNDLE)

    def give(version: str) -> Bundle:
        path = folder / f"{version}.bundle"
        if path.exists():
            return open_bundle(path)
        manifest = replace(builtin.manifest, name="tiny", version=version)
        return write_bundle(path, manifest, builtin.model_path, (BUILTIN_BUNDLE / "golden.npz").read_bytes())

    return give


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, bundles: Callable[[str], Bundle]) -> Path:
    """A repository with one release, made once: the encryption of the root key takes its time."""
    base = tmp_path_factory.mktemp("made")
    repository = ReleaseRepository(base / "release", KeyFolder(base / "keys"), START)
    repository.init(PASSPHRASE)
    repository.add(bundles("1.0.0"), "tiny", PASSED)
    return base


@pytest.fixture
def fleet(made: Path, tmp_path: Path) -> Fleet:
    """A repository with release 1 of the channel ``tiny``, version 1.0.0, signed at START."""
    base = Path(shutil.copytree(made, tmp_path / "operator"))
    return Fleet(ReleaseRepository(base / "release", KeyFolder(base / "keys"), START), base)


@pytest.fixture
def camera(fleet: Fleet, tmp_path: Path) -> Camera:
    """A camera that was provisioned with the fleet's first root and has fetched nothing yet."""
    return Camera(tmp_path / "camera", LyingHost(fleet.repository.folder), fleet.repository.root_bytes())


@pytest.fixture(scope="session")
def days() -> Callable[[float], datetime]:
    """Return a function that gives the moment so many days after START."""
    return lambda count: START + timedelta(days=count)
