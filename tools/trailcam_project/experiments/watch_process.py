"""``trailcam watch`` as a process with everything that issues events, and a mosquitto that hears them."""

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
from contextlib import contextmanager
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
[notify.refuses]
addresses = ["json://127.0.0.1:9"]
[notify.hangs]
addresses = ["json://127.0.0.1:{silent}"]
[live]
address = "127.0.0.1:{port}"
token_file = "{folder}/token"
"""


def write_config(folder: Path, source: str, motion: bool, broker: int, silent: int, port: int) -> None:
    """Write the configuration and the token into a folder.

    Args:
        folder: has the store.
        source: address of the camera.
        motion: classify what moves, not whole frames.
        broker: port of mosquitto.
        silent: port that connects and never answers.
        port: of the page.
    """
    values = {"source": source, "folder": folder, "broker": broker, "silent": silent, "port": port}
    for name, text in (("token", TOKEN), ("trailcam.toml", _CONFIG.format(motion=str(motion).lower(), **values))):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)


class Camera:
    """``trailcam watch`` as a process."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-m", "trailcam", "watch", "--config", str(folder / "trailcam.toml"), "--visits"]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._log)
        self._proc = Path(f"/proc/{self._process.pid}")
        self._port = port
        self._pss_bytes = 0
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

    def memory(self) -> dict[str, float]:
        """Return peak and largest share so far, in MB."""
        return {
            "peak_mb": round(_kilobytes(self._proc / "status", "VmHWM") * 1024 / 1e6, 1),
            "pss_mb": round(self._pss_bytes / 1e6, 1),
        }

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
            self._pss_bytes = max(self._pss_bytes, _kilobytes(self._proc / "smaps_rollup", "Pss") * 1024)


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


def free_port() -> int:
    """Return a port of this machine that is free."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
