"""The station: what happens reaches store, sinks, page and service manager."""

import importlib.util
import json
import logging
import os
import re
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from trailcam_core.errors import ConfigError, DeviceError
from trailcam_edge.app.services import DeviceServices
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import BlindTime, Moment, Visit
from trailcam_edge.events.clock import SystemClock
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sinks.notify.apprise_client import AppriseClient
from trailcam_edge.sinks.notify.settings import NotifySettings
from trailcam_edge.sinks.settings import JsonLinesSettings, MqttSettings, SinksSettings, WebhookSettings
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.settings import StoreSettings

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def config(folder: Path, **more: Any) -> Config:
    return replace(Config(), store=StoreSettings(folder, max_bytes=20_000_000, min_free_bytes=0), **more)


def now() -> Moment:
    return SystemClock().moment(time.monotonic())


def observation(number: int) -> FrameResult:
    frame = Frame(PackedPixels(IMAGE, "RGB"), time.monotonic(), number, "f")
    return FrameResult(frame, None, 5.0, "cow", 12.0, 3)


def visit(name: str) -> Visit:
    return Visit(name, "cow", now(), now(), 0.9, 3, 9, IMAGE, "bundle 1", 10.0)


def test_visits_blind_times_and_effort_are_stored_by_the_end(tmp_path: Path) -> None:
    with DeviceServices(config(tmp_path), "1.0") as station:
        for number in range(5):
            station.handle_event(observation(number), "bundle 1")
        station.handle_event(BlindTime("source lost", now(), now()), "bundle 1")
        station.handle_event(visit("first"), "bundle 1")
        station.handle_event(observation(5), "bundle 2")
        station.handle_event(visit("second"), "bundle 2")
    with open_reader(tmp_path) as reader:
        assert [event.visit_id for event in reader.events()] == ["first", "second"]
        assert [blind.reason for blind in reader.blind_times()] == ["source lost"]
        watches = list(reader.watches())
        assert [watch.bundle for watch in watches][-1] == "bundle 2"
        assert watches[-1].frames == 1
    assert (tmp_path / "pictures" / "first.jpg").is_file()


def test_a_sink_gets_what_was_stored_also_what_came_last(tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    wanted = config(tmp_path / "store", sinks=SinksSettings(json_lines=JsonLinesSettings(lines)))
    with DeviceServices(wanted, "1.0") as station:
        deadline = time.monotonic() + 20
        number = 0
        while not lines.exists() and time.monotonic() < deadline:  # a new sink begins with what comes from then on
            station.handle_event(visit(f"v{number}"), "bundle 1")
            number += 1
            time.sleep(0.05)
    with DeviceServices(wanted, "1.0"):
        while time.monotonic() < deadline:
            delivered = [json.loads(line)["visit_id"] for line in lines.read_text(encoding="utf-8").splitlines()]
            if delivered[-1] == f"v{number - 1}":
                break
            time.sleep(0.05)
    assert delivered[-1] == f"v{number - 1}"
    assert delivered == [f"v{index}" for index in range(int(delivered[0][1:]), number)]


def test_status_and_metrics_say_what_happened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    wanted = config(tmp_path, live=LiveSettings("127.0.0.1:0"))
    with DeviceServices(wanted, "1.0") as station:
        assert not station.reports.alive()
        station.handle_event(visit("first"), "bundle 1")
        station.handle_event(BlindTime("source lost", Moment(5.0, None, "b"), Moment(9.0, None, "b")), "bundle 1")
        station.handle_event(observation(0), "bundle 1")
        assert station.reports.alive()
        status = station.reports.status()
        assert status["bundle"] == "bundle 1"
        assert status["today"] == 1
        assert status["visits"][0]["picture"] == "/pictures/first.jpg"
        assert ["Blind: source lost", "4 s", False] in [list(row) for row in status["health"]]
        assert status["frame"]["outcome"] == "cow"
        json.dumps(status)
        families = {family.name: family for family in text_string_to_metric_families(station.reports.metrics())}
        assert families["trailcam_frames"].samples[0].value == 1
        assert families["trailcam_blind_seconds"].samples[0].value == 4
    (line,) = caplog.messages
    assert re.fullmatch(r"live page: http://127\.0\.0\.1:[1-9][0-9]*/", line)
    with DeviceServices(wanted, "1.0") as station:
        assert station.reports.status()["today"] == 1  # the store remembers


def test_on_another_address_a_token_is_made_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with DeviceServices(Config(live=LiveSettings("0.0.0.0:0")), "1.0"):
        pass
    (line,) = caplog.messages
    token = line.partition("?token=")[2].partition(" ")[0]
    assert len(token) >= 32


def test_a_token_from_a_file_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "token"
    path.write_text("correct-horse-battery\n", encoding="utf-8")
    path.chmod(0o600)
    with DeviceServices(Config(live=LiveSettings("0.0.0.0:0", path)), "1.0"):
        pass
    assert "correct-horse" not in caplog.text
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod o="):
        DeviceServices(Config(live=LiveSettings("0.0.0.0:0", path)), "1.0")


def test_a_port_in_use_lets_go_of_the_store_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        live = LiveSettings(f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(DeviceError, match="in use"):
            DeviceServices(config(tmp_path, live=live), "1.0")
    with DeviceServices(config(tmp_path), "1.0"):
        pass


def test_a_store_that_another_process_writes_to_is_refused(tmp_path: Path) -> None:
    with (
        DeviceServices(config(tmp_path), "1.0"),
        pytest.raises(DeviceError, match="another process"),
    ):
        DeviceServices(config(tmp_path), "1.0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_disk_lets_the_camera_continue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o555)
    with DeviceServices(config(tmp_path / "store"), "1.0") as station:
        station.handle_event(observation(0), "bundle 1")
    assert any("camera continues" in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("sinks", "words"),
    [
        (SinksSettings(webhook=WebhookSettings("http://host/", Path("/nonexistent/token"))), "token cannot be read"),
        (
            SinksSettings(mqtt=MqttSettings("host", "oak", password_file=Path("/nonexistent/p"))),
            "password cannot be read",
        ),
    ],
)
def test_a_sink_that_cannot_be_is_one_clear_error(tmp_path: Path, sinks: SinksSettings, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DeviceServices(config(tmp_path, sinks=sinks), "1.0")


@pytest.mark.skipif(importlib.util.find_spec("paho") is None, reason="needs paho-mqtt")
def test_a_broker_that_is_down_stops_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    wanted = config(tmp_path, sinks=SinksSettings(mqtt=MqttSettings("127.0.0.1", "oak", port)))
    with DeviceServices(wanted, "1.0") as station:
        station.handle_event(visit("first"), "bundle 1")
    with open_reader(tmp_path) as reader:
        assert reader.last_event_id() == 1


def test_a_frame_with_a_name_lets_a_notification_load_before_the_visit_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("apprise") is None:
        pytest.skip("needs Apprise, the extra notify")
    loaded = threading.Event()
    monkeypatch.setattr(AppriseClient, "is_known", lambda *_: True)
    monkeypatch.setattr(AppriseClient, "load", lambda _: loaded.set())
    notify = {"phone": NotifySettings(addresses=("json://127.0.0.1:9",))}
    with DeviceServices(config(tmp_path, notify=notify), "1.0") as station:
        station.handle_event(replace(observation(0), outcome="unknown"), "bundle 1")
        assert not loaded.wait(0.2)
        station.handle_event(observation(1), "bundle 1")
        assert loaded.wait(20)
