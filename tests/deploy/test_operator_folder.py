"""The operator's folder on first use and later, and what of its repository a device is sent."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trailcam_core.bundle.folder import Bundle, open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import DeployError
from trailcam_deploy.device.facts import INBOX
from trailcam_deploy.device.release_diff import plan_push, read_published, stale_files
from trailcam_deploy.operator_folder import OperatorFolder
from trailcam_deploy.release.keys import KeyFolder
from trailcam_edge.update.fetch.fetch_release import fetch_release

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BECAUSE = "a test"


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], Bundle]:
    """Return a function that gives the built-in bundle under another version, with bytes behind its model."""
    folder = tmp_path_factory.mktemp("variants")
    builtin = open_bundle(BUILTIN_BUNDLE)

    def give(version: str, more: bytes = b"") -> Bundle:
        path = folder / f"{version}.bundle"
        if path.exists():
            return open_bundle(path)
        model = folder / builtin.manifest.model.file
        model.write_bytes(builtin.model_path.read_bytes() + more)
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        entry = replace(builtin.manifest.model, sha256=digest, size_bytes=model.stat().st_size)
        manifest = replace(builtin.manifest, name="meadow", version=version, model=entry)
        return write_bundle(path, manifest, model, (BUILTIN_BUNDLE / "golden.npz").read_bytes())

    return give


@pytest.fixture
def folder(tmp_path: Path) -> OperatorFolder:
    folder = OperatorFolder(tmp_path / "fleet", NOW)
    assert folder.create_if_missing()
    return folder


def held() -> frozenset[str]:
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in BUILTIN_BUNDLE.iterdir())


def test_first_use_makes_keys_that_nobody_else_may_read(folder: OperatorFolder) -> None:
    for path in (folder.folder, folder.folder / "keys", *(folder.folder / "keys").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    passphrase = folder.passphrase_file.read_text().strip()
    assert len(passphrase) >= 32
    assert KeyFolder(folder.folder / "keys").load("root", passphrase)
    with pytest.raises(DeployError, match="wrong passphrase"):
        KeyFolder(folder.folder / "keys").load("root", "another passphrase")


def test_later_use_makes_nothing(folder: OperatorFolder) -> None:
    before = (folder.folder / "keys" / "root.pem").read_bytes()
    assert not folder.create_if_missing()
    assert (folder.folder / "keys" / "root.pem").read_bytes() == before


def test_a_first_use_that_was_cut_off_is_done_again(folder: OperatorFolder) -> None:
    for path in (folder.folder / "release" / "metadata").iterdir():
        if not path.name.endswith("root.json"):
            path.unlink()
    assert folder.create_if_missing()
    assert read_published(folder.folder / "release").targets == {}


def test_a_repository_that_lost_its_head_is_not_made_anew(folder: OperatorFolder) -> None:
    (folder.folder / "release" / "metadata" / "timestamp.json").unlink()
    with pytest.raises(DeployError, match="its backup"):
        folder.create_if_missing()


def test_the_drift_gate_is_asked_once(folder: OperatorFolder, variant: Callable[[str], Bundle]) -> None:
    with pytest.raises(DeployError, match=r"drift\.json: missing"):
        folder.release(variant("1.0.0"), "meadow", None)
    assert "release 1" in str(folder.release(variant("1.0.0"), "meadow", BECAUSE))
    assert folder.release(variant("1.0.0"), "meadow", None) is None


def test_releases_are_signed_again_in_good_time(folder: OperatorFolder) -> None:
    assert not folder.renew_if_due()
    assert not OperatorFolder(folder.folder, NOW + timedelta(days=14)).renew_if_due()
    later = OperatorFolder(folder.folder, NOW + timedelta(days=16))
    assert later.renew_if_due()
    assert not later.renew_if_due()


def test_two_deployments_do_not_share_a_folder(folder: OperatorFolder) -> None:
    with folder.locked(), pytest.raises(DeployError, match="another deployment"), folder.locked():
        pass


def test_a_copy_leaves_the_original_alone_and_itself_nowhere(tmp_path: Path, variant: Callable[[str], Bundle]) -> None:
    folder = OperatorFolder(tmp_path / "none", NOW)
    with folder.copied() as copy:
        copy.create_if_missing()
        copy.release(variant("1.0.0"), "meadow", BECAUSE)
        place = copy.folder
        assert place.stat().st_mode & 0o077 == 0
    assert not folder.folder.exists()
    assert not place.exists()


def test_what_is_pushed_is_what_a_camera_needs(
    folder: OperatorFolder, tmp_path: Path, variant: Callable[..., Bundle]
) -> None:
    folder.release(variant("1.0.0"), "meadow", BECAUSE)
    bundle = variant("1.1.0", b"another" * 100)
    folder.release(bundle, "meadow", BECAUSE)
    published = read_published(folder.folder / "release")
    uploads = plan_push(published, published.files("meadow", frozenset()), {})
    assert uploads[-1].path == f"{INBOX}/metadata/timestamp.json"
    assert all("/1.0.0/" not in upload.path for upload in uploads)
    inbox = tmp_path / "inbox"
    for upload in uploads:
        place = inbox / upload.path.removeprefix(f"{INBOX}/")
        place.parent.mkdir(parents=True, exist_ok=True)
        with upload.open() as file:
            place.write_bytes(file.read())
    _, fetched = fetch_release(str(inbox), tmp_path / "camera", folder.roots()[-1], "meadow", lambda: NOW)
    assert open_bundle(fetched).manifest.version == "1.1.0"


def test_nothing_is_sent_twice_and_the_old_is_swept(folder: OperatorFolder, variant: Callable[..., Bundle]) -> None:
    folder.release(variant("1.0.0"), "meadow", BECAUSE)
    first = read_published(folder.folder / "release")
    files = first.files("meadow", frozenset())
    inbox = {upload.path.removeprefix(f"{INBOX}/"): upload.sha256 for upload in plan_push(first, files, {})}
    assert plan_push(first, files, inbox) == []
    assert stale_files(first, files, inbox) == []
    damaged = inbox | {"metadata/timestamp.json": "0" * 64}
    assert [upload.path for upload in plan_push(first, files, damaged)] == [f"{INBOX}/metadata/timestamp.json"]
    folder.release(variant("1.1.0", b"another" * 100), "meadow", BECAUSE)
    second = read_published(folder.folder / "release")
    stale = stale_files(second, second.files("meadow", frozenset()), inbox)
    assert any("/1.0.0/" in path for path in stale)
    assert not any("root.json" in path for path in stale)


def test_files_that_a_device_has_stay_at_home(folder: OperatorFolder, variant: Callable[..., Bundle]) -> None:
    folder.release(variant("1.0.0"), "meadow", BECAUSE)
    published = read_published(folder.folder / "release")
    size = {
        name: sum(u.size_bytes for u in plan_push(published, published.files("meadow", have), {}))
        for name, have in (("nothing", frozenset()), ("builtin", held()))
    }
    assert size["builtin"] < 50_000 < size["nothing"]


def test_a_channel_without_a_release_lists_those_with_one(
    folder: OperatorFolder, variant: Callable[..., Bundle]
) -> None:
    folder.release(variant("1.0.0"), "meadow", BECAUSE)
    with pytest.raises(DeployError, match=r"channel forest; there are: meadow"):
        read_published(folder.folder / "release").index("forest")


def test_a_damaged_repository_is_said(folder: OperatorFolder) -> None:
    (folder.folder / "release" / "metadata" / "1.snapshot.json").write_bytes(b"{}")
    with pytest.raises(DeployError, match="cannot be read as a release repository"):
        read_published(folder.folder / "release")
