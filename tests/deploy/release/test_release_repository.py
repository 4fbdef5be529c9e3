"""The operator's side: keys, refusals, and what a device sees of each action."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailcam.main import main
from trailcam_core.bundle.folder import Bundle, open_bundle
from trailcam_core.errors import DeployError, UpdateError
from trailcam_deploy.release.drift_verdict import Approval, approve
from trailcam_deploy.release.keys import KeyFolder

Bundles = Callable[[str], Bundle]
PASSPHRASE = "correct horse battery staple"
PASSED = Approval("pass")


@pytest.fixture
def judged(tmp_path: Path, bundles: Bundles) -> Callable[..., Bundle]:
    """Return a function that copies a bundle and writes what the drift gate says beside it."""

    def give(said: str, **changes: Any) -> Bundle:
        source = bundles("1.0.0")
        bundle = open_bundle(Path(shutil.copytree(source.path, tmp_path / "export" / "int8.bundle")))
        manifest = bundle.manifest
        assert manifest.drift is not None
        row = {
            "verdict": said,
            "size_bytes": manifest.model.size_bytes,
            "top1_delta": {"value": manifest.drift.top1_delta},
            "agreement": {"value": manifest.drift.top1_agreement},
        }
        record = {"name": "tiny", "version": "1.0.0", "labels": list(manifest.output.labels)}
        record["variants"] = [row | changes]  # type: ignore[assignment]
        (bundle.path.parent / "drift.json").write_text(json.dumps(record))
        return bundle

    return give


@pytest.mark.parametrize("verdict", ["pass", "inconclusive"])
def test_what_did_not_fail_the_gate_may_be_released(judged: Callable[..., Bundle], verdict: str) -> None:
    assert approve(judged(verdict)).record() == {"drift_gate": verdict}


def test_a_bundle_without_a_verdict_is_refused(bundles: Bundles) -> None:
    with pytest.raises(DeployError, match=r"drift.json: missing.*--i-know"):
        approve(bundles("1.0.0"))


def test_a_bundle_that_failed_is_refused_unless_somebody_knows_and_signs_it(judged: Callable[..., Bundle]) -> None:
    bundle = judged("fail")
    with pytest.raises(DeployError, match="failed the drift gate"):
        approve(bundle)
    assert approve(bundle, "only owls here").record() == {"drift_gate": "fail", "i_know": "only owls here"}


@pytest.mark.parametrize(
    "changes", [{"size_bytes": 1}, {"agreement": {"value": 0.5}}, {"verdict": "perhaps"}, {"size_bytes": None}]
)
def test_a_verdict_on_another_file_counts_for_nothing(judged: Callable[..., Bundle], changes: Any) -> None:
    with pytest.raises(DeployError, match="no verdict on this bundle"):
        approve(judged("pass", **changes))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"variants": 3}', b"[" * 100_000])
def test_a_damaged_verdict_is_an_error(judged: Callable[..., Bundle], content: bytes) -> None:
    bundle = judged("pass")
    (bundle.path.parent / "drift.json").write_bytes(content)
    with pytest.raises(DeployError, match=r"drift.json: (cannot be read|is no record)"):
        approve(bundle)


def test_what_somebody_knew_stands_in_the_signed_metadata(fleet: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", Approval("missing", "only owls here"))
    text = (fleet.repository.folder / "metadata" / "3.targets.json").read_text()
    custom = json.loads(text)["signed"]["targets"]["tiny/2.0.0/manifest.json"]["custom"]
    assert custom == {"trailcam": {"drift_gate": "missing", "i_know": "only owls here"}}


def test_the_root_key_is_encrypted_and_no_key_can_be_read_by_others(fleet: Any) -> None:
    keys = fleet.repository.keys
    assert b"ENCRYPTED" in keys.path("root").read_bytes()
    assert {keys.path(role).stat().st_mode & 0o777 for role in ("root", "targets", "snapshot", "timestamp")} == {0o600}
    with pytest.raises(DeployError, match="wrong passphrase"):
        keys.load("root", "another passphrase")


def test_a_key_that_others_may_read_is_refused(fleet: Any, bundles: Bundles) -> None:
    fleet.repository.keys.path("targets").chmod(0o644)
    with pytest.raises(DeployError, match="chmod 600"):
        fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)


def test_a_short_passphrase_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="expected 12 or more"):
        KeyFolder(tmp_path / "keys").create("root", "tooshort")
    assert not (tmp_path / "keys").exists()


def test_a_second_init_touches_nothing(fleet: Any) -> None:
    before = fleet.repository.keys.path("root").read_bytes()
    with pytest.raises(DeployError, match="is a release repository already"):
        fleet.repository.init(PASSPHRASE)
    assert fleet.repository.keys.path("root").read_bytes() == before


def test_a_version_is_released_with_one_content_only(fleet: Any, bundles: Bundles, tmp_path: Path) -> None:
    fleet.repository.add(bundles("1.0.0"), "tiny", PASSED)
    changed = Path(shutil.copytree(bundles("1.0.0").path, tmp_path / "changed.bundle"))
    (changed / "golden.npz").write_bytes(b"other")
    with pytest.raises(DeployError, match="Give the bundle another version"):
        fleet.repository.add(Bundle(changed, bundles("1.0.0").manifest), "tiny", PASSED)


def test_an_expired_version_gives_way_to_the_newest_of_the_others(fleet: Any, camera: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    assert camera.fetch()[0].version == "2.0.0"
    fleet.repository.expire("tiny", "2.0.0")
    index, _ = camera.fetch()
    assert (index.number, index.version) == (3, "1.0.0")
    with pytest.raises(DeployError, match="is the only release"):
        fleet.repository.expire("tiny", "1.0.0")
    with pytest.raises(DeployError, match="was not released here"):
        fleet.repository.expire("tiny", "7.0.0")


def test_renewed_dates_reach_a_camera(fleet: Any, camera: Any, days: Any) -> None:
    fleet.at(days(25)).renew()
    camera.clock = days(50)
    assert camera.fetch()[0].number == 1


def test_a_release_that_was_cut_off_before_its_timestamp_is_done_again(
    fleet: Any, camera: Any, bundles: Bundles
) -> None:
    timestamp = fleet.repository.folder / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    timestamp.write_bytes(before)
    assert camera.fetch()[0].version == "1.0.0"
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    assert camera.fetch()[0].version == "2.0.0"


def test_a_folder_that_is_no_repository_says_so(tmp_path: Path, fleet: Any, bundles: Bundles) -> None:
    other = type(fleet.repository)(tmp_path / "nothing", fleet.repository.keys, fleet.repository.now)
    with pytest.raises(DeployError, match="trailcam release init"):
        other.add(bundles("1.0.0"), "tiny", PASSED)


NEW_PASSPHRASE = "battery horse staple correct"


def test_cameras_follow_to_a_new_root_key_and_the_old_one_signs_nothing_more(
    fleet: Any, camera: Any, bundles: Bundles
) -> None:
    camera.fetch()
    old = fleet.signer("root")
    fleet.repository.rotate_keys(PASSPHRASE, ("root",), NEW_PASSPHRASE)
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    assert camera.fetch()[0].version == "2.0.0"

    def taken_back(metadata: Any) -> None:
        metadata.signed.version = 3

    folder = fleet.repository.folder / "metadata"
    shutil.copy(folder / "2.root.json", folder / "3.root.json")
    fleet.forge(folder / "3.root.json", old, taken_back)
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()


def test_the_new_root_key_rotates_on_and_the_old_one_is_refused(fleet: Any, camera: Any) -> None:
    keys = fleet.repository.keys
    old = keys.path("root").read_bytes()
    fleet.repository.rotate_keys(PASSPHRASE, ("root", "targets"), NEW_PASSPHRASE)
    assert keys.path("root").stat().st_mode & 0o777 == 0o600
    new = keys.path("root").read_bytes()
    keys.path("root").write_bytes(old)
    with pytest.raises(DeployError, match="is not the key that root names"):
        fleet.repository.rotate_keys(PASSPHRASE)
    keys.path("root").write_bytes(new)
    with pytest.raises(DeployError, match="wrong passphrase"):
        fleet.repository.rotate_keys(PASSPHRASE)
    fleet.repository.rotate_keys(NEW_PASSPHRASE, ("root",), PASSPHRASE)
    assert camera.fetch()[0].version == "1.0.0"


def test_an_exchange_of_the_root_key_that_was_cut_off_can_be_finished(
    fleet: Any, camera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = fleet.repository.keys
    with monkeypatch.context() as cut:
        cut.setattr(KeyFolder, "take_next_root", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fleet.repository.rotate_keys(PASSPHRASE, ("root",), NEW_PASSPHRASE)
    with pytest.raises(DeployError, match=r"root.next.pem: rename it to root.pem"):
        fleet.repository.rotate_keys(PASSPHRASE)
    keys.next_root.rename(keys.path("root"))
    fleet.repository.rotate_keys(NEW_PASSPHRASE)
    assert camera.fetch()[0].version == "1.0.0"


def test_a_new_root_key_needs_a_passphrase_and_nothing_changes_without_one(fleet: Any) -> None:
    before = fleet.repository.root_bytes()
    for passphrase in (None, "tooshort"):
        with pytest.raises(DeployError, match="expected 12 or more"):
            fleet.repository.rotate_keys(PASSPHRASE, ("root",), passphrase)
    with pytest.raises(DeployError, match="cannot rotate rot, expected some of root, targets"):
        fleet.repository.rotate_keys(PASSPHRASE, ("rot",))
    assert fleet.repository.root_bytes() == before


def test_a_new_camera_is_provisioned_with_the_newest_root(fleet: Any, camera: Any) -> None:
    fleet.repository.rotate_keys(PASSPHRASE, ("root",), NEW_PASSPHRASE)
    camera.root = fleet.repository.root_bytes()
    assert b'"version":2' in camera.root
    assert camera.fetch()[0].version == "1.0.0"


def test_nothing_is_left_in_a_folder_that_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["widen", "fox", "50"], ["stop", "fox"], ["expire", "fox", "1.0.0"], ["renew"]):
        assert main(["release", *words]) == 1
        assert "is no release repository" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_file_that_is_no_text_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pass").write_bytes(b"\xff\xfe\0")
    (tmp_path / "pass").chmod(0o600)
    folders = ["--repository", str(tmp_path / "r"), "--keys", str(tmp_path / "k")]
    assert main(["release", "init", *folders, "--passphrase-file", str(tmp_path / "pass")]) == 1
    assert "no text in UTF-8" in capsys.readouterr().err
