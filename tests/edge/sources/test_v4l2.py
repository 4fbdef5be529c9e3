"""V4L2 devices and the list of cameras, on a folder that stands for /dev."""

import errno
import os
from pathlib import Path

import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.sources.discovery import Camera, list_cameras
from trailcam_edge.sources.v4l2 import V4L2Camera, explain_device, list_v4l2_cameras, read_capability

CAPTURE, METADATA = 0x1, 0x0080_0000
DEVICES = {
    "video0": ("uvcvideo", "Garden Cam", CAPTURE),
    "video1": ("uvcvideo", "Garden Cam", METADATA),
    "video2": ("unicam", "unicam", CAPTURE),
    "video3": errno.EACCES,
    "video10": ("uvcvideo", "Second Cam", CAPTURE),
    "video11": errno.EBUSY,
    "video12": errno.EIO,
    "video-notes": errno.EACCES,
}


def capability(device: Path) -> tuple[str, str, int]:
    found = DEVICES[device.name]
    if isinstance(found, int):
        raise OSError(found, os.strerror(found))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in DEVICES:
        (tmp_path / name).touch()
    return tmp_path


def test_cameras_are_listed_in_the_order_of_their_numbers_and_what_gives_no_picture_is_not(folder: Path) -> None:
    cameras, problems = list_v4l2_cameras(folder, capability)
    assert [Path(camera.device).name for camera in cameras] == ["video0", "video10"]
    assert cameras[0].name == "Garden Cam"
    assert len(problems) == 3
    assert "permission denied" in str(problems[0])


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("video0", "fuser -v"),
        ("video1", "gives no pictures"),
        ("video2", "--source picamera2"),
        ("video3", "usermod -aG video"),
        ("video11", "busy"),
        ("video12", "Unplug"),
        ("video7", "no such camera"),
    ],
)
def test_why_a_device_does_not_open_is_told_with_the_cure(folder: Path, name: str, cure: str) -> None:
    assert cure in str(explain_device(str(folder / name), capability))


def test_what_is_there_instead_is_told(folder: Path) -> None:
    assert "video0" in str(explain_device(str(folder / "video7"), capability))


def test_a_file_that_is_no_device_is_not_a_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(OSError, match="ioctl"):
        read_capability(tmp_path / "video0")
    assert list_v4l2_cameras(tmp_path) == ((), ())
    assert "not a camera" in str(explain_device(str(tmp_path / "video0")))


def test_all_cameras_are_listed_once_and_can_be_named() -> None:
    info = [{"Model": "imx708", "Id": "/base/i2c/imx708@1a"}, {"Model": "Garden Cam", "Id": "/base/usb-1.2"}]
    cameras, problems = list_cameras(
        lambda: info, lambda: ((V4L2Camera("/dev/video0", "Garden Cam", "uvcvideo"),), (SourceError("hidden"),))
    )
    assert cameras == (
        Camera("picamera2:0", "picamera2", "imx708"),
        Camera("/dev/video0", "v4l2", "Garden Cam"),
    )
    assert [str(problem) for problem in problems] == ["hidden"]


def test_a_missing_picamera2_hides_no_other_camera() -> None:
    def missing() -> list[dict[str, object]]:
        raise ModuleNotFoundError("No module named 'picamera2'", name="picamera2")

    cameras, problems = list_cameras(missing, lambda: ((V4L2Camera("/dev/video0", "x", "uvcvideo"),), ()))
    assert len(cameras) == 1
    assert "python3-picamera2" in str(problems[0])
