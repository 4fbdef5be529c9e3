"""Cameras of this machine, and the reasons why others are missing."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trailcam_core.errors import SourceError
from trailcam_edge.sources.picamera_errors import CAMERA_ERRORS, explain_camera
from trailcam_edge.sources.v4l2 import V4L2Camera, list_v4l2_cameras


@dataclass(frozen=True)
class Camera:
    """``source`` is the value for ``--source``, ``kind`` is picamera2 or v4l2, ``name`` the name of the device."""

    source: str
    kind: str
    name: str


def _picamera2_info() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = importlib.import_module("picamera2").Picamera2.global_camera_info()
    return found


def list_cameras(
    picamera2_info: Callable[[], list[dict[str, Any]]] = _picamera2_info,
    v4l2: Callable[[], tuple[tuple[V4L2Camera, ...], tuple[SourceError, ...]]] = list_v4l2_cameras,
) -> tuple[tuple[Camera, ...], tuple[SourceError, ...]]:
    """Return the cameras that can be opened by name, and why others may be missing.

    USB cameras, which libcamera knows as well, are listed once, as V4L2 devices.
    """
    cameras: list[Camera] = []
    problems: list[SourceError] = []
    try:
        for number, info in enumerate(picamera2_info()):
            if "/usb" not in str(info.get("Id", "")):
                cameras.append(Camera(f"picamera2:{number}", "picamera2", str(info.get("Model", "unnamed"))))
    except CAMERA_ERRORS as error:
        problems.append(explain_camera(error))
    devices, hidden = v4l2()
    cameras += [Camera(device.device, "v4l2", device.name) for device in devices]
    return tuple(cameras), (*problems, *hidden)
