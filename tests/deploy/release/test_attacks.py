"""The attacks that TUF's specification lists, each by a repository that lies to a camera.

Source: "The Update Framework" specification 1.0.33, section 1.5.2.
"""

import itertools
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from trailcam_core.bundle.folder import Bundle
from trailcam_core.errors import UpdateError
from trailcam_deploy.release.drift_verdict import Approval

Bundles = Callable[[str], Bundle]
Days = Callable[[float], datetime]
PASSPHRASE = "correct horse battery staple"
PASSED = Approval("pass")


def newest(folder: Path, role: str) -> Path:
    """Return the newest metadata of a role on a host."""
    if role == "timestamp":
        return folder / "metadata" / "timestamp.json"
    return max((folder / "metadata").glob(f"*.{role}.json"), key=lambda path: int(path.name.split(".")[0]))


def test_an_honest_repository_is_fetched(camera: Any, bundles: Bundles) -> None:
    index, path = camera.fetch()
    assert (index.number, index.version) == (1, "1.0.0")
    expected = bundles("1.0.0").path
    assert {item.name for item in path.iterdir()} == {item.name for item in expected.iterdir()}
    assert all((path / item.name).read_bytes() == item.read_bytes() for item in expected.iterdir())


def test_arbitrary_software_is_refused(fleet: Any, camera: Any) -> None:
    targets = fleet.repository.folder / "targets" / "tiny"
    for path in [*(targets / "1.0.0").glob("*.model.tflite"), *(targets / "deltas").iterdir()]:
        content = bytearray(path.read_bytes())
        content[1000] ^= 1
        path.write_bytes(content)
    with pytest.raises(UpdateError, match=r"verification failed|cannot be fetched"):
        camera.fetch()
    assert not (camera.folder / "downloads" / "release.bundle" / "model.tflite").exists()


def test_rollback_to_older_metadata_is_refused(fleet: Any, camera: Any, bundles: Bundles) -> None:
    old = fleet.snapshot("old")
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    assert camera.fetch()[0].version == "2.0.0"
    camera.host.folder = old
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()


@pytest.mark.parametrize("damage", ["emptied", "deleted", "old floor file damaged too"])
def test_rollback_is_refused_after_the_cameras_metadata_was_damaged(
    fleet: Any, camera: Any, bundles: Bundles, damage: str
) -> None:
    old = fleet.snapshot("old")
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    camera.fetch()
    if damage == "deleted":
        shutil.rmtree(camera.folder / "metadata")
    else:
        for path in (camera.folder / "metadata").rglob("*.json"):
            path.write_bytes(b"")
    if damage == "old floor file damaged too":
        (camera.folder / "floor.0.json").write_bytes(b"\x00" * 100)
    camera.host.folder = old
    with pytest.raises(UpdateError, match=r"timestamp.json: version 2 is offered, 3 was seen before"):
        camera.fetch()
    camera.host.folder = fleet.repository.folder
    assert camera.fetch()[0].version == "2.0.0"


def test_an_indefinite_freeze_ends_when_the_timestamp_expires(camera: Any, days: Days) -> None:
    camera.clock = days(29)
    camera.fetch()
    camera.clock = days(31)
    with pytest.raises(UpdateError, match="expired"):
        camera.fetch()


def test_a_freeze_is_seen_without_a_clock_by_the_newest_signed_time(
    fleet: Any, camera: Any, bundles: Bundles, days: Days
) -> None:
    frozen = fleet.snapshot("frozen")
    fleet.at(days(40)).add(bundles("2.0.0"), "tiny", PASSED)
    camera.clock = None
    camera.fetch()
    shutil.rmtree(camera.folder / "metadata")
    floors = list(camera.folder.glob("floor.*.json"))
    for path in floors:  # only the time is left of what was seen
        path.write_bytes(path.read_bytes().replace(b'"timestamp":"3"', b'"timestamp":"1"'))
    camera.host.folder = frozen
    with pytest.raises(UpdateError, match=r"timestamp\.json is expired"):
        camera.fetch()


@pytest.mark.parametrize("clock", [datetime(1970, 1, 1, tzinfo=UTC), None])
def test_a_clock_at_1970_keeps_no_camera_from_its_update(camera: Any, clock: datetime | None) -> None:
    camera.clock = clock
    assert camera.fetch()[0].version == "1.0.0"


