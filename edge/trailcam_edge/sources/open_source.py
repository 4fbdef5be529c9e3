"""From what a person writes after ``--source`` to a source."""

import re
from functools import partial
from pathlib import Path

from trailcam_core.errors import SourceError
from trailcam_core.images.decode import IMAGE_SUFFIXES
from trailcam_edge.sources.demo_loop import DEMO_LOOP, DemoLoopSource
from trailcam_edge.sources.folder import DEMO_FRAMES, FolderSource, demo_pictures
from trailcam_edge.sources.frame import OnBadFrame, Source
from trailcam_edge.sources.opencv_stream import network_source, usb_source
from trailcam_edge.sources.orientation import View
from trailcam_edge.sources.picamera import CameraWishes, PicameraSource, open_picamera2
from trailcam_edge.sources.video import VideoSource

__all__ = ["SOURCES", "open_source"]

SOURCES = (
    '"demo" (or "demo:loop", for ever), a folder of pictures, a video file, "picamera2" (or "picamera2:1"), a USB '
    'camera ("0" or /dev/video0), or an rtsp:// or http:// address'
)
_USB = re.compile(r"(?:/dev/video)?([0-9]{1,3})")
_PICAMERA = re.compile(r"picamera2(?::([0-9]))?")
_ADDRESS = re.compile(r"(rtsp|rtsps|http|https)://.+", re.IGNORECASE)


def open_source(
    name: str,
    on_bad_frame: OnBadFrame,
    view: View | None = None,
    wishes: CameraWishes | None = None,
    fast: bool = True,
) -> Source:
    """Open the source that a person named.

    Args:
        name: as on the command line, see ``SOURCES``; a file or folder of that name goes before a device number.
        on_bad_frame: told of each picture of a folder that cannot be read; the rest goes on.
        view: how the camera hangs.
        wishes: what to ask a camera for.
        fast: every frame of a video file as fast as it is taken, rather than at the pace of the recording.

    Raises:
        SourceError: there is no such source, or it cannot be opened.
    """
    wishes = wishes or CameraWishes()
    if name == "demo":
        return FolderSource(DEMO_FRAMES, on_bad_frame, view, demo_pictures())
    if name == DEMO_LOOP:
        return DemoLoopSource(view)
    if camera := _PICAMERA.fullmatch(name):
        return PicameraSource(name, partial(open_picamera2, int(camera[1] or 0)), wishes, view)
    if _ADDRESS.fullmatch(name):
        return network_source(name, view)
    path = Path(name)
    if path.is_dir():
        return FolderSource(path, on_bad_frame, view)
    if path.suffix.lower() in IMAGE_SUFFIXES and path.exists():
        raise SourceError(f'{path}: one picture, not a source of frames. Use "trailcam classify {path}".')
    if path.is_file():
        return VideoSource(path, fast, view)
    if device := _USB.fullmatch(name):
        return usb_source(int(device[1]), wishes.small_size_px, wishes.frame_rate_hz, view)
    if path.exists():
        raise SourceError(f"{path}: a device or pipe, not a source of frames. A source is {SOURCES}.")
    raise SourceError(f"{name}: no such folder or video. A source is {SOURCES}.")
