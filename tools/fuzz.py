"""Fuzz every reader of files from outside: mutated inputs must give a result or an error of Trailcam.

    make fuzz                                      every target of the table, for 10 minutes in all
    make fuzz TARGETS="pictures models" MINUTES=60 only these

Each input is read in a process that is forked from this one, so that a crash costs one input. A target fails with an
exception that is no ``TrailcamError``, a signal, more peak memory than its bound, or more than 30 s. Failing inputs are
written to ``.fuzz/``; exit code 3 if there are any. A short run is part of the tests.

LiteRT and OpenCV abort on some files; that fails only if the child process of the commands does not contain it.
"""

import argparse
import faulthandler
import io
import os
import random
import signal
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from fuzz_recordings import read_stations_table, read_times, recordings, stations
from trailcam_core.bundle.golden_file import parse_golden
from trailcam_core.bundle.labels import read_labels
from trailcam_core.bundle.manifest import parse_manifest
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, SourceError, TrailcamError
from trailcam_core.images.decode import decode_image, read_image
from trailcam_core.inference.first_opening import prove_opening
from trailcam_core.inference.tflite import TFLiteModel
from trailcam_core.release.delta import apply_delta
from trailcam_core.spec import InputSpec
from trailcam_edge.config.camera_toml import parse_config
from trailcam_edge.sources import DEMO_FRAMES, VideoSource
from trailcam_edge.sources.opencv_capture import open_ffmpeg

_ROOT = Path(__file__).resolve().parents[1]
_LONGEST_S = 30
_BATCH = 50  # inputs of one forked process
_NUMBERS = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SPEC = InputSpec(128, 128, "crop")
_BASE = b"the file that the camera has, " * 40


@dataclass(frozen=True)
class Target:
    """One reader: its sound inputs, the call, and the peak memory in MB that one input may add."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    memory_mb: int
    batch: int = _BATCH


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
    "deltas": Target(lambda: [_delta(), zstd.compress(_BASE)], _apply_delta, 200),
    "models": Target(_models, _open_model, 1_000),
    "videos": Target(_videos, _read_video, 200),
}


def mutate(seeds: list[bytes], draw: random.Random) -> bytes:
    """Return a seed with one to four changes: bytes, numbers of 2 or 4 bytes, cuts, copies, parts of other seeds."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4))):
        if len(content) < 8:
            break
        place, size = draw.randrange(len(content) - 4), draw.randrange(1, 64)
        kind = draw.randrange(7)
        if kind == 0:
            content[place] = draw.randrange(256)
        elif kind == 1:
            content[place] ^= 1 << draw.randrange(8)
        elif kind == 2:
            struct.pack_into(draw.choice("<>") + "I", content, place, draw.choice(_NUMBERS))
        elif kind == 3:
            struct.pack_into(draw.choice("<>") + "H", content, place, draw.choice(_NUMBERS) & 0xFFFF)
        elif kind == 4:
            del content[place : draw.choice((place + size, len(content)))]
        elif kind == 5:
            content[place:place] = content[place : place + size]
        else:
            content[place : place + size] = draw.choice(seeds)[place : place + size]
    return bytes(content)


def run_target(name: str, seed: int, end_s: float, most: int, kept: Path) -> Iterator[str]:
    """Yield a line for each failure of a target, until ``end_s`` or after ``most`` inputs, and then a summary."""
    target, seeds = TARGETS[name], TARGETS[name].seeds()
    tried = contained = highest_mb = 0
    with tempfile.TemporaryDirectory() as folder:
        while tried < most and time.monotonic() < end_s:
            count = min(target.batch, most - tried)
            report = Path(folder) / "report"
            report.write_text("0 0")
            pid = os.fork()
            if not pid:
                _be_child(target, seeds, (seed, tried, count), Path(folder))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            done, memory_mb, *problem = report.read_text().split(" ", 2)
            highest_mb = max(highest_mb, int(memory_mb))
            if status == 0:
                tried += count
                continue
            number = tried + int(done)
            tried = number + 1
            content = mutate(seeds, _draw(seed, number))
            if status < 0 and name in _CONTAINED and _CONTAINED[name](content, Path(folder) / "again.tflite"):
                contained += 1
                continue
            path = kept / f"{name}-{seed}-{number}.bin"
            path.write_bytes(content)
            reason = problem[0] if problem else signal.Signals(-status).name if status < 0 else f"exit code {status}"
            yield f"{name}: {path.name}: {reason}"
    yield f"{name}: {tried} inputs, at most {highest_mb} MB for one" + (f", {contained} contained" if contained else "")


def _draw(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed} {number}")  # noqa: S311 - repeatable mutations, no secret


def _be_child(target: Target, seeds: list[bytes], numbers: tuple[int, int, int], folder: Path) -> None:
    """Read inputs until one fails, and exit."""
    faulthandler.disable()  # which pytest turns on
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    seed, first, count = numbers
    highest_mb, problem, position = 0, "", 0
    for position in range(count):
        content = mutate(seeds, _draw(seed, first + position))
        (folder / "report").write_text(f"{position} {highest_mb}")
        signal.alarm(_LONGEST_S)
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak begins again
        before_mb = _peak_mb()
        try:
            target.read(content, folder / "input")
        except TrailcamError:
            problem = ""
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        used_mb = _peak_mb() - before_mb
        highest_mb = max(highest_mb, used_mb)
        if used_mb > target.memory_mb:
            problem = f"{used_mb} MB, expected at most {target.memory_mb}"
        if problem:
            break
    (folder / "report").write_text(f"{position} {highest_mb} {problem}".rstrip())
    os._exit(1 if problem else 0)


def _peak_mb() -> int:
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) // 1000


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
_CONTAINED = {"models": _contains_model, "videos": _contains_video}


def main() -> int:
    """Run the command line; return 3 if an input failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together, default 10")
    parser.add_argument("--inputs", type=int, default=10**9, help="most inputs of each target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the mutations, default the time")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no target {unknown.pop()!r}; there are {', '.join(TARGETS)}")
    kept = Path(".fuzz")
    kept.mkdir(exist_ok=True)
    failed = 0
    for name in names:
        end_s = time.monotonic() + arguments.minutes * 60 / len(names)
        *failures, summary = run_target(name, arguments.seed, end_s, arguments.inputs, kept)
        failed += len(failures)
        print(*failures, summary, sep="\n", flush=True)
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
