"""What the live page costs, beside ``trailcam watch`` with a large store, MQTT and a dead notify address.

    python -m trailcam_project.experiments.live_page
    python -m trailcam_project.experiments.live_page --motion --seconds 5  memory with the motion regions of the default

One run of five minutes. A network camera of 1920x1080 shows one animal after the other; the program classifies whole
frames, keeps a store with 100,000 visits, publishes to a mosquitto and notifies an address that refuses and one that
never answers. One line of JSON follows another:

memory      peak resident memory and largest share (PSS) of ``watch`` after a browser has looked, and at the end
weight      bytes of the first view of a browser of 390 px with an empty cache: encoded bytes with headers, every
            address once. So one live picture counts, and its ``blob:`` copy does not.
request     20 requests each, on one connection: wall time from outside, processor time of the thread that answers
rate        frames per second in turns: without viewers, and with ten that look as people do
opened      age of the MQTT message: since the camera sent the first frame of the animal, and the third that can vote

Needs mosquitto and paho-mqtt; without Playwright and Chromium there is no browser. The machine should be idle.
"""

import argparse
import http.client
import json
import math
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_project.experiments.large_store import LABELS, make_large_store
from trailcam_project.experiments.mjpeg_server import MjpegServer
from trailcam_project.experiments.page_people import LOGIN, TOKEN, Person, Scene, get

_RATE_HZ = 5.0
_VIEWERS, _ROUNDS, _REQUESTS = 10, 3, 20
_BROWSER_S = 20.0
_T_97_5 = 4.303  # Student's t with 2 degrees of freedom
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


def measure_weight(port: int, seconds: float) -> dict[str, object] | None:
    """Return the bytes of first views, after a browser has looked at the current picture for a while."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        program = None
    if program is None:
        return None
    found: dict[str, object] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, path in (("visits", "/visits"), ("now", "/")):
            context = browser.new_context(viewport={"width": 390, "height": 844}, extra_http_headers=LOGIN)
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable")
            addresses: dict[str, str] = {}
            weights: dict[str, int] = {}
            session.on("Network.requestWillBeSent", _note_address(addresses))
            session.on("Network.loadingFinished", _note_weight(addresses, weights))
            page.goto(f"http://127.0.0.1:{port}{path}", wait_until="load")
            page.wait_for_timeout(4000)  # the script has asked for status, last visits and their pictures
            found[f"{name}_kb"] = round(sum(weights.values()) / 1e3, 1)
            found[f"{name}_parts"] = {
                part: f"{sum(map(part.__eq__, map(_part, weights)))}: {weight / 1e3:.1f} kB"
                for part in sorted(set(map(_part, weights)))
                for weight in [sum(weights[path] for path in weights if _part(path) == part)]
            }
            if name == "now":
                page.wait_for_timeout(1000 * seconds)
            context.close()
        browser.close()
    return found


def _part(path: str) -> str:
    return re.sub(r"(thumbs|assets)/.*", r"\1", path)


def _note_address(addresses: dict[str, str]) -> Callable[[dict[str, Any]], None]:
    def note(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    return note


def _note_weight(addresses: dict[str, str], weights: dict[str, int]) -> Callable[[dict[str, Any]], None]:
    def note(event: dict[str, Any]) -> None:
        address = urlsplit(addresses.get(event["requestId"], "blob:"))
        if address.scheme == "http":
            weights.setdefault(address.path, int(event["encodedDataLength"]))

    return note


def measure_requests(camera: Camera, port: int, visit_id: str) -> None:
    """Print the cost of pages, each of 20 requests."""
    day = date.today() - timedelta(days=365)
    pages = {
        "visit list": "/visits",
        "label, day and confidence": f"/visits?label={LABELS[1]}&day={day}&confidence=90",
        "label and confidence": f"/visits?label={LABELS[1]}&confidence=95",
        "not reviewed": "/visits?review=no",
        "species": "/species",
        "calendar": "/calendar",
        "calendar, a year ago": f"/calendar?month={day:%Y-%m}",
        "one visit": f"/visits/{visit_id}",
    }
    for name, path in pages.items():
        before = camera.threads()
        connection, wall_ms, processor_ms = http.client.HTTPConnection("127.0.0.1", port, 20), [], []
        for _ in range(_REQUESTS):
            start_s = time.monotonic()
            answer, content = get(connection, path)
            wall_ms.append(1e3 * (time.monotonic() - start_s))
            own = sum(time_ns for thread, time_ns in camera.threads().items() if thread not in before)
            processor_ms.append(own / 1e6 - sum(processor_ms))
        connection.close()
        _print(
            "request",
            page=name,
            status=answer.status,
            kb=round(len(content) / 1e3, 1),
            wall_median_ms=round(statistics.median(wall_ms), 1),
            wall_worst_ms=round(max(wall_ms), 1),
            processor_median_ms=round(statistics.median(processor_ms), 1),
            processor_worst_ms=round(max(processor_ms), 1),
        )


def measure_rate(camera: Camera, port: int, seconds: float) -> None:
    """Print the frame rate of windows in turns, and the mean ratio with its interval."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    for watched in (False, True) * _ROUNDS:
        people = [Person(port, number) for number in range(_VIEWERS)] if watched else []
        time.sleep(1.0)
        (start_s, first), start_cpu_s = camera.moment(), camera.processor_s()
        time.sleep(seconds)
        (end_s, last), end_cpu_s = camera.moment(), camera.processor_s()
        for person in people:
            person.close()
        rates[watched].append((last - first) / (end_s - start_s))
        _print(
            "window",
            viewers=len(people),
            frames_per_s=round(rates[watched][-1], 3),
            processor_fraction=round((end_cpu_s - start_cpu_s) / (end_s - start_s), 3),
            pictures=sum(person.pictures for person in people),
            lists=sum(person.lists for person in people),
            refused=sum(person.refused for person in people),
        )
    ratios = [with_ / without for without, with_ in zip(rates[False], rates[True], strict=True)]
    spread = _T_97_5 * statistics.stdev(ratios) / math.sqrt(_ROUNDS)
    _print("rate", ratio=round(statistics.mean(ratios), 4), plus_minus=round(spread, 4))


