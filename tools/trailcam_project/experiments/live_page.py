"""What the live page costs, beside ``trailcam watch`` with a large store, MQTT and a dead notify address.

    python -m trailcam_project.experiments.live_page
    python -m trailcam_project.experiments.live_page --seconds 0 --motion  memory with motion regions
    python -m trailcam_project.experiments.live_page --seconds 0 --height 720  memory with smaller frames

One run of 7.5 minutes, or of 2. A network camera of 1920x1080 shows one animal after the other; the program
classifies whole frames, keeps a store with 100,000 visits of which all but 100 are reviewed, publishes to a mosquitto
and notifies a service that answers, an address that refuses and one that never answers. One line of JSON follows
another:

apprise     time to start the process with Apprise, of the first message and of the next ones
memory      peak resident memory of ``watch``, its largest share (PSS) and private part, that of the senders: after a
            browser has looked, after ten viewers, and at the end
weight      bytes of the first view of a browser of 390 px with an empty cache: encoded bytes with headers, every
            address once. So one live picture counts, and its ``blob:`` copy does not.
request     20 requests each, on one connection: wall time from outside, processor time of the thread that answers
rate        frames per second in turns, each for one animal and the empty scene after it: without viewers and dead
            addresses, and with ten that look as people do and the two dead addresses; the configuration is reloaded
opened      age of the MQTT message: since the camera sent the first frame of the animal, and the third that can vote
message     the same of the message that Apprise sends

Needs mosquitto and paho-mqtt; without Playwright and Chromium there is no browser. The machine should be idle.
"""

import argparse
import http.client
import itertools
import json
import math
import re
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.picture import Attachments
from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_project.experiments.large_store import LABELS, make_large_store
from trailcam_project.experiments.mjpeg_server import MjpegServer
from trailcam_project.experiments.page_people import LOGIN, Crowd, Scene, get
from trailcam_project.experiments.watch_process import (
    Camera,
    Messages,
    Place,
    free_port,
    run_broker,
    write_config,
)

_RATE_HZ = 5.0
_VIEWERS, _ROUNDS, _REQUESTS = 10, 8, 20
_BROWSER_S = 20.0
_T_97_5 = 2.365  # Student's t with 7 degrees of freedom


def measure_weight(port: int, seconds: float) -> dict[str, object] | None:
    """Return the bytes of first views, after a browser has watched the current picture for a while."""
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
            page.set_default_timeout(120_000)  # also on a busy machine
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
        connection = http.client.HTTPConnection("127.0.0.1", port, 20)
        wall_ms: list[float] = []
        processor_ms: list[float] = []
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


def measure_apprise(address: str) -> None:
    """Print how long a process with Apprise takes to start, and to send to an address."""
    client = AppriseClient(20.0)
    try:
        moments = [time.monotonic()]
        client.load()
        for _ in range(6):
            moments.append(time.monotonic())
            client.send(address, "none", "a message", Attachments())
        moments.append(time.monotonic())
    finally:
        client.close()
    start_s, first_s, *next_s = (end - begin for begin, end in itertools.pairwise(moments))
    _print("apprise", start_s=round(start_s, 3), first_s=round(first_s, 3), next_s=round(statistics.median(next_s), 3))


