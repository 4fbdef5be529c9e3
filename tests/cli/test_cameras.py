"""``trailcam cameras`` on a machine with any cameras or none."""

import json

import pytest

from trailcam.commands import cameras
from trailcam.main import main
from trailcam_core.errors import SourceError
from trailcam_edge.sources.discovery import Camera

FOUND = (Camera("picamera2:0", "picamera2", "imx708"), Camera("/dev/video0", "v4l2", "Garden Cam"))


def test_cameras_are_listed_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cameras, "list_cameras", lambda: (FOUND, (SourceError("the cure."),)))
    assert main(["cameras"]) == 0
    printed = capsys.readouterr()
    assert "picamera2:0   imx708" in printed.out
    assert 'trailcam watch --source picamera2:0"' in printed.out
    assert "the cure." in printed.err


def test_no_camera_is_said_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cameras, "list_cameras", lambda: ((), ()))
    assert main(["cameras"]) == 0
    assert "No camera was found" in capsys.readouterr().out


def test_a_program_gets_cameras_and_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cameras, "list_cameras", lambda: (FOUND, (SourceError("the cure."),)))
    assert main(["cameras", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cameras"][1] == {"source": "/dev/video0", "kind": "v4l2", "name": "Garden Cam"}
    assert found["problems"] == ["the cure."]


def test_this_machine_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"cameras", "problems"}
