"""The summary of ``trailcam watch`` counts every frame once, and has one line per label."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from trailcam.commands.watch.output import JsonOutput, TextOutput
from trailcam_core.inference.decision import Classification
from trailcam_edge.events import Moment, Visit
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.sources.frame import Frame
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.store.records import sink_json, unstored_event

IMAGE = np.zeros((4, 4, 3), np.uint8)


def result(
    label: str | None, confidence: float, *, moves: bool = True, paused: bool = False, blank: bool = False
) -> FrameResult:
    answer = Classification(label, confidence, (), 1.0, blank=blank)
    frame = Frame(PackedPixels(IMAGE, "RGB"), 0.0, 0, "clip.mp4 #0")
    return FrameResult(frame, answer if moves else None, 5.0, paused=paused)


def test_the_summary_counts_every_frame_once_and_each_label_once(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [
        result(None, 0.2),
        result("cat", 0.7),
        result("dog", 0.9),
        result(None, 0.1, blank=True),
        result("cat", 0.8),
    ]
    frames += [result(None, 0.0, moves=False)] * 3 + [result(None, 0.0, moves=False, paused=True)] * 2
    with TextOutput(visits_only=False) as output:
        for frame in frames:
            output.show(frame)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:5]] == ["unknown", "cat", "dog", "nothing", "cat"]
    assert (
        lines[6] == "10 frames: 3 named, 1 unknown, 1 nothing, 3 without movement, 2 outside the hours of [schedule]."
    )
    assert [" ".join(line.split()) for line in lines[7:9]] == [
        "cat 2 frames best confidence 80%",
        "dog 1 frame best confidence 90%",
    ]
    assert len(lines) == 10


def test_without_a_classified_frame_there_is_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with TextOutput(visits_only=True) as output:
        output.show(result(None, 0.0, moves=False))
    assert capsys.readouterr().out == ""


def test_a_visit_has_the_same_json_as_in_files_over_mqtt_and_in_webhooks(capsys: pytest.CaptureFixture[str]) -> None:
    started, ended = (Moment(second, datetime(2026, 6, 1, 12, 0, second, tzinfo=UTC), "boot") for second in (1, 8))
    visit = Visit("visit-1", "fox", started, ended, 0.9, 3, 5, None, "tiny-1.0.0", 10.0)
    with JsonOutput(visits_only=True) as output:
        output.show(visit)
    printed = json.loads(capsys.readouterr().out)
    sent = json.loads(json.dumps(sink_json(unstored_event(visit))))
    assert (printed.pop("event"), sent.pop("event")) == ("visit", "closed")
    assert printed == sent
    assert (printed["start"], printed["end"]) == ("2026-06-01T12:00:01.000Z", "2026-06-01T12:00:08.000Z")
