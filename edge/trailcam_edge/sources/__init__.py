"""Sources of frames behind one protocol: folders, videos, cameras, network streams, the built-in demo.

    open_source("demo" | FOLDER | VIDEO | "0" | "/dev/video0" | "picamera2" | "rtsp://..." | "http://...")

A source is a context manager; ``frames`` yields until it ends. ``frame`` has the record of a frame, ``pixels`` the
memory layouts. A lost source raises; ``trailcam_edge.camera.capture_thread`` reopens it.
"""

from trailcam_edge.sources.folder import DEMO_FRAMES, FolderSource, demo_pictures, list_pictures
from trailcam_edge.sources.frame import Delivery, Frame, OnBadFrame, Source
from trailcam_edge.sources.open_source import open_source
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.stream_config import StreamConfig
from trailcam_edge.sources.video import VideoSource

__all__ = [
    "DEMO_FRAMES",
    "Delivery",
    "FolderSource",
    "Frame",
    "OnBadFrame",
    "Orientation",
    "Source",
    "StreamConfig",
    "VideoSource",
    "demo_pictures",
    "list_pictures",
    "open_source",
]
