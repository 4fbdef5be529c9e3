"""What clips cost: memory, processor time and dropped frames of ``trailcam watch``, with and without ``[clips]``.

    python -m trailcam_project.experiments.clips --seconds 100
    python -m trailcam_project.experiments.clips --parts  only the processor time and memory of each part

A network camera of 1920x1080 shows the photographs of the demo in turn, with one animal after the other, so visits
follow each other without a pause. The camera of the measurement classifies whole frames, as nothing moves in them.
Each variant runs in a separate process with a store and the live page; turns follow each other. Memory is the resident
set of the camera at the end and at its peak, and the peak of its encoder processes. Processor time of the encoders is
that of the children that have ended. Processor time is comparable on a busy machine; frame rates and drops are not.
"""

import argparse
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.clips.encoder import Encoder
from trailcam_edge.clips.ring import ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.clips.tap import shrink
from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.sources.folder import demo_pictures
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
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
    camera_mb: float
    camera_peak_mb: float
    encoder_peak_mb: float
    camera_cpu_fraction: float
    encoder_cpu_fraction: float


@dataclass(frozen=True)
class PartsReport:
    """Processor time of the parts, for frames of 1920x1080 and the default settings, and memory."""

    shrink_ms: float
    compress_ms: float
    frame_kb: float
    ring_mb: float
    encoder_s: float
    encoder_peak_mb: float
    clip_frames: int
    clip_kb: float


def measure_parts(pictures: Sequence[bytes]) -> PartsReport:
    """Measure the parts in this process, and one encoder process."""
    settings = ClipSettings()
    images = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) for picture in pictures]
    frames = [Frame(PackedPixels(np.asarray(image, np.uint8), "BGR"), 0.0, 0, "f") for image in images]
    number = round(settings.longest_s * settings.rate_hz)
    start_s = time.process_time()
    small = [shrink(frames[index % len(frames)], settings.longer_side_px) for index in range(number)]
    shrunk_s = time.process_time()
    quality = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    jpegs = [bytes(cv2.imencode(".jpg", image, quality)[1]) for image in small]
    compressed_s = time.process_time()
    clip = [  # one scene that moves a little: photographs in turn would be a video of cuts
        ClipFrame(index / settings.rate_hz, _moved(small[0], index, quality), small[0].shape[1::-1])
        for index in range(number)
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found: list[bytes] = []
    peak = 0
    thread = threading.Thread(target=lambda: found.append(Encoder(settings).encode(clip)))
    thread.start()
    while thread.is_alive():
        peak = max(peak, _peak_of_encoders(os.getpid()))
        time.sleep(_SAMPLE_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    frame_kb = sum(map(len, jpegs)) / number / 1e3
    span_s = settings.longest_s + VisitSettings().vote_age_s + 5.0
    return PartsReport(
        round(1e3 * (shrunk_s - start_s) / number, 2),
        round(1e3 * (compressed_s - shrunk_s) / number, 2),
        round(frame_kb, 1),
        round(span_s * settings.rate_hz * frame_kb / 1e3, 1),
        round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        round(peak / 1e6, 1),
        number,
        round(len(found[0]) / 1e3),
    )


def _moved(image: npt.NDArray[np.uint8], index: int, quality: list[int]) -> bytes:
    """Return a picture with a part of it at another place, as a JPEG."""
    copy, place = image.copy(), 4 * index % 700
    copy[200:400, place : place + 200] = image[100:300, 300:500]
    return bytes(cv2.imencode(".jpg", copy, quality)[1])


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
            resident, camera_peak = _memory_bytes(camera.pid, "VmRSS"), _memory_bytes(camera.pid)
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
            round(resident / 1e6, 1),
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
    """Wait, and return the largest peak of memory of the encoders meanwhile, in bytes."""
    peak, end_s = 0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        peak = max(peak, _peak_of_encoders(pid))
        time.sleep(_SAMPLE_S)
    return peak


def _peak_of_encoders(pid: int) -> int:
    """Return the peak of memory of the encoders that a process runs now."""
    peaks = [0]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            peaks += [_peak_of_encoder(int(child)) for child in task.read_text().split()]
        except OSError:
            continue  # the thread has ended
    return max(peaks)


def _peak_of_encoder(pid: int) -> int:
    """Return the peak of memory of a child, 0 while it is not an encoder yet: a fork has the memory of its parent."""
    try:
        is_encoder = b"encoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0  # it has ended
    return _memory_bytes(pid) if is_encoder else 0


def _memory_bytes(pid: int, name: str = "VmHWM") -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0  # it has ended
    found = re.search(rf"{name}:\s+(\d+) kB", status)
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
    """Print one line of JSON for the parts, and one for each run."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.clips",
        description=(__doc__ or "").replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=90.0, help="of each run (90)")
    parser.add_argument("--parts", action="store_true", help="only the parts")
    parser.add_argument("--rounds", type=int, default=1, help="of both variants (1)")
    options = parser.parse_args(arguments)
    pictures = _pictures()
    print(json.dumps(asdict(measure_parts(pictures))), flush=True)
    if options.parts:
        return
    for _ in range(options.rounds):
        for variant, more in (("without", ""), ("with", _CLIPS)):
            with MjpegServer(in_turn(pictures, _HOLD_S)) as server:  # a new one begins with the first photograph
                print(json.dumps(asdict(measure(variant, server.address, options.seconds, more))), flush=True)


if __name__ == "__main__":
    main()