def test_a_clock_at_2038_refuses_and_forgets_nothing(camera: Any, days: Days) -> None:
    camera.clock = datetime(2038, 1, 20, tzinfo=UTC)
    with pytest.raises(UpdateError, match="expired"):
        camera.fetch()
    camera.clock = days(1)
    assert camera.fetch()[0].version == "1.0.0"


@pytest.mark.parametrize(
    ("file", "most"), [("timestamp.json", 100_000), ("snapshot.json", 2_000_000), ("model", 8_000_000)]
)
def test_endless_data_is_cut_off(camera: Any, file: str, most: int) -> None:
    camera.host.instead[".zst"] = lambda: iter([])
    camera.host.instead[file] = lambda: itertools.repeat(b"\x00" * 65_536)
    with pytest.raises(UpdateError):
        camera.fetch()
    assert camera.host.sent < most


def test_a_camera_recovers_from_a_fast_forward_once_the_keys_are_exchanged(fleet: Any, camera: Any) -> None:
    def far_ahead(metadata: Any) -> None:
        metadata.signed.version = 2_000_000_000

    honest = fleet.snapshot("honest")
    fleet.forge(newest(fleet.repository.folder, "timestamp"), fleet.signer("timestamp"), far_ahead)
    camera.fetch()
    camera.host.folder = honest
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()
    operator = type(fleet.repository)(honest, fleet.repository.keys, fleet.repository.now)
    operator.rotate_keys(PASSPHRASE, ("timestamp",))
    assert camera.fetch()[0].version == "1.0.0"


def test_mix_and_match_of_two_moments_is_refused(fleet: Any, camera: Any, bundles: Bundles) -> None:
    old = fleet.snapshot("old")
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    old_targets, new_targets = newest(old, "targets"), newest(fleet.repository.folder, "targets")
    shutil.copy(old_targets, new_targets)
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()


def test_wrong_software_of_another_channel_is_refused(fleet: Any, camera: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "other", PASSED)
    targets = fleet.repository.folder / "targets"
    (ours,) = (targets / "tiny").glob("*.release.json")
    (theirs,) = (targets / "other").glob("*.release.json")
    shutil.copy(theirs, ours)
    with pytest.raises(UpdateError, match=r"verification failed|cannot be fetched"):
        camera.fetch()


def test_a_malicious_mirror_can_only_deny(fleet: Any, camera: Any, bundles: Bundles) -> None:
    camera.fetch()
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    mirror = fleet.snapshot("mirror")
    for path in (mirror / "targets" / "tiny" / "2.0.0").iterdir():
        path.unlink()
    camera.host.folder = mirror
    with pytest.raises(UpdateError, match="cannot be fetched"):
        camera.fetch()
    camera.host.folder = fleet.repository.folder
    assert camera.fetch()[0].version == "2.0.0"


def test_extraneous_files_beside_a_bundle_are_never_asked_for(fleet: Any, camera: Any) -> None:
    for name in ("extra.so", "requirements.txt"):
        (fleet.repository.folder / "targets" / "tiny" / "1.0.0" / name).write_bytes(b"run me")
    _, path = camera.fetch()
    assert sorted(item.name for item in path.iterdir()) == ["golden.npz", "manifest.json", "model.tflite"]
    assert not any("extra" in asked or "requirements" in asked for asked in camera.host.asked)


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_key_that_root_does_not_name_signs_nothing(fleet: Any, camera: Any, role: str) -> None:
    fleet.forge(newest(fleet.repository.folder, role), CryptoSigner.generate_ed25519(), lambda metadata: None)
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()


def test_a_stolen_key_is_worth_nothing_after_the_exchange(fleet: Any, camera: Any, bundles: Bundles) -> None:
    camera.fetch()
    stolen = fleet.signer("targets")
    fleet.repository.rotate_keys(PASSPHRASE)
    assert camera.fetch()[0].version == "1.0.0"
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    fleet.forge(newest(fleet.repository.folder, "targets"), stolen, lambda metadata: None)
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()


def test_a_root_of_somebody_else_is_refused(fleet: Any, camera: Any) -> None:
    def taken_over(metadata: Any) -> None:
        metadata.signed.version = 2

    folder = fleet.repository.folder / "metadata"
    shutil.copy(folder / "1.root.json", folder / "2.root.json")
    fleet.forge(folder / "2.root.json", CryptoSigner.generate_ed25519(), taken_over)
    with pytest.raises(UpdateError, match="verification failed"):
        camera.fetch()
