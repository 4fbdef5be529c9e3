"""The place of root.json and device-id: root's own, on a provisioned camera."""

from pathlib import Path

import pytest

from trailcam_edge.update import settings
from trailcam_edge.update.fetch.device_id import read_device_id
from trailcam_edge.update.settings import trusted_file


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The camera's own update folder; ``trust`` beside it stands for /etc/trailcam."""
    monkeypatch.setattr(settings, "UPDATE_FOLDER", tmp_path / "update")
    monkeypatch.setattr(settings, "TRUST_FOLDER", tmp_path / "trust")
    for name in ("update", "trust"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "device-id").write_text(f"{name}-id\n")
    return tmp_path / "update"


def test_the_provisioned_file_counts_and_the_services_own_does_not(camera: Path, tmp_path: Path) -> None:
    assert trusted_file(camera, "device-id") == tmp_path / "trust" / "device-id"
    assert read_device_id(camera) == "trust-id"


def test_a_camera_of_an_earlier_version_and_another_folder_have_their_own(camera: Path, tmp_path: Path) -> None:
    (tmp_path / "trust" / "device-id").unlink()
    assert read_device_id(camera) == "update-id"
    (tmp_path / "trust" / "device-id").write_text("trust-id\n")
    (tmp_path / "stick").mkdir()
    assert trusted_file(tmp_path / "stick", "root.json") == tmp_path / "stick" / "root.json"
    assert str(read_device_id(tmp_path / "stick")).startswith("cam-")
