"""What ``system_test_camera.py`` runs inside of the root: our source on the real Picamera2.

Two things differ from a Raspberry Pi, both because of the virtual pipeline: it has no raw stream to list, and
Picamera2's own allocator aborts the process on it.
"""

import json
import logging
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import cv2
import libcamera
import numpy as np
import picamera2
from checks import Checks
from picamera2.allocators import Allocator, LibcameraAllocator

from trailcam_core.classifier import Classifier
from trailcam_core.errors import SourceError
from trailcam_core.images.decode import read_image
from trailcam_edge.camera.settings import CameraSettings, RecoverySettings
from trailcam_edge.events import BlindTime
from trailcam_edge.recognition.frame_result import FrameResult
from trailcam_edge.recognition.loop import watch
from trailcam_edge.recognition.settings import LoopSettings
from trailcam_edge.sources import Source, StreamConfig, open_source
from trailcam_edge.sources.orientation import Orientation

_FRAMES = Path("/frames")
_STREAM = StreamConfig(picture_size_px=(1280, 960), small_size_px=(640, 480))
_PERIOD_S = 1 / 30  # the virtual pipeline does not pace itself
_SAME_PICTURE = 6.0  # mean difference of levels: JPEG and chroma at half size cost 2 to 4, another picture 20 and more


class VirtualPicamera2(picamera2.Picamera2):
    """Picamera2 on the virtual pipeline, at a camera's pace; ``hold`` stops its frames for so many seconds."""

    opened: ClassVar[list["VirtualPicamera2"]] = []
    hold_s = 0.0

    def __init__(self, number: int) -> None:
        super().__init__(number, allocator=Allocator())
        self.allocator = LibcameraAllocator(self.camera)
        self.pre_callback = self._pace
        VirtualPicamera2.opened.append(self)

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        formats = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
        return [
            {"format": str(p), "size": (s.width, s.height)} for p in formats.pixel_formats for s in formats.sizes(p)
        ]

    def _pace(self, request: Any) -> None:
        hold_s, VirtualPicamera2.hold_s = VirtualPicamera2.hold_s, 0.0
        time.sleep(hold_s or _PERIOD_S)


def open_camera(orientation: Orientation | None = None, stream: StreamConfig = _STREAM, stall_s: float = 2.0) -> Source:
    return open_source("picamera2", lambda error: None, orientation, stream, stall_s=stall_s)


def references() -> list[np.ndarray]:
    """The replayed pictures, 640x480 RGB, as they are seen by somebody who believes what the camera says of itself."""
    return [_as_stated(read_image(_FRAMES / f"{number}.jpg")) for number in range(len(list(_FRAMES.glob("*.jpg"))))]


def _as_stated(image: np.ndarray) -> np.ndarray:
    """The virtual pipeline states Rec. 709 of limited range, and delivers the JPEG's own full-range BT.601."""
    y, cr, cb = np.moveaxis(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32), -1, 0)
    y, cr, cb = (y - 16) * 255 / 219, (cr - 128) * 255 / 224, (cb - 128) * 255 / 224
    rgb = np.stack([y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb], axis=-1)  # BT.709-6, section 3
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)


def which(image: np.ndarray, pictures: list[np.ndarray]) -> tuple[int, float]:
    """Return the number of the picture that is nearest, and the mean difference of levels."""
    differences = [float(np.mean(cv2.absdiff(image, picture))) for picture in pictures]
    best = int(np.argmin(differences))
    return best, differences[best]


def check_frames(checks: Checks, pictures: list[np.ndarray], labels: list[str | None]) -> None:
    classifier = Classifier.open()
    seen: dict[int, str | None] = {}
    worst, worst_large, ages_s, stamps, sequences = 0.0, 0.0, [], [], []
    with open_camera() as source:
        found = VirtualPicamera2.opened[-1].camera_configuration()
        streams = {
            name: (found[name]["format"], found[name]["size"], found[name]["stride"]) for name in ("main", "lores")
        }
        checks.figure("what the camera made of main and lores", str(streams))
        checks.figure("the colour space that it states", str(found["colour_space"]))
        checks.check("NV12 came where YUV420 was asked for, and is read", {s[0] for s in streams.values()} == {"NV12"})
        started_s = time.monotonic()
        for frame in source.frames():
            image, picture, luma = frame.image, frame.picture(), frame.pixels.luma()
            frame.give_back()
            ages_s.append(time.monotonic() - frame.timestamp_s)
            stamps.append(frame.timestamp_s)
            sequences.append(frame.sequence)
            number, difference = which(image, pictures)
            worst = max(worst, difference)
            half = cv2.resize(picture, (640, 480), interpolation=cv2.INTER_AREA)
            worst_large = max(worst_large, float(np.mean(cv2.absdiff(half, image))))
            if number not in seen:  # so that most pictures of the replay are looked at, also on a busy machine
                seen[number] = classifier.classify(image).label
            if len(seen) == len(pictures) or time.monotonic() - started_s > 400:
                break
        shapes = (image.shape, picture.shape, luma.shape)
        checks.check("lores is classified, main is the picture", shapes[:2] == ((480, 640, 3), (960, 1280, 3)), shapes)
    checks.check("every replayed picture was seen", len(seen) == len(pictures), f"{len(seen)} of {len(pictures)}")
    checks.check("colours are right", worst < _SAME_PICTURE, f"off by {worst:.1f} of 255 levels at most")
    checks.check("both streams show one moment", worst_large < _SAME_PICTURE, f"off by {worst_large:.1f} at most")
    animals = {number: label for number, label in enumerate(labels) if label is not None}
    right = sum(seen.get(number) == label for number, label in animals.items())
    wrong = [
        f"{number}: {seen.get(number)}, not {label}" for number, label in animals.items() if seen.get(number) != label
    ]
    checks.check("every animal gets its label", right == len(animals), f"{right} of {len(animals)} {wrong}")
    checks.check("timestamps rise", all(np.diff(stamps) > 0))
    checks.check("timestamps are of our clock", 0 <= min(ages_s) <= max(ages_s) < 5, f"{max(ages_s):.2f} s at most")
    checks.check("sequence numbers count from 0", sequences == list(range(len(sequences))))


