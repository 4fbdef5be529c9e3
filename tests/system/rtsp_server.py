"""An RTSP camera on GStreamer's own server; run by Debian's Python in the camera root: ``rtsp_server.py PORT``.

It encodes /frames/0.jpg, 1.jpg, ... as H.264, ten a second, each shown for half a second, again and again.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions have to be said first

_PIPELINE = (
    "( multifilesrc location=/frames/%d.jpg index=0 stop-index=45 loop=true caps=image/jpeg,framerate=2/1 ! jpegdec "
    "! videoconvert ! videorate ! video/x-raw,format=I420,framerate=10/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 bitrate=4000 ! rtph264pay name=pay0 pt=96 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(_PIPELINE)
factory.set_shared(True)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print("serving", flush=True)
GLib.MainLoop().run()
