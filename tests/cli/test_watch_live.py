"""``trailcam watch`` on a live stream: visits, signals, options."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam.process.signals import stop_on_signals
from trailcam_core.images.decode import read_image
from trailcam_edge.sources import DEMO_FRAMES
from trailcam_project.experiments.mjpeg_server import MjpegServer, stamped


def animal() -> np.ndarray:
    """A demo frame that the built-in bundle knows, blue first."""
    entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    name = next(entry["file"] for entry in entries if entry["expected"] == "elephant")
    return np.ascontiguousarray(read_image(DEMO_FRAMES / name)[..., ::-1])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds of an elephant."""
    frame = animal()
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (frame.shape[1], frame.shape[0]))
    for _ in range(30):
        writer.write(frame)
    writer.release()
    return path


def records(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_watch_cleanly_and_the_open_visit_is_told(number: int) -> None:
    with MjpegServer(stamped(animal()), rate_hz=30) as server:
        command = [sys.executable, "-m", "trailcam", "watch", "--source", server.address, "--json", "--no-motion"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        seen: list[dict[str, Any]] = []
        for line in process.stdout:
            seen.append(json.loads(line))
            if len(seen) > 1 and seen[-1]["timestamp_s"] - seen[0]["timestamp_s"] > 1.5:
                break
        os.kill(process.pid, number)
        rest, told = process.communicate(timeout=60)
    assert process.returncode == (0 if number == signal.SIGTERM else 130)
    last = records(rest)[-1]
    assert last["event"] == "visit"
    assert last["label"] == "elephant"
    assert last["votes"] >= 3
    assert last["duration_s"] > 0
    assert "Traceback" not in told
    assert seen[-1]["age_ms"] >= 0


def test_a_recording_gives_frames_and_one_visit(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--source", str(clip), "--fast", "--json", "--no-motion"]) == 0
    found = records(capsys.readouterr().out)
    assert [record["sequence"] for record in found[:-1]] == list(range(30))
    assert found[-1]["event"] == "visit"
    assert found[-1]["frames"] == 30
    assert found[-1]["duration_s"] == pytest.approx(2.9, abs=0.01)


def test_a_visit_has_one_json_form_live_and_from_the_store(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    words = ["watch", "--source", str(clip), "--fast", "--json", "--visits", "--no-motion", "--store", store]
    assert main(words) == 0
    live = records(capsys.readouterr().out)[-1]
    assert main(["events", "--store", store, "--json"]) == 0
    (stored,) = records(capsys.readouterr().out)
    assert stored.pop("review") is None
    assert live.pop("event") == "visit"
    assert list(live) == list(stored)
    known_later = {"event_id", "picture"}
    assert {name for name in stored if live[name] != stored[name]} <= known_later


def test_only_visits_may_be_asked_for(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "--source", str(clip), "--fast", "--json", "--visits", "--no-motion"]) == 0
    assert [record["event"] for record in records(capsys.readouterr().out)] == ["visit"]
    assert main(["watch", "--source", str(clip), "--fast", "--visits", "--no-motion"]) == 0
    printed = capsys.readouterr().out
    assert "visit: elephant" in printed
    assert "1 visit: elephant 1." in printed


def test_motion_and_rate_are_passed_on(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["watch", "--source", str(clip), "--fast", "--json", "--unknown", "--rate", "5"]
    assert main([*words, "--no-motion"]) == 0
    assert records(capsys.readouterr().out)
    for motion in ([], ["--motion"]):  # an elephant that stands as if painted
        assert main([*words, *motion]) == 0
        assert records(capsys.readouterr().out) == []


def test_an_elephant_that_walks_is_a_visit_with_a_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elephant = cv2.resize(animal(), (320, 240), interpolation=cv2.INTER_AREA)
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (1280, 720))
    for number in range(50):
        frame = np.full((720, 1280, 3), 110, np.uint8)
        if number >= 20:
            left = 50 + 25 * (number - 20)
            frame[240:480, left : left + 320] = elephant
        writer.write(frame)
    writer.release()
    assert main(["watch", "--source", str(path), "--fast", "--json"]) == 0
    *frames, visit = records(capsys.readouterr().out)
    assert (visit["event"], visit["label"]) == ("visit", "elephant")
    assert visit["box"]["height"] == pytest.approx(240 / 720, abs=0.05)
    assert visit["box"]["width"] == pytest.approx(320 / 1280, abs=0.05)
    assert all(frame["box"] and frame["sequence"] >= 20 for frame in frames)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--roi", "0,0,2,1"], "roi is (0.0, 0.0, 2.0, 1.0)"),
        (["--roi", "a,b"], "expected four fractions"),
        (["--picture-size", "large"], "expected width and height"),
        (["--rate", "0"], "rate_hz is 0"),
        (["--rotate", "45"], "invalid choice"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["watch", *words])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_signals_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.event.wait(5)
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        assert not stop.interrupted
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    found: list[bool] = []

    def work() -> None:
        with stop_on_signals() as stop:
            found.append(stop.event.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