def check_views(checks: Checks, pictures: list[np.ndarray]) -> None:
    turned = {
        "--flip": (Orientation(flip=True), lambda p: p[:, ::-1]),
        "--rotate 90": (Orientation(rotate_deg=90), lambda p: np.rot90(p, -1)),
        "--rotate 180": (Orientation(rotate_deg=180), lambda p: p[::-1, ::-1]),
        "--rotate 270 --flip": (Orientation(True, 270), lambda p: np.rot90(p, 1)[:, ::-1]),
        "--roi 0.25,0.5,0.5,0.25": (Orientation(roi=(0.25, 0.5, 0.5, 0.25)), lambda p: p[240:360, 160:480]),
    }
    for name, (orientation, turn) in turned.items():
        with open_camera(orientation) as source:
            frame = next(source.frames())
            image = frame.image
            frame.give_back()
        expected = [np.ascontiguousarray(turn(picture)) for picture in pictures]
        same_shape = image.shape == expected[0].shape
        difference = which(image, expected)[1] if same_shape else 255.0
        checks.check(
            f"{name} is as a person means it", difference < _SAME_PICTURE, f"{image.shape}, off {difference:.1f}"
        )


def check_trouble(checks: Checks) -> None:
    with open_camera() as source:
        frames = source.frames()
        held = [next(frames)]
        message = _error(lambda: open_camera().__enter__())
        checks.check("a second opening says that the camera is busy", "busy" in message, message[:120])
        started_s = time.monotonic()
        message = _error(lambda: [held.append(next(frames)) for _ in range(10)])
        took_s = time.monotonic() - started_s
        checks.check(
            "a camera without buffers stalls as an error, not for ever", "no more frames" in message, message[:80]
        )
        checks.check(
            "after the time that was set", 2.0 <= took_s < 5.0, f"{took_s:.1f} s of 2 s, {len(held)} frames held"
        )
        for frame in held:
            frame.give_back()
    for _ in range(3):
        with open_camera() as source:
            frame = next(source.frames())
            image = frame.image
            frame.give_back()
    checks.check("it opens again, three times", image.shape == (480, 640, 3))


def check_recovery(checks: Checks) -> None:
    """The whole loop: a camera that stops for 4 s, a runtime that waits for 1."""
    stream = StreamConfig((1280, 960), (640, 480))
    recovery = RecoverySettings(stall_s=1.0, first_wait_s=0.2, give_up_s=30)
    settings = LoopSettings(CameraSettings(source="picamera2"), recovery)
    stop, messages, blind, answers, after = threading.Event(), [], [], 0, 0
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("trailcam_edge").addHandler(handler)
    deadline_s = time.monotonic() + 60
    for event in watch(lambda: open_camera(None, stream, 1.0), Classifier.open(), settings, stop):
        if isinstance(event, BlindTime):
            blind.append(event)
        elif isinstance(event, FrameResult):
            answers += 1
            if answers == 10:
                VirtualPicamera2.hold_s = 4.0
            after += bool(blind)
        if after >= 10 or time.monotonic() > deadline_s:
            stop.set()
    checks.check("the loop opens a stalled camera again and goes on", after >= 10, " | ".join(m[:60] for m in messages))
    seconds = [time_.ended.monotonic_s - time_.started.monotonic_s for time_ in blind]
    checks.check("the blind time is counted", len(blind) == 1 and 2 < seconds[0] < 15, [f"{s:.1f} s" for s in seconds])


def check_rate(checks: Checks) -> None:
    """Frames and memory of a longer run, of a camera that does not pace itself."""
    with open_camera() as source:
        VirtualPicamera2.opened[-1].pre_callback = None
        frames, started_s = source.frames(), time.monotonic()
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(1000):
            frame = next(frames)
            frame.pixels.image()
            frame.give_back()
        rate = 1000 / (time.monotonic() - started_s)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    checks.figure("1000 frames of lores as RGB", f"{rate:.0f} frames/s, memory at most {before_kb // 1024} MB")
    checks.check("memory stays flat", grown_kb < 8 * 1024, f"{grown_kb / 1024:.1f} MB more")


def _error(job: Any) -> str:
    try:
        job()
    except SourceError as error:
        return str(error)
    return "no error"


def main(job: str) -> int:
    picamera2.Picamera2 = VirtualPicamera2
    if job == "open":
        try:
            open_camera()
        except SourceError as error:
            print(error, file=sys.stderr)
        return 0
    checks = Checks()
    pictures, labels = references(), json.loads(Path("/labels.json").read_text())
    check_frames(checks, pictures, labels)
    check_views(checks, pictures)
    check_trouble(checks)
    check_recovery(checks)
    check_rate(checks)
    return checks.finish("inside of the root")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
