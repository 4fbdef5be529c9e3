"""Rehearse network cameras: RTSP from GStreamer's server, Motion JPEG over HTTP; each is killed and comes back.

Run as root: ``python tests/system/system_test_streams.py``, or ``make system TEST=streams``.
"""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import recipes
import roots
from checks import LACKING, Checks
from demo_frames import write_jpegs

from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_edge.camera.settings import CameraSettings, RecoverySettings
from trailcam_edge.events import BlindTime, Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import open_configured, watch
from trailcam_edge.recognition.settings import LoopSettings, VisitSettings
from trailcam_edge.regions import RegionSettings
from trailcam_project.experiments.mjpeg_server import MjpegServer, in_turn

_DOWN_S = 6.0  # how long the server is away
_LONGEST_S = 120.0  # of a rehearsal of one server

Serve = Callable[[], AbstractContextManager[object]]


def main() -> int:
    """Rehearse; return the exit code."""
    roots.require()
    checks = Checks()
    root = roots.cached(recipes.CAMERA)
    with roots.scratch_folder() as scratch:
        labels = write_jpegs(scratch / "frames")
        animals = {label for label in labels if label is not None}
        port = _free_port()
        _rehearse(checks, "RTSP", f"rtsp://127.0.0.1:{port}/camera", lambda: _rtsp(root, scratch, port), animals)
        port = _free_port()
        pictures = [(scratch / "frames" / f"{number}.jpg").read_bytes() for number in range(len(labels))]

        def mjpeg() -> MjpegServer:
            return MjpegServer(in_turn(pictures, hold_s=0.5), address=("127.0.0.1", port))

        _rehearse(checks, "MJPEG", f"http://127.0.0.1:{port}/", mjpeg, animals)
    return checks.finish("system test streams")


def _rehearse(checks: Checks, name: str, address: str, serve: Serve, animals: set[str]) -> None:
    """Watch a server until visits came; kill it for ``_DOWN_S``; watch until visits come again."""
    settings = LoopSettings(
        CameraSettings(source=address),
        RecoverySettings(stall_s=2.0, first_wait_s=0.5, longest_wait_s=4.0, give_up_s=60.0),
        motion=RegionSettings(enabled=False),  # the server shows photographs: nothing moves in them
        visits=VisitSettings(cool_down_s=1.0),
    )
    stop, messages = threading.Event(), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("trailcam_edge")
    logger.setLevel(logging.INFO)  # "the source is back."
    logger.addHandler(handler)
    visits, blind, ages_ms, seen = list[Visit](), list[BlindTime](), list[float](), Counter[str]()
    deadline_s = time.monotonic() + _LONGEST_S
    server = _Server(serve)
    server.start()
    server.up.wait()
    visits_before = None
    try:
        for event in watch(_opener(settings), Classifier.open(), settings, stop):
            if isinstance(event, Visit):
                visits.append(event)
            elif isinstance(event, BlindTime):
                blind.append(event)
            elif isinstance(event, FrameResult):
                ages_ms.append(event.age_ms)
                seen[event.outcome or ""] += 1
            if visits_before is None and len(visits) >= 3:
                visits_before = len(visits)
                server.dies.set()
            went_on = visits_before is not None and len(visits) >= visits_before + 3
            if (blind and went_on) or time.monotonic() > deadline_s:
                stop.set()
    except SourceError as error:
        checks.check(f"{name}: the watch goes on", False, error)
    finally:
        server.end()
    checks.check(f"{name}: visits before and after the server was killed", len(visits) >= 6, [v.label for v in visits])
    checks.check(f"{name}: only animals that are there", {v.label for v in visits} <= animals, dict(seen))
    waits = [message.rpartition(" in ")[2].rstrip(".") for message in messages if "again in" in message]
    checks.check(
        f"{name}: opened again with longer and longer waits", len(waits) >= 2 and "is back" in " ".join(messages), waits
    )
    seconds = [item.ended.monotonic_s - item.started.monotonic_s for item in blind]
    holds = len(blind) == 1 and _DOWN_S - 1 <= seconds[0] <= _DOWN_S + 20
    checks.check(f"{name}: the blind time is counted", holds, [f"{s:.1f} s of {_DOWN_S:g}" for s in seconds])
    ages_ms.sort()
    p99 = ages_ms[len(ages_ms) * 99 // 100] if ages_ms else 0.0
    checks.figure(f"{name}: age of the answered frame after it arrived", f"p99 {p99:.0f} ms of {len(ages_ms)} frames")


class _Server(threading.Thread):
    """Serves until it ``dies``, is away for ``_DOWN_S``, serves again; in one thread, as its programs end with that."""

    def __init__(self, serve: Serve) -> None:
        super().__init__(daemon=True)
        self._serve = serve
        self._over = threading.Event()
        self.up, self.dies = threading.Event(), threading.Event()

    def run(self) -> None:
        with self._serve():
            self.up.set()
            self.dies.wait()
        if not self._over.wait(_DOWN_S):
            with self._serve():
                self._over.wait()

    def end(self) -> None:
        self._over.set()
        self.dies.set()
        self.join(10)


def _opener(settings: LoopSettings) -> Callable[[], object]:
    return lambda: open_configured(settings, lambda error: None)


@contextmanager
def _rtsp(root: Path, scratch: Path, port: int) -> Iterator[None]:
    binds = [(roots.HERE, "/rig"), (scratch / "frames", "/frames")]
    command = ["/usr/bin/python3", "/rig/rtsp_server.py", str(port)]
    server = subprocess.Popen(roots.entered(root, command, scratch / "overlay", binds), stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        yield
    finally:
        server.kill()  # --kill-child takes the server along: no goodbye to its viewers, as a power cut
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.CannotRehearseError as error:
        print(f"system test streams: {error}", file=sys.stderr)
        sys.exit(LACKING)
    except KeyboardInterrupt:
        sys.exit(130)