def _print(what: str, **figures: object) -> None:
    print(json.dumps({"what": what} | figures), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all of it and print one line of JSON for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=100_000, help="in the store, a multiple of 200 (100000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each window (30)")
    parser.add_argument("--motion", action="store_true", help="classify what moves, as by default")
    options = parser.parse_args(arguments)
    scene = Scene()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        make_large_store(folder / "store", options.visits, scene.pictures, 400, 100)
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # connects, and never answers
        broker, port = _free_port(), _free_port()
        heard = stack.enter_context(_broker(folder, broker))
        server = stack.enter_context(MjpegServer(scene.frames, _RATE_HZ))
        token = folder / "token"
        token.write_text(TOKEN, encoding="utf-8")
        token.chmod(0o600)
        config = _CONFIG.format(
            source=server.address,
            motion=str(options.motion).lower(),
            folder=folder,
            broker=broker,
            silent=silent.getsockname()[1],
            port=port,
        )
        (folder / "trailcam.toml").write_text(config, encoding="utf-8")
        (folder / "trailcam.toml").chmod(0o600)
        camera = Camera(folder, port)
        try:
            camera.wait()
            time.sleep(15)
            _print("weight", **(measure_weight(port, _BROWSER_S) or {"skipped": "no browser"}))
            _print("memory", after="a browser", **camera.memory())
            with closing(sqlite3.connect(folder / "store" / DATABASE_FILE)) as reader:
                (visit_id,) = reader.execute("SELECT visit_id FROM visits WHERE event_id = 99").fetchone()
            measure_requests(camera, port, visit_id)
            measure_rate(camera, port, options.seconds)
            _print("memory", after="ten viewers", **camera.memory())
        finally:
            camera.close()
        found = [ages for label, at_s in heard if (ages := scene.ages(label, at_s)) is not None]
        for name, ages_s in zip(("since_first_frame", "since_third_vote"), zip(*found, strict=True), strict=False):
            _print(
                "opened", **{name: len(ages_s), "median_s": round(statistics.median(ages_s), 3)}, worst_s=max(ages_s)
            )
        print((folder / "log").read_text(encoding="utf-8")[-2000:], file=sys.stderr)


@contextmanager
def _broker(folder: Path, port: int) -> Iterator[list[tuple[str, float]]]:
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
