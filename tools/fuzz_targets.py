"""The readers that the fuzzer tries: the sound inputs of each, the call, and its bound of memory."""

import io
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from fuzz_imports import (
    coco,
    detections,
    labelled,
    observations,
    read_coco_file,
    read_detections,
    read_labelled,
    read_observations,
)
from fuzz_recordings import read_stations_table, read_times, recordings, stations
from trailcam_core.bundle.golden_file import parse_golden
from trailcam_core.bundle.labels import read_labels
from trailcam_core.bundle.manifest import parse_manifest
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, SourceError
from trailcam_core.images.decode import decode_image, read_image
from trailcam_core.inference.first_opening import prove_opening
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.release.delta import apply_delta
from trailcam_core.spec import InputSpec
from trailcam_edge.config.camera_toml import parse_config
from trailcam_edge.sources import DEMO_FRAMES, VideoSource
from trailcam_edge.sources.opencv_capture import open_ffmpeg

_ROOT = Path(__file__).resolve().parents[1]
_SPEC = InputSpec(128, 128, "crop")
_BASE = b"the file that the camera has, " * 40


@dataclass(frozen=True)
class Target:
    """One reader: its sound inputs, the call, and the peak memory in MB that one input may add."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    memory_mb: int
    batch: int = 50  # inputs of one forked process


def _pictures() -> list[bytes]:
    image = cv2.resize(read_image(DEMO_FRAMES / "cat_1.webp"), (96, 72))
    clear = np.dstack([image, np.full(image.shape[:2], 99, np.uint8)])
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    files = [cv2.imencode(suffix, image)[1].tobytes() for suffix in (".jpg", ".png", ".webp", ".bmp")]
    files += [cv2.imencode(suffix, clear)[1].tobytes() for suffix in (".png", ".webp")]
    deep = cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes()
    return [*files, deep, cv2.imencode(".jpg", image, progressive)[1].tobytes()]


def _videos() -> list[bytes]:
    image, found = cv2.resize(read_image(DEMO_FRAMES / "cat_1.webp"), (64, 48)), []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in ((".avi", "MJPG"), (".mp4", "mp4v"), (".mkv", "mp4v"), (".avi", "XVID")):
            path = Path(folder) / f"clip{suffix}"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (64, 48))
            for shift in range(12):
                writer.write(np.roll(image, shift, axis=1))
            writer.release()
            found.append(path.read_bytes())
    return found


def _models() -> list[bytes]:
    return [path.read_bytes() for path in sorted((_ROOT / "tests/core/fixtures").glob("*.tflite"))]


def _golden() -> list[bytes]:
    content = (BUILTIN_BUNDLE / "golden.npz").read_bytes()
    plain = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as packed, zipfile.ZipFile(plain, "w") as archive:
        for name in packed.namelist():
            archive.writestr(name, packed.read(name))
    return [content, plain.getvalue()]


def _open_model(content: bytes, place: Path) -> None:
    place.write_bytes(content)
    model = TFLiteModel(place, value_range=(0.0, 1.0))
    model.invoke(np.zeros(model.input.shape, np.uint8))


def _read_video(content: bytes, place: Path) -> None:
    place.write_bytes(content)
    capture = open_ffmpeg(place)
    while capture.read()[0]:
        continue


def _read_labels(content: bytes, place: Path) -> None:
    place.write_bytes(content)
    read_labels(place)


def _read_config(content: bytes, place: Path) -> None:
    parse_config(content.decode(errors="replace"), "trailcam.toml", place.parent)


def _apply_delta(content: bytes, place: Path) -> None:
    place.write_bytes(content)
    apply_delta(_BASE, place, place.with_suffix(".out"), 100_000, "0" * 64)


def _delta() -> bytes:
    packer = zstd.ZstdCompressor(zstd_dict=zstd.ZstdDict(_BASE, is_raw=True).as_prefix)
    return packer.compress(_BASE[50:] + b"and more") + packer.flush()


TARGETS: dict[str, Target] = {
    "pictures": Target(_pictures, lambda content, _: decode_image(content, "picture", _SPEC), 200),
    "manifest": Target(
        lambda: [(BUILTIN_BUNDLE / "manifest.json").read_bytes()], lambda content, _: parse_manifest(content), 100
    ),
    "golden": Target(_golden, lambda content, _: parse_golden(content, _SPEC, 10), 100),
    "labels": Target(lambda: [b"cat\ndog\n", b"0 cat\n1 dog\n", "\u06af\u200c\u0633\n".encode()], _read_labels, 50),
    "configuration": Target(
        lambda: [(_ROOT / "edge/trailcam_edge/data/trailcam.toml").read_bytes().replace(b"\n# ", b"\n")],
        _read_config,
        50,
    ),
    "times": Target(recordings, read_times, 50),
    "stations": Target(stations, read_stations_table, 50),
    "megadetector": Target(detections, read_detections, 50),
    "coco": Target(coco, read_coco_file, 50),
    "labelled-csv": Target(labelled, read_labelled, 50),
    "camtrap-dp": Target(observations, read_observations, 50),
    "deltas": Target(lambda: [_delta(), zstd.compress(_BASE)], _apply_delta, 200),
    "models": Target(_models, _open_model, 1_000),
    "videos": Target(_videos, _read_video, 200),
}


def _contains_model(content: bytes, place: Path) -> bool:
    place.write_bytes(content)
    try:
        prove_opening(place)
    except BundleError as error:
        return "made the interpreter" in str(error)
    return False


def _contains_video(content: bytes, place: Path) -> bool:
    place.write_bytes(content)
    errors: list[SourceError] = []
    try:
        with VideoSource(place, on_bad_frame=errors.append) as source:
            for frame in source.frames():
                frame.give_back()
    except SourceError as error:
        errors.append(error)
    return bool(errors)


# Whether a command turns the death of the reader into an error.
CONTAINED = {"models": _contains_model, "videos": _contains_video}
