"""``trailcam watch`` as a process with everything that issues events, a mosquitto and a service that hear them."""

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from trailcam_project.experiments.page_people import TOKEN, get

_CONFIG = """
[camera]
source = "{source}"
[motion]
enabled = {motion}
[visits]
cool_down_s = 3
[store]
folder = "{folder}/store"
min_free_bytes = 0
max_bytes = 8_000_000_000
[sinks.mqtt]
host = "127.0.0.1"
port = {broker}
camera_id = "oak"
pictures = true
events = ["opened", "updated", "closed"]
{notify}[live]
address = "127.0.0.1:{port}"
token_file = "{folder}/token"
"""
_MESSAGES = """
[notify.phone]
addresses = ["json://127.0.0.1:{messages}"]
"""
_DEAD = """
[notify.refuses]
addresses = ["json://127.0.0.1:9"]
[notify.hangs]
addresses = ["json://127.0.0.1:{silent}"]
"""


@dataclass(frozen=True)
class Place:
    """The folder of a camera, with the address of its source and the ports around it.

    ``motion`` classifies what moves, not whole frames; ``silent`` is a port that connects and never answers,
    ``messages`` one of a service that answers, ``port`` that of the page.
    """

    folder: Path
    source: str
    motion: bool
    broker: int
    silent: int
    messages: int
    port: int


def write_config(place: Place, dead: bool) -> None:
    """Write the configuration and the token; ``dead``: also with two notify addresses that are dead."""
    values = {name: getattr(place, name) for name in ("source", "folder", "broker", "silent", "messages", "port")}
    notify = _MESSAGES + (_DEAD if dead else "")
    text = _CONFIG.replace("{notify}", notify).format(motion=str(place.motion).lower(), **values)
    for name, content in (("token", TOKEN), ("trailcam.toml", text)):
        (place.folder / name).write_text(content, encoding="utf-8")
        (place.folder / name).chmod(0o600)


class Camera:
    """``trailcam watch`` as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(folder / "trailcam.toml"), "--visits"]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._log)
        self._proc = Path(f"/proc/{self._process.pid}")
        self._port = port
        self._most = {"pss_mb": 0.0, "private_mb": 0.0, "senders_pss_mb": 0.0}
        self._ending = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def wait(self) -> None:
        """Wait for the first frame.

        Raises:
            TimeoutError: there is none after a minute.
        """
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s:
            try:
                if self._frames() > 0:
                    self._sampler.start()
                    return
            except OSError:
                pass  # no page yet
            time.sleep(0.5)
        raise TimeoutError("no frame of the camera after a minute")

    def close(self) -> None:
        """End it."""
        self._ending.set()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._log.close()

    def reload(self) -> None:
        """Let it read the configuration again, with sources and sinks opened anew; wait for its first frame."""
        before = self._frames()
        self._process.send_signal(signal.SIGHUP)
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s:
            with suppress(OSError, http.client.HTTPException):
                if 0 < self._frames() < before:
                    return
            time.sleep(0.1)
        raise TimeoutError("no frame after a reload")

    def memory(self) -> dict[str, float]:
        """Return the peak of resident memory, and the largest of the samples of each second, in MB.

        ``pss_mb`` counts a page that n processes share as 1/n, ``private_mb`` only those of no other process;
        ``senders_pss_mb`` is that of the processes with Apprise.
        """
        peak_mb = round(_kilobytes(self._proc / "status", "VmHWM") * 1024 / 1e6, 1)
        return {"peak_mb": peak_mb} | {name: round(size_mb, 1) for name, size_mb in self._most.items()}

    def moment(self) -> tuple[float, int]:
        """Return when the newest frame came, and its number: waits for the next one."""
        before = self._frames()
        while (frames := self._frames()) == before:
            time.sleep(0.01)
        return time.monotonic(), frames

    def threads(self) -> dict[str, int]:
        """Return the processor time of every thread in ns."""
        found = {}
        for task in (self._proc / "task").iterdir():
            try:
                found[task.name] = int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue  # it has ended
        return found

    def processor_s(self) -> float:
        """Return the processor time of all threads so far."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def _frames(self) -> int:
        text = get(http.client.HTTPConnection("127.0.0.1", self._port, 20), "/metrics")[1].decode()
        found = re.search(r"^trailcam_frames_total (\S+)", text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def _sample(self) -> None:
        while not self._ending.wait(1.0):
            rollup = self._proc / "smaps_rollup"
            private = sum(_kilobytes(rollup, name) for name in ("Private_Clean", "Private_Dirty"))
            senders = sum(_kilobytes(Path(f"/proc/{number}/smaps_rollup"), "Pss") for number in self._children())
            for name, size in (
                ("pss_mb", _kilobytes(rollup, "Pss")),
                ("private_mb", private),
                ("senders_pss_mb", senders),
            ):
                self._most[name] = max(self._most[name], size * 1024 / 1e6)

    def _children(self) -> list[str]:
        found: list[str] = []
        with suppress(OSError):  # a thread that has ended
            for task in (self._proc / "task").iterdir():
                found += (task / "children").read_text().split()
        return found


def _kilobytes(path: Path, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return 0  # it has ended
    return int(found[1]) if found else 0


@contextmanager
def run_broker(folder: Path, port: int) -> Iterator[list[tuple[str, float]]]:
    """Run a mosquitto; give the labels of visits that open, and when they were heard."""
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.enums import CallbackAPIVersion

    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    heard: list[tuple[str, float]] = []

    def note(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        if event["event"] == "opened":
            heard.append((event["label"], time.monotonic()))

    listener = Client(CallbackAPIVersion.VERSION2)
    listener.on_connect = lambda client, *_: client.subscribe("trailcam/oak/visit", qos=1)
    listener.on_message = note
    time.sleep(1.0)
    listener.connect("127.0.0.1", port)
    listener.loop_start()
    try:
        yield heard
    finally:
        listener.disconnect()
        listener.loop_stop()
        process.terminate()
        process.wait(10)


class Messages(ThreadingHTTPServer):
    """A service that takes messages of Apprise; ``heard`` has their titles, which are labels, and when they came."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []
        super().__init__(("127.0.0.1", 0), _Message)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Message(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if isinstance(self.server, Messages):
            self.server.heard.append((content["title"], time.monotonic()))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing."""


def free_port() -> int:
    """Return a port of this machine that is free."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
