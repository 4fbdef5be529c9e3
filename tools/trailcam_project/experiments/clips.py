"""What clips cost: memory, processor time and dropped frames of ``trailcam watch``, with and without ``[clips]``.

    python -m trailcam_project.experiments.clips --seconds 90

A network camera of 1920x1080 shows the photographs of the demo in turn, with one animal after the other, so visits
follow each other without a pause. The camera of the measurement classifies whole frames, as nothing moves in them.
Each variant runs in a separate process with a store and the live page; turns follow each other. Memory is the peak
of the resident set (VmHWM), of the camera and of its encoder processes. Processor time of the encoders is that of the
children that have ended. Processor time is comparable on a busy machine; frame rates and drops are not.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from trailcam_edge.sources.folder import demo_pictures
from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

_HOLD_S = 6.0  # of each photograph
_SAMPLE_S = 0.02  # an encoder lives for a second
_WARMUP_S = 15.0
_START_S = 120.0
_END_S = 60.0
_CLIPS = "[clips]\n"
_CONFIG = """
[camera]
source = "{source}"
[motion]
enabled = false
[watch]
rate_hz = 5
[visits]
cool_down_s = 3
[store]
folder = "{folder}"
min_free_bytes = 0
[live]
address = "127.0.0.1:{port}"
"""


@dataclass(frozen=True)
class CostReport:
    """Figures of one run; processor time in s for each second, encoder figures 0 without clips."""

    variant: str
    seconds: float
    frames: int
    dropped: int
    visits: int
    clips: int
    clip_bytes: int
    camera_peak_mb: float
    encoder_peak_mb: float
    camera_cpu_fraction: float
    encoder_cpu_fraction: float


def measure(variant: str, source: str, seconds: float, more: str) -> CostReport:
    """Run one variant.

    Args:
        variant: its name.
        source: address of the camera.
        seconds: duration after the start.
        more: lines for the configuration.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place) / "store", _free_port()
        config = Path(place) / "trailcam.toml"
        config.write_text(_CONFIG.format(source=source, folder=folder, port=port) + more, encoding="utf-8")
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(config), "--visits"]
        camera = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_until_ready(port)
            _sample(camera.pid, _WARMUP_S)
            before, start_s = _metrics(port), time.monotonic()
            own_s, children_s = _cpu_s(camera.pid)
            encoder_peak = _sample(camera.pid, seconds)
            after, took_s = _metrics(port), time.monotonic() - start_s
            own_end_s, children_end_s = _cpu_s(camera.pid)
            camera_peak = _peak_bytes(camera.pid)
        finally:
            camera.send_signal(signal.SIGTERM)
            camera.wait(_END_S)
        clips = [path.stat().st_size for path in (folder / "clips").glob("*.mp4")]
        return CostReport(
            variant,
            round(took_s, 1),
            after["frames"] - before["frames"],
            after["frames_dropped"] - before["frames_dropped"],
            len(list((folder / "pictures").glob("*.jpg"))),
            len(clips),
            sum(clips) // max(1, len(clips)),
            round(camera_peak / 1e6, 1),
            round(encoder_peak / 1e6, 1),
            round((own_end_s - own_s) / took_s, 3),
            round((children_end_s - children_s) / took_s, 3),
        )


def _wait_until_ready(port: int) -> None:
    """Wait for the live page and the first frames.

    Raises:
        OSError: there is no page after two minutes.
    """
    end_s = time.monotonic() + _START_S
    while True:
        try:
            if _metrics(port)["frames"] > 0:
                return
        except OSError:
            if time.monotonic() > end_s:
                raise
        time.sleep(1.0)


def _sample(pid: int, seconds: float) -> int:
    """Wait, and return the largest peak of memory of the children meanwhile, in bytes."""
    peak, end_s = 0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                peak = max(peak, *(_peak_of_encoder(int(child)) for child in task.read_text().split()), 0)
            except OSError:
                continue  # the thread has ended
        time.sleep(_SAMPLE_S)
    return peak


def _peak_of_encoder(pid: int) -> int:
    """Return the peak of memory of a child, 0 while it is not an encoder yet: a fork has the memory of its parent."""
    try:
        is_encoder = b"encoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0  # it has ended
    return _peak_bytes(pid) if is_encoder else 0


def _peak_bytes(pid: int) -> int:
    try:
        found = re.search(
            r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        )
    except OSError:
        return 0  # it has ended
    return int(found[1]) * 1024 if found else 0


def _cpu_s(pid: int) -> tuple[float, float]:
    """Return the processor time of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system, child_user, child_system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15])
    return user + system, child_user + child_system


def _metrics(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {name: int(float(value)) for name, value in re.findall(r"^trailcam_(\w+)_total (\S+)", text, re.MULTILINE)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _pictures() -> list[bytes]:
    """Return the photographs of the demo as JPEG of 1920x1080."""
    images = (cv2.imread(str(path)) for path in demo_pictures())
    return [bytes(cv2.imencode(".jpg", cv2.resize(image, (1920, 1080)))[1]) for image in images if image is not None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line of JSON for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90.0, help="of each run (90)")
    parser.add_argument("--rounds", type=int, default=1, help="of both variants (1)")
    options = parser.parse_args(arguments)
    with MjpegServer(in_turn(_pictures(), _HOLD_S)) as server:
        for _ in range(options.rounds):
            for variant, more in (("without", ""), ("with", _CLIPS)):
                print(json.dumps(asdict(measure(variant, server.address, options.seconds, more))), flush=True)


if __name__ == "__main__":
    main()