def measure_rate(camera: Camera, scene: Scene, place: Place, seconds: float) -> None:
    """Print the frame rate of windows in turns, and the mean ratio with its interval."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    for loaded in (False, True) * _ROUNDS:
        write_config(place, dead=loaded)
        reload_s = time.monotonic()
        camera.reload()
        scene.blind.append((reload_s, time.monotonic() + 1.0))
        crowd = Crowd(place.port, _VIEWERS) if loaded else None
        time.sleep(1.0)
        (start_s, first), start_cpu_s, first_sent = camera.moment(), camera.processor_s(), scene.count
        time.sleep(seconds)
        (end_s, last), end_cpu_s, last_sent = camera.moment(), camera.processor_s(), scene.count
        got = {} if crowd is None else crowd.close()
        rates[loaded].append((last - first) / (end_s - start_s))
        _print(
            "window",
            viewers=_VIEWERS if loaded else 0,
            frames_per_s=round(rates[loaded][-1], 3),
            sent_per_s=round((last_sent - first_sent) / (end_s - start_s), 3),
            processor_fraction=round((end_cpu_s - start_cpu_s) / (end_s - start_s), 3),
            **got,
        )
    ratios = [with_ / without for without, with_ in zip(rates[False], rates[True], strict=True)]
    spread = _T_97_5 * statistics.stdev(ratios) / math.sqrt(_ROUNDS)
    _print(
        "rate", pairs=_ROUNDS, ratio=round(statistics.mean(ratios), 4), plus_minus=round(spread, 4), worst=min(ratios)
    )


def _print_ages(what: str, scene: Scene, heard: Sequence[tuple[str, float]]) -> None:
    found = [ages for label, at_s in list(heard) if (ages := scene.ages(label, at_s)) is not None]
    first_s, third_s = (sorted(ages) for ages in zip(*found, strict=True))
    _print(
        what,
        visits=len(found),
        since_first_frame_median_s=round(statistics.median(first_s), 3),
        since_first_frame_worst_s=round(first_s[-1], 3),
        since_third_vote_median_s=round(statistics.median(third_s), 3),
        since_third_vote_worst_s=round(third_s[-1], 3),
        since_third_vote_s=[round(age_s, 2) for _, age_s in found],
    )


def _print(what: str, **figures: object) -> None:
    print(json.dumps({"what": what} | figures), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all of it and print one line of JSON for each figure."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.experiments.live_page",
        description=(__doc__ or "").replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--visits", type=int, default=100_000, help="in the store, a multiple of 200 (100000)")
    parser.add_argument("--seconds", type=float, default=14.0, help="of each window; 0: none (14)")
    parser.add_argument("--motion", action="store_true", help="classify what moves, as by default")
    parser.add_argument("--height", type=int, default=1080, choices=[360, 720, 1080], help="of the frames (1080)")
    options = parser.parse_args(arguments)
    scene = Scene(options.height)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        make_large_store(folder / "store", options.visits, scene.pictures, 400, 100)
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # connects, and never answers
        messages = stack.enter_context(Messages())
        stack.callback(messages.shutdown)
        measure_apprise(f"json://127.0.0.1:{messages.server_port}")
        broker, port = free_port(), free_port()
        heard = stack.enter_context(run_broker(folder, broker))
        server = stack.enter_context(MjpegServer(scene.frames, _RATE_HZ))
        silent_port = int(silent.getsockname()[1])
        place = Place(folder, server.address, options.motion, broker, silent_port, messages.server_port, port)
        write_config(place, dead=True)
        camera = Camera(folder, port)
        try:
            camera.wait()
            time.sleep(15)
            _print("weight", **(measure_weight(port, _BROWSER_S) or {"skipped": "no browser"}))
            _print("memory", after="a browser", **camera.memory())
            with closing(sqlite3.connect(folder / "store" / DATABASE_FILE)) as reader:
                (visit_id,) = reader.execute("SELECT visit_id FROM visits WHERE event_id = 99").fetchone()
            measure_requests(camera, port, visit_id)
            crowd = Crowd(port, _VIEWERS)
            time.sleep(_BROWSER_S)
            crowd.close()
            _print("memory", after="ten viewers", **camera.memory())
            if options.seconds:
                measure_rate(camera, scene, place, options.seconds)
                _print("memory", after="reloads", **camera.memory())
        finally:
            camera.close()
        _print_ages("opened", scene, heard)
        _print_ages("message", scene, messages.heard)
        print((folder / "log").read_text(encoding="utf-8")[-2000:], file=sys.stderr)


if __name__ == "__main__":
    main()
