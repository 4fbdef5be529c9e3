"""Compare Trailcam with alternatives: whole programs, measured from outside.

    python -m trailcam_project.program_comparison --bundle exports/mine/int8.bundle --keras runs/mine keras mediapipe

Every program gets the same folder of JPEG pictures and prints a line for each; these lines are timed.

    start-up      from the start of the process to the first answer
    per picture   from one answer to the next: decode, crop and resize, invoke, print; after a few for warming up
    peak memory   of the process, as the kernel counts it
    busy cores    processor time divided by time, over these pictures

Programs are run in turns, each several times in a fresh process, every second time backwards. All run with
their default number of threads, which differs: ``--cores 1,2`` gives all of them one core and then two, to separate
the effect of threads. A program that cannot be installed here is a row with the reason.
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
from trailcam_core.errors import SourceError, TrailcamError
from trailcam_core.files.atomic import write_file
from trailcam_core.images.decode import read_image
from trailcam_core.jobs.cores import usable_cores
from trailcam_edge.sources import DEMO_FRAMES, list_pictures
from trailcam_project.program_comparison.alternatives import ALTERNATIVES, ProgramInputs
from trailcam_project.program_comparison.compare_programs import ProgramComparison, compare_programs
from trailcam_project.program_comparison.time_program import WARMUP_PICTURES

_FRAME_PX = (640, 480)


def gather(folder: Path, pictures: Path | None, count: int) -> Path:
    """Fill a folder with ``count`` JPEG pictures: some of ``pictures``, evenly spread, or the built-in frames in turns.

    Raises:
        SourceError: there is no JPEG.
    """
    target = folder / "pictures"
    target.mkdir()
    if pictures is None:
        frames = [cv2.resize(read_image(path), _FRAME_PX) for path in sorted(DEMO_FRAMES.glob("*.webp"))]
        for number in range(count):
            cv2.imwrite(str(target / f"{number:04}.jpg"), frames[number % len(frames)][..., ::-1])
        return target
    paths = [path for path in list_pictures(pictures) if path.suffix.lower() in (".jpg", ".jpeg")]
    if not paths:
        raise SourceError(f"{pictures}: no JPEG pictures, the only format that every program reads.")
    for number in range(min(count, len(paths))):
        shutil.copyfile(paths[number * len(paths) // min(count, len(paths))], target / f"{number:04}.jpg")
    return target


def format_table(comparison: ProgramComparison) -> str:
    """Return the comparison as text for a terminal."""
    head = f"{'cores':>6}{'busy':>6}{'start-up ms':>12}{'p50 ms':>9}{'p90 ms':>9}{'peak MB':>9}"
    lines = [f"{'':20}{head}   x Trailcam: start-up, p50, memory"]
    for row in comparison.programs:
        cores = comparison.cores if row.cores is None else row.cores
        if row.p50_ms is None:
            lines.append(f"{row.name:20}{cores:6}  {row.state}: {row.reason}")
            continue
        ratios = (row.startup_over_ours, row.p50_over_ours, row.peak_over_ours)
        shown = ", ".join("-" if ratio is None else f"{ratio.value:.2f}" for ratio in ratios)
        busy = "-" if row.busy_cores is None else f"{row.busy_cores:.1f}"
        figures = f"{cores:6}{busy:>6}{row.startup_ms:12.0f}{row.p50_ms:9.2f}{row.p90_ms:9.2f}{row.peak_mb or 0:9.0f}"
        lines.append(f"{row.name:20}{figures}   {shown}{f'  ({row.reason})' if row.reason else ''}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print and write; return 1 if the inputs cannot be used, 130 after an interruption."""
    parser = argparse.ArgumentParser(
        prog="python -m trailcam_project.program_comparison",
        description="Compare Trailcam with other programs, from outside, in turns.",
    )
    parser.add_argument("alternatives", nargs="*", metavar="NAME", help=f"of {', '.join(ALTERNATIVES)} (all)")
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
    parser.add_argument(
        "--cache",
        type=Path,
        default=environments_folder(),
        metavar="DIR",
        help="environments of the programs are kept there (%(default)s)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result as JSON")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.alternatives) - set(ALTERNATIVES))
    if unknown:
        parser.error(f"no program {unknown[0]!r}; it is one of {', '.join(ALTERNATIVES)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least 1 is needed")
    if arguments.count < WARMUP_PICTURES + 2:
        parser.error(
            f"--count {arguments.count}: at least {WARMUP_PICTURES + 2} are needed, {WARMUP_PICTURES} to warm up"
        )
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
            inputs = ProgramInputs(arguments.bundle.resolve(), run, labels, pictures)
            alternatives = [ALTERNATIVES[name] for name in arguments.alternatives or ALTERNATIVES]
            comparison = compare_programs(inputs, alternatives, arguments.rounds, arguments.cache, arguments.cores)
    except TrailcamError as error:
        print(f"versus: {error}", file=sys.stderr)
        return 1
    print(format_table(comparison))
    if arguments.out is not None:
        write_file(arguments.out, to_text(comparison))
    return 0 if comparison.complete else 130


def _numbers(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers from 1, such as 1,2")
    return tuple(dict.fromkeys(map(int, text.split(","))))


if __name__ == "__main__":
    sys.exit(main())
