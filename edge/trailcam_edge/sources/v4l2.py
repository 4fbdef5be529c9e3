"""V4L2 devices: list them, and explain why one cannot be opened.

Source: the Linux kernel's userspace API guide, ``VIDIOC_QUERYCAP``.
"""

import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import SourceError

_QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability)
_CAPABILITY = struct.Struct("16s32s32sIII3I")  # driver, card, bus, version, capabilities, device_caps, reserved
_VIDEO_CAPTURE = 0x0000_0001
_VIDEO_CAPTURE_MPLANE = 0x0000_1000
_DEVICE_CAPS = 0x8000_0000
# Drivers of the camera connector, ISP and codec of a Raspberry Pi: they deliver no images directly.
_PI_INTERNAL = re.compile(r"unicam|rp1-cfe|bcm2835|pispbe|rpi-hevc")

_CURE_BUSY = 'Close the other program; "sudo fuser -v {device}" names it.'


@dataclass(frozen=True)
class V4L2Camera:
    """One device that delivers images, with its name and driver."""

    device: str
    name: str
    driver: str


def read_capability(device: Path) -> tuple[str, str, int]:
    """Return driver, name and capability bits of a V4L2 device.

    Raises:
        OSError: it cannot be opened, or is none.
    """
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = fcntl.ioctl(descriptor, _QUERYCAP, bytes(_CAPABILITY.size))
    finally:
        os.close(descriptor)
    driver, card, _, _, capabilities, device_caps, *_ = _CAPABILITY.unpack(answer)
    bits = device_caps if capabilities & _DEVICE_CAPS else capabilities
    return _text(driver), _text(card), bits


def list_v4l2_cameras(
    folder: Path = Path("/dev"), capability: Callable[[Path], tuple[str, str, int]] = read_capability
) -> tuple[tuple[V4L2Camera, ...], tuple[SourceError, ...]]:
    """Return the V4L2 cameras of this machine, and an error for each device that cannot be queried.

    Devices of the camera path of a Raspberry Pi are left out: those cameras are used through Picamera2.
    """
    found, problems = [], []
    for device in sorted(folder.glob("video*"), key=_number):
        if _number(device) < 0:
            continue
        try:
            driver, name, bits = capability(device)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.ENODEV, errno.EINVAL):
                problems.append(_explain(str(device), error))
            continue
        if bits & (_VIDEO_CAPTURE | _VIDEO_CAPTURE_MPLANE) and not _PI_INTERNAL.search(driver):
            found.append(V4L2Camera(str(device), name, driver))
    return tuple(found), tuple(problems)


def explain_device(device: str, capability: Callable[[Path], tuple[str, str, int]] = read_capability) -> SourceError:
    """Return the error for a V4L2 device that OpenCV cannot open, with a cure."""
    path = Path(device)
    if not path.exists():
        there = ", ".join(str(item) for item in sorted(path.parent.glob("video*"), key=_number)) or "none"
        return SourceError(
            f'{device}: no such camera (there are: {there}). Plug it in, or see "trailcam cameras" for what is there.'
        )
    try:
        driver, name, bits = capability(path)
    except OSError as error:
        return _explain(device, error)
    if _PI_INTERNAL.search(driver):
        return SourceError(
            f'{device}: belongs to the Raspberry Pi\'s own camera path ({driver}). Use "--source picamera2" for it.'
        )
    if not bits & (_VIDEO_CAPTURE | _VIDEO_CAPTURE_MPLANE):
        return SourceError(
            f'{device}: {name} gives no pictures (it is an output or carries metadata). See "trailcam cameras".'
        )
    return SourceError(f"{device}: {name} does not start; most often it is busy. {_CURE_BUSY.format(device=device)}")


def _explain(device: str, error: OSError) -> SourceError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceError(
            f'{device}: permission denied. Run "sudo usermod -aG video $USER", then log out and in again.'
        )
    if error.errno == errno.EBUSY:
        return SourceError(f"{device}: busy. {_CURE_BUSY.format(device=device)}")
    if error.errno in (errno.ENOTTY, errno.EINVAL):
        return SourceError(f'{device}: not a camera. See "trailcam cameras" for what is there.')
    return SourceError(f"{device}: cannot be opened ({error.strerror}). Unplug the camera and plug it in again.")


def _number(device: Path) -> int:
    digits = device.name.removeprefix("video")
    return int(digits) if digits.isdigit() else -1


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "replace")
