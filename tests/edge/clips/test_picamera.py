"""The hardware encoder of a Raspberry Pi, played by a fake with Picamera2's names: its frames reach the ring."""

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trailcam_edge.clips.picamera import record_from
from trailcam_edge.clips.ring import H264, ClipFrame
from trailcam_edge.clips.settings import ClipSettings
from trailcam_edge.sources.demo_loop import DemoLoopSource
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.picamera import PicameraSource
from trailcam_edge.sources.stream_config import StreamConfig

from ..sources import fake_picamera2 as fake


class Output:
    """As in picamera2.outputs, 0.3.38."""

    def outputframe(
        self, frame: Any, keyframe: bool = True, timestamp: Any = None, packet: Any = None, audio: bool = False
    ) -> None:
        """Do nothing."""


class H264Encoder:
    """As in picamera2.encoders, 0.3.38."""

    def __init__(self, bitrate: int | None = None, repeat: bool = True, iperiod: int | None = None) -> None:
        self.options = (bitrate, repeat, iperiod)
        self.firsttimestamp: int | None = None


class RecordingCamera(fake.FakeCamera):
    """A camera with an encoder."""

    encoder: Any = None
    output: Any = None
    stopped: Any = None

    def start_encoder(self, encoder: Any = None, output: Any = None, name: str | None = None) -> None:
        assert name == "main"
        self._fail("encoder")
        self.encoder, self.output = encoder, output

    def stop_encoder(self, encoder: Any = None) -> None:
        assert not self.closed
        self.stopped = encoder


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> RecordingCamera:
    names = {
        "picamera2.platform": {"get_platform": lambda: SimpleNamespace(name="VC4")},
        "picamera2.encoders": {"H264Encoder": H264Encoder},
        "picamera2.outputs": {"Output": Output},
    }
    for name, parts in names.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**parts))
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace())
    buffer, stream = fake.blank_stream()
    return RecordingCamera(np.asarray(buffer), buffer, {"main": stream, "lores": stream})


def open_source(camera: RecordingCamera, orientation: Orientation | None = None) -> PicameraSource:
    return PicameraSource("picamera2", camera.opened, StreamConfig(), orientation)


def test_frames_of_the_encoder_are_dated_and_the_encoder_is_stopped_first(camera: RecordingCamera) -> None:
    got: list[ClipFrame] = []
    source = record_from(open_source(camera), ClipSettings(), got.append)
    assert source is not None
    assert camera.encoder.options == (1_500_000, True, 30)
    camera.output.outputframe(b"\0\0\1key", True, 0, None, False)
    camera.encoder.firsttimestamp = int(time.monotonic() * 1e6) - 500_000
    camera.output.outputframe(b"\0\0\1more", False, 100_000, None, False)
    camera.encoder.firsttimestamp = 7  # of another clock
    camera.output.outputframe(b"\0\0\1more", False, 200_000)
    with source:
        assert source.delivery == "live"
        assert next(source.frames()).sequence == 0
        camera.lent = 0
        source.inner._lent = 0  # type: ignore[attr-defined]
    assert camera.stopped is camera.encoder
    assert camera.closed
    assert [(each.kind, each.is_key, each.size_px) for each in got] == [
        (H264, True, (64, 48)),
        (H264, False, (64, 48)),
        (H264, False, (64, 48)),
    ]
    ages_s = [time.monotonic() - each.at_s for each in got]
    assert ages_s == pytest.approx([0.0, 0.4, 0.0], abs=0.2)


@pytest.mark.parametrize("case", ["turned", "pisp", "fails", "absent", "other"])
def test_without_a_hardware_encoder_clips_are_made_of_jpeg(
    camera: RecordingCamera, monkeypatch: pytest.MonkeyPatch, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    if case == "pisp":
        pisp = SimpleNamespace(get_platform=lambda: SimpleNamespace(name="PISP"))
        monkeypatch.setitem(sys.modules, "picamera2.platform", pisp)
    if case == "absent":
        monkeypatch.setitem(sys.modules, "picamera2.platform", None)
    if case == "fails":
        camera.errors["encoder"] = RuntimeError("no /dev/video11")
    source: Any = open_source(camera, Orientation(rotate_deg=180) if case == "turned" else None)
    assert record_from(DemoLoopSource() if case == "other" else source, ClipSettings(), lambda each: None) is None
    assert camera.output is None
    assert ("does not start" in caplog.text) is (case in ("fails", "absent"))
    source.__exit__(None, None, None)
