"""The state of a camera for a fleet: over MQTT and by command, with the same keys."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from trailcam_edge.app.services import DeviceServices
from trailcam_edge.app.status import camera_status
from trailcam_edge.app.summary import LastFrame
from trailcam_edge.config.camera_toml import Config
from trailcam_edge.events import BlindTime, SuppressedVisit, Visit
from trailcam_edge.events.clock import SystemClock
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.settings import StoreSettings

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def result(number: int, paused: bool = False) -> FrameResult:
    frame = Frame(PackedPixels(IMAGE, "RGB"), time.monotonic(), number, "f")
    return FrameResult(frame, None, 5.0, "cow", 12.0, 3, paused=paused)


def config(tmp_path: Path) -> Config:
    return replace(Config(), store=StoreSettings(tmp_path, max_bytes=20_000_000, min_free_bytes=0))


def test_the_summary_has_every_key_of_the_command_and_says_what_is_known(tmp_path: Path) -> None:
    moment = SystemClock().moment(time.monotonic())
    with DeviceServices(config(tmp_path), "1.0") as services:
        empty = services.reports.summary()
        services.handle_event(result(1), "bundle 1")
        services.handle_event(SuppressedVisit('kangaroo "🦘"', "not allowed"), "bundle 1")
        services.handle_event(SuppressedVisit('kangaroo "🦘"', "not allowed"), "bundle 1")
        services.handle_event(Visit("v", "cow", moment, moment, 0.9, 3, 9, IMAGE, "bundle 1", 10.0), "bundle 1")
        deadline_s = time.monotonic() + 10
        while services.reports.summary()["last_visit"] is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        summary = services.reports.summary()
        metrics = services.reports.metrics()
    assert (empty["alive"], empty["bundle"], empty["last_frame"], empty["last_visit"]) == (False, None, None, None)
    assert (summary["alive"], summary["bundle"], summary["frame"]["outcome"]) == (True, "bundle 1", "cow")
    assert summary["last_visit"]["visit_id"] == "v"
    assert summary["suppressed"] == 2
    assert summary["disk_free_bytes"] > 0
    assert json.loads(json.dumps(summary)) == summary
    command = camera_status(config(tmp_path), "1.0")
    assert set(command) <= set(summary)
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    (suppressed,) = [sample for sample in samples if sample.name == "trailcam_visits_suppressed_total"]
    assert (suppressed.labels, suppressed.value) == ({"label": 'kangaroo "🦘"', "reason": "not allowed"}, 2.0)


def test_the_command_knows_the_last_frame_without_a_page(tmp_path: Path) -> None:
    assert camera_status(config(tmp_path), "1.0")["last_frame"] is None
    with DeviceServices(config(tmp_path), "1.0") as services:
        services.handle_event(result(1), "bundle 1")
    status = camera_status(config(tmp_path), "1.0")
    assert status["last_frame"] is not None
    assert status["running"] is False
    assert {"disk_free_bytes", "temperature_c", "throttling"} <= set(status)


def test_a_pause_is_no_effort(tmp_path: Path) -> None:
    clock = SystemClock()
    with DeviceServices(config(tmp_path), "1.0") as services:
        services.handle_event(result(1), "bundle 1")
        started = clock.moment(time.monotonic())
        services.handle_event(result(2, paused=True), "bundle 1")
        assert services.reports.summary()["paused"] is True
        services.handle_event(BlindTime("schedule", started, clock.moment(time.monotonic())), "bundle 1")
        services.handle_event(result(3, paused=True), "bundle 1")
    with open_reader(tmp_path) as reader:
        (watched,) = reader.watches()
        assert watched.frames == 1
        assert [blind.reason for blind in reader.blind_times()] == ["schedule"]


def test_the_time_of_a_frame_is_counted_back_from_now() -> None:
    assert LastFrame(90.0, None, 5.0, 0).unix_s(1_000_000.0, 100.0) == 999_990.0
