"""The Raspberry Pi's camera, on a fake that lends its buffers and takes nothing for granted."""

import importlib.util
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from trailcam_core.errors import SourceError
from trailcam_core.images.boxes import Crop
from trailcam_edge.sources.orientation import Orientation
from trailcam_edge.sources.picamera import PicameraSource, StreamConfig, open_picamera2


def _load_fake() -> ModuleType:
    path = Path(__file__).with_name("fake_picamera2.py")
    spec = importlib.util.spec_from_file_location("fake_picamera2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fake = _load_fake()
COLOUR = (200, 60, 30)


def planar_camera(format: str = "YUV420", colour_space: Any = "SMPTE170M", **options: Any) -> Any:  # noqa: A002
    """A camera that shows one colour, in a small stream with 32 bytes of padding and a large one without."""
    buffers = {}
    for name, width, height, stride in (("lores", 64, 48, 96), ("main", 128, 96, 128)):
        image = np.full((height, stride, 3), COLOUR, np.uint8)
        image[:, width:] = 0
        i420 = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        if format == "NV12":
            u, v = i420[height:].reshape(2, height // 2, stride // 2)
            i420 = np.vstack([i420[:height], np.stack([u, v], axis=-1).reshape(height // 2, stride)])
        buffers[name] = (i420, fake.stream(format, width, height, stride))
    found = {name: stated for name, (_, stated) in buffers.items()} | {"colour_space": colour_space}
    return fake.FakeCamera(buffers["main"][0], buffers["lores"][0], found, **options)


def open_camera(
    camera: Any, stream: StreamConfig | None = None, orientation: Orientation | None = None
) -> PicameraSource:
    return PicameraSource("picamera2", camera.opened, stream or StreamConfig(), orientation)


@pytest.mark.parametrize("format", ["YUV420", "NV12"])
def test_the_small_stream_is_classified_and_the_large_one_is_the_picture(format: str) -> None:  # noqa: A002
    with open_camera(planar_camera(format)) as source:
        frame = next(source.frames())
        image, picture = frame.image, frame.picture()
        frame.give_back()
    assert image.shape == (48, 64, 3)
    assert picture.shape == (96, 128, 3)
    for found in (image, picture):
        assert np.abs(found.astype(int) - COLOUR).max() <= 4


@pytest.mark.parametrize(("format", "stored"), [("RGB888", (30, 60, 200)), ("BGR888", (200, 60, 30))])
def test_formats_are_read_back_and_rgb888_is_stored_blue_first(format: str, stored: tuple[int, ...]) -> None:  # noqa: A002
    buffer = np.zeros((48, 224), np.uint8)
    buffer[:, : 64 * 3] = np.tile(np.array(stored, np.uint8), 64)
    camera = fake.FakeCamera(buffer, None, {"main": fake.stream(format, 64, 48, 224), "lores": None})
    with open_camera(camera) as source:
        frame = next(source.frames())
        image = frame.image
        frame.give_back()
    assert image.shape == (48, 64, 3)
    assert (image == COLOUR).all()  # and it did not turn black when the camera took its memory back


@pytest.mark.parametrize("format", ["YUV420", "NV12", "YVU420"])
def test_a_crop_is_cut_from_the_large_stream_and_outlives_the_camera(format: str) -> None:  # noqa: A002
    with open_camera(planar_camera(format)) as source:
        frame = next(source.frames())
        height, width = frame.picture_size
        whole, small = frame.picture(), frame.pixels.size
        part = frame.part(Crop(5, 3, 20, 20))
        frame.give_back()
    assert (height, width) == whole.shape[:2]
    assert height > small[0]
    assert np.array_equal(part, whole[3:23, 5:25])


def test_the_colour_space_is_read_back() -> None:
    full_range = np.full((72, 96), 128, np.uint8)
    full_range[:48] = 255
    for stated, white in (("sYCC", 255), ("Rec709/Rec709/Rec709/Full", 255), ("SMPTE170M", 255), (None, 255)):
        camera = fake.FakeCamera(
            full_range,
            full_range,
            {
                "main": fake.stream("YUV420", 64, 48, 96),
                "lores": fake.stream("YUV420", 64, 48, 96),
                "colour_space": stated,
            },
        )
        with open_camera(camera) as source:
            frame = next(source.frames())
            assert (frame.image == white).all()
            frame.give_back()
    full_range[:48] = 16
    for stated, black in (("sYCC", 16), ("SMPTE170M", 0), ("Rec709", 0), ("sRGB/sRGB/Rec601/Full", 16)):
        camera._found["colour_space"] = stated
        camera.closed, camera._frames = False, 1
        with open_camera(camera) as source:
            frame = next(source.frames())
            assert (frame.image == black).all(), stated
            frame.give_back()


def test_a_frame_that_nobody_looks_at_is_not_even_mapped() -> None:
    camera = planar_camera()
    with open_camera(camera) as source:
        for _, frame in zip(range(3), source.frames(), strict=False):
            frame.give_back()
    assert camera.mapped == []


def test_the_picture_outlives_the_camera() -> None:
    with open_camera(planar_camera()) as source:
        frame = next(source.frames())
        image = frame.image
        frame.give_back()
    assert np.abs(image.astype(int) - COLOUR).max() <= 4


def test_closing_waits_for_the_frame_that_is_looked_at() -> None:
    camera = planar_camera()
    source = open_camera(camera)
    frame = next(source.frames())
    closing = threading.Thread(target=source.__exit__, args=(None, None, None))
    closing.start()
    time.sleep(0.05)
    assert not camera.closed
    assert frame.image.shape == (48, 64, 3)
    frame.give_back()
    closing.join(5)
    assert camera.closed


def test_a_frame_is_dated_by_the_sensor_where_its_clock_is_ours() -> None:
    camera = planar_camera()
    source = open_camera(camera)
    frames = source.frames()
    for stated, expected_age_s in ((fake.monotonic_ns(0.5), 0.5), (fake.monotonic_ns(3600), 0.0), (None, 0.0)):
        camera.metadata = {} if stated is None else {"SensorTimestamp": stated}
        frame = next(frames)
        assert time.monotonic() - frame.timestamp_s == pytest.approx(expected_age_s, abs=0.2)
        frame.give_back()


def test_sequence_numbers_count_from_zero() -> None:
    with open_camera(planar_camera()) as source:
        numbers = []
        for _, frame in zip(range(3), source.frames(), strict=False):
            numbers.append(frame.sequence)
            frame.give_back()
    assert numbers == [0, 1, 2]


def test_what_the_camera_can_is_asked_for() -> None:
    camera = planar_camera()
    open_camera(camera, StreamConfig(frame_rate_hz=10))
    assert camera.asked["controls"] == {"FrameDurationLimits": (100_000, 100_000)}
    assert camera.asked["raw"] is None
    camera.camera_controls |= {"AfMode": (0, 2, 0), "LensPosition": (0, 32, 1)}
    open_camera(camera)
    assert camera.asked["controls"] == {"AfMode": 2}
    open_camera(camera, StreamConfig(focus_m=4))
    assert camera.asked["controls"] == {"AfMode": 0, "LensPosition": 0.25}


def test_what_the_camera_cannot_is_left_out_but_a_focus_is_an_error() -> None:
    camera = planar_camera()
    camera.camera_controls = {}
    open_camera(camera, StreamConfig(frame_rate_hz=10))
    assert camera.asked["controls"] == {}
    with pytest.raises(SourceError, match="has no focus motor"):
        open_camera(camera, StreamConfig(focus_m=4))
    assert camera.closed


def test_the_small_stream_is_never_asked_for_larger_than_the_picture() -> None:
    camera = planar_camera()
    open_camera(camera, StreamConfig(picture_size_px=(320, 240), small_size_px=(640, 480)))
    assert camera.asked["lores"]["size"] == (320, 240)


@pytest.mark.parametrize("where", ["configure", "start"])
def test_a_camera_that_fails_while_it_starts_is_closed_and_explained(where: str) -> None:
    camera = planar_camera()
    camera.errors[where] = OSError(12, "Cannot allocate memory")
    with pytest.raises(SourceError, match=r"CMA.*--picture-size"):
        open_camera(camera)
    assert camera.closed


def test_a_camera_that_fails_to_close_as_well_is_still_explained() -> None:
    camera = planar_camera()
    camera.errors["configure"] = RuntimeError("Failed to allocate buffers: No buffer space available")
    camera.errors["close"] = RuntimeError("Could not open any dmaHeap device")
    with pytest.raises(SourceError, match="no DMA heap"):
        open_camera(camera)


def test_a_lost_camera_that_fails_to_close_is_explained_by_its_loss() -> None:
    camera = planar_camera(frames=0)
    camera.errors["close"] = RuntimeError("Could not open any dmaHeap device")
    with pytest.raises(SourceError, match="delivers no more frames"), open_camera(camera) as source:
        next(source.frames())


def test_a_capture_that_never_returns_is_an_error_after_its_time() -> None:
    with open_camera(planar_camera(frames=1)) as source:
        frames = source.frames()
        next(frames).give_back()
        with pytest.raises(SourceError, match=r"delivers no more frames.*ribbon cable"):
            next(frames)


def test_a_format_that_nobody_can_read_is_named() -> None:
    buffer, stated = fake.blank_stream()
    camera = fake.FakeCamera(buffer, buffer, {"main": stated, "lores": stated | {"format": "MJPEG"}})
    with pytest.raises(SourceError, match="lores stream as MJPEG, expected one of YUV420"):
        open_camera(camera)
    assert camera.closed


def test_the_camera_hangs_as_told() -> None:
    with open_camera(planar_camera(), orientation=Orientation(rotate_deg=90, roi=(0, 0, 0.5, 1))) as source:
        frame = next(source.frames())
        assert frame.image.shape == (64, 24, 3)
        assert frame.picture().shape == (128, 48, 3)
        frame.give_back()


def test_without_picamera2_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match=r"python3-picamera2.*--system-site-packages"):
        open_picamera2(0)
