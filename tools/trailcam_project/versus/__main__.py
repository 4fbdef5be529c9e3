"""Trailcam against what a person might use instead: whole programs, looked at from outside.

    python -m trailcam_project.versus --bundle exports/mine/int8.bundle --keras runs/mine label_image mediapipe keras

Every program gets the same folder of JPEG pictures and prints a line for each; what is timed are these lines.

    start-up      from the start of the process to the first answer
    per picture   from one answer to the next: decode, crop and resize, invoke, print; after a few for warming up
    peak memory   the most that the process held, as the kernel counts it
    busy cores    processor time by time, over these pictures: how many threads really worked

Programs are run in turns, each several times in a fresh process, every second time backwards. All are used as they
come, with the threads they choose themselves, and they choose differently: ``--cores 1,2`` gives all of them one core
and then two, so that it can be told what comes of threads. A program that cannot be had here is a row that says why.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2

from trailcam_benchmarks.host.virtual_environments import environments_folder
from trailcam_benchmarks.results.schema import to_text
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.cores import usable_cores
from trailcam_core.errors import SourceError, TrailcamError
from trailcam_core.files.atomic import write_file
from trailcam_core.images.decode import read_image
from trailcam_edge.sources import DEMO_FRAMES, list_pictures
from trailcam_project.versus.compare_programs import WARMUP_PICTURES, Contest, run_contest
from trailcam_project.versus.competitors import RIVALS, Material

__all__ = ["gather", "main", "table"]

_FRAME_PX = (640, 480)


def gather(folder: Path, pictures: Path | None, count: int) -> Path:
    """Fill a folder with ``count`` JPEG pictures: some of ``pictures``, evenly spread, or the built-in frames in turns.

    Raises:
        SourceError: there is no JPEG.
    """
    place = folder / "pictures"
    place.mkdir()
    if pictures is None:
        frames = [cv2.resize(read_image(path), _FRAME_PX) for path in sorted(DEMO_FRAMES.glob("*.webp"))]
        for number in range(count):
            cv2.imwrite(str(place / f"{number:04}.jpg"), frames[number % len(frames)][..., ::-1])
        return place
    paths = [path for path in list_pictures(pictures) if path.suffix.lower() in (".jpg", ".jpeg")]
    if not paths:
        raise SourceError(f"{pictures}: no JPEG pictures, which is what every program reads.")
    for number in range(min(count, len(paths))):
        shutil.copyfile(paths[number * len(paths) // min(count, len(paths))], place / f"{number:04}.jpg")
    return place


def table(contest: Contest) -> str:
    """Return the comparison as text for a terminal."""
    head = f"{'cores':>6}{'busy':>6}{'start-up ms':>12}{'p50 ms':>9}{'p90 ms':>9}{'peak MB':>9}"
    lines = [f"{'':20}{head}   x Trailcam: start-up, p50, memory"]
    for row in contest.programs:
        cores = contest.cores if row.cores is None else row.cores
        if row.p50_ms is None:
            lines.append(f"{row.name:20}{cores:6}  {row.state}: {row.reason}")
            continue
        ratios = (row.startup_over_ours, row.p50_over_ours, row.peak_over_ours)
        said = ", ".join("-" if ratio is None else f"{ratio.value:.2f}" for ratio in ratios)
        busy = "-" if row.busy_cores is None else f"{row.busy_cores:.1f}"
        figures = f"{cores:6}{busy:>6}{row.startup_ms:12.0f}{row.p50_ms:9.2f}{row.p90_ms:9.2f}{row.peak_mb or 0:9.0f}"
        lines.append(f"{row.name:20}{figures}   {said}{f'  ({row.reason})' if row.reason else ''}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print and write; 1 where the material cannot be used, 130 after an interruption."""
    parser = argparse.ArgumentParser(description="Trailcam against other programs, from outside, in turns.")
    parser.add_argument("rivals", nargs="*", metavar="NAME", help=f"of {', '.join(RIVALS)} (all)")
    parser.add_argument("--bundle", type=Path, default=BUILTIN_BUNDLE, metavar="DIR", help="TFLite; default: built in")
    parser.add_argument("--keras", type=Path, metavar="RUN", help="the training that the bundle came from")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="JPEG pictures; default: the built-in frames")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="pictures (100)")
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="of each program (6)")
    parser.add_argument(
        "--cores",
        type=_numbers,
        default=(),
        metavar="N,N",
        help="that all programs may use, one after the other; default: those of this process",
    )
    parser.add_argument("--cache", type=Path, default=environments_folder(), metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result as JSON")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.rivals) - set(RIVALS))
    if unknown or arguments.rounds < 1 or arguments.count < WARMUP_PICTURES + 2:
        parser.error(f"no program {unknown[0]!r}" if unknown else "too few rounds or pictures")
    usable = usable_cores()
    if any(cores > usable for cores in arguments.cores):
        parser.error(f"--cores {max(arguments.cores)}: this process may use {usable}")
    try:
        with tempfile.TemporaryDirectory(prefix="trailcam-versus-") as scratch:
            bundle = open_bundle(arguments.bundle)
            labels = Path(scratch) / "labels.json"
            labels.write_text(json.dumps(bundle.manifest.output.labels), encoding="utf-8")
            pictures = gather(Path(scratch), arguments.pictures, arguments.count)
            run = None if arguments.keras is None else arguments.keras.resolve()
            material = Material(arguments.bundle.resolve(), run, labels, pictures)
            rivals = [RIVALS[name] for name in arguments.rivals or RIVALS]
            contest = run_contest(material, rivals, arguments.rounds, arguments.cache, arguments.cores)
    except TrailcamError as error:
        print(f"versus: {error}", file=sys.stderr)
        return 1
    print(table(contest))
    if arguments.out is not None:
        write_file(arguments.out, to_text(contest))
    return 0 if contest.complete else 130


def _numbers(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers from 1, such as 1,2")
    return tuple(dict.fromkeys(map(int, text.split(","))))


if __name__ == "__main__":
    sys.exit(main())
