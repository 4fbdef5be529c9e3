"""A stream that crashes OpenCV: the journal has the place, each start goes on, and the camera is not given up."""

import contextlib
import http.server
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.sources import DEMO_FRAMES
from trailcam_edge.store.reader import open_reader

_STARTS = 3
_CONFIG = """
[camera]
source = "http://127.0.0.1:{port}/stream"

[visits]
cool_down_s = 1.0

[recovery]
give_up_s = 8.0
stall_s = 3.0

[store]
folder = "store"
min_free_bytes = 0
"""


class Camera(http.server.ThreadingHTTPServer):
    """A camera that sends a stream which crashes its viewer, and with ``sound`` one of a dog that comes and goes."""

    daemon_threads = True

    def __init__(self, crashing: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.crashing = crashing
        self.sound = threading.Event()
        photograph = cv2.imread(str(DEMO_FRAMES / "dog_1.webp"))
        assert photograph is not None
        dog = cv2.resize(photograph, (640, 480))
        shown = [dog] * 30 + [np.full_like(dog, 120)] * 30  # 3 s each
        self.pictures = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in shown]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Camera

    def do_GET(self) -> None:
        self.send_response(200)
        with contextlib.suppress(OSError):
            if not self.server.sound.is_set():
                self.send_header("Content-Type", "video/x-msvideo")
                self.end_headers()
                self.wfile.write(self.server.crashing)
                return
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            for picture in cycle(self.server.pictures):
                time.sleep(0.1)
                self.wfile.write(b"--b\r\nContent-Type: image/jpeg\r\n")
                self.wfile.write(b"Content-Length: %d\r\n\r\n%b\r\n" % (len(picture), picture))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def camera(shared_data: Path) -> Iterator[Camera]:
    """The camera; its stream crashes OpenCV on most Pythons and runs."""
    with Camera((shared_data / "field" / "clips" / "aborts_opencv.avi").read_bytes()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _start(config: Path, words: Path) -> "subprocess.Popen[bytes]":
    with open(words, "wb") as said:
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(config), "--visits", "--no-motion"]
        return subprocess.Popen(command, stdout=said, stderr=said)


def test_a_stream_that_crashes_opencv_leaves_a_message_at_every_start_and_the_next_one_goes_on(
    camera: Camera, tmp_path: Path
) -> None:
    config, words = tmp_path / "trailcam.toml", tmp_path / "words"
    config.write_text(_CONFIG.format(port=camera.server_address[1]), encoding="utf-8")
    for _ in range(_STARTS):  # as systemd does, without an end
        with _start(config, words) as process:
            status = process.wait(60)
        said = words.read_text(encoding="utf-8")
        if status < 0:  # the decoder's signal
            assert "Fatal Python error: " in said
            assert "opencv_stream.py" in said, "the journal does not name the stream as the cause"
        else:
            assert status == 1
            assert f"http://127.0.0.1:{camera.server_address[1]}/stream" in said
    camera.sound.set()
    process = _start(config, words)
    try:
        deadline = time.monotonic() + 60
        while "visit: " not in words.read_text(encoding="utf-8"):
            assert process.poll() is None, words.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, words.read_text(encoding="utf-8")
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    with open_reader(tmp_path / "store") as reader:
        assert {event.label for event in reader.events()} == {"dog"}


def test_systemd_starts_the_service_again_as_often_as_it_ends() -> None:
    unit = (files("trailcam_edge") / "data" / "trailcam.service").read_text(encoding="utf-8").splitlines()
    assert "StartLimitIntervalSec=0" in unit, "five crashes within ten seconds would end the camera for good"
    assert "Restart=always" in unit
