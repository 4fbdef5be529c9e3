"""Open the frame source that ``--source`` names."""

import re
from functools import partial
from pathlib import Path

from trailcam_core.errors import SourceError, reason_of
from trailcam_core.errors.command_line import command_line
from trailcam_core.images.decode import IMAGE_SUFFIXES
from trailcam_core.network.secrets import encoding_hint, mask_address
from trailcam_edge.sources.demo_loop import DEMO_LOOP, DemoLoopSource
from trailcam_edge.sources.folder import DEMO_FRAMES, FolderSource, demo_pictures
from trailcam_edge.sources.frame import OnBadFrame, Source
from trailcam_edge.sources.opencv_stream import network_source, usb_source
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.picamera import PicameraSource, open_picamera2
from trailcam_edge.sources.stream_config import StreamConfig
from trailcam_edge.sources.video import VideoSource

SOURCES = (
    '"demo" (or "demo:loop", endless), a folder of pictures, a video file, "picamera2" (or "picamera2:1"), a USB '
    'camera ("0" or /dev/video0), or an rtsp:// or http:// address'
)
_USB = re.compile(r"(?:/dev/video)?([0-9]{1,3})")
_PICAMERA = re.compile(r"picamera2(?::([0-9]))?")
_ADDRESS = re.compile(r"(rtsp|rtsps|http|https)://.+", re.IGNORECASE)


def open_source(
    name: str,
    on_bad_frame: OnBadFrame,
    orientation: Orientation | None = None,
    stream: StreamConfig | None = None,
    fast: bool = True,
    stall_s: float = 5.0,
) -> Source:
    """Open a frame source by its name.

    Args:
        name: as on the command line, see ``SOURCES``; an existing file or folder takes precedence over a device number.
        on_bad_frame: called with the error of each unreadable image of a folder or frame of a video; reading continues.
        orientation: mounting orientation of the camera.
        stream: sizes, frame rate and focus to request from a camera.
        fast: read every frame of a video file without keeping the pace of the recording.
        stall_s: seconds without a frame after which a Raspberry Pi camera counts as lost.

    Raises:
        SourceError: there is no such source, or it cannot be opened.
    """
    stream = stream or StreamConfig()
    if not name.strip():
        raise SourceError(f"The name of the source is empty. A source is {SOURCES}.")
    if name == "demo":
        return FolderSource(DEMO_FRAMES, on_bad_frame, orientation, demo_pictures())
    if name == DEMO_LOOP:
        return DemoLoopSource(orientation)
    if camera := _PICAMERA.fullmatch(name):
        return PicameraSource(name, partial(open_picamera2, int(camera[1] or 0)), stream, orientation, stall_s)
    if _ADDRESS.fullmatch(name):
        return network_source(name, orientation)
    return _open_path(name, on_bad_frame, orientation, stream, fast)


def _open_path(
    name: str, on_bad_frame: OnBadFrame, orientation: Orientation | None, stream: StreamConfig, fast: bool
) -> Source:
    """Open what exists at a path, or the USB camera of a number."""
    path = Path(name)
    try:
        is_folder, is_file, exists = path.is_dir(), path.is_file(), path.exists()
    except OSError as error:  # a folder above it is forbidden, or the name is too long to be one
        raise SourceError(
            f"{mask_address(name)}: cannot be read ({reason_of(error)}). Check the path and the permissions."
        ) from error
    if is_folder:
        return FolderSource(path, on_bad_frame, orientation)
    if path.suffix.lower() in IMAGE_SUFFIXES and exists:
        raise SourceError(f'{path}: one picture, not a source of frames. Use "{command_line("classify", path)}".')
    if is_file:
        return VideoSource(path, fast, orientation, on_bad_frame=on_bad_frame)
    if device := _USB.fullmatch(name):
        return usb_source(int(device[1]), stream.picture_size_px, stream.frame_rate_hz, orientation)
    if exists:
        raise SourceError(f"{path}: a device or pipe, not a source of frames. A source is {SOURCES}.")
    raise SourceError(f"{mask_address(name)}: no such folder or video. A source is {SOURCES}.{encoding_hint(name)}")
