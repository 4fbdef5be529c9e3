"""``trailcam classify``: classify picture files and folders."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trailcam.json_records import answer_record, named
from trailcam.logs import configure_logging
from trailcam.model_options import add_model_arguments, open_classifier
from trailcam.streams import csv_text
from trailcam_core.classifier import Classification
from trailcam_core.errors import SourceError
from trailcam_core.files.names import printable
from trailcam_core.images.boxes import Box
from trailcam_core.images.decode import read_image
from trailcam_edge.sources import list_pictures

Show = Callable[[Path, "Classification | SourceError"], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam classify``."""
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="pictures, or folders that are searched")
    add_model_arguments(parser)
    parser.add_argument(
        "--zoom",
        action="store_true",
        help="if the whole picture names nothing, classify its most conspicuous part, a small animal; needs a bundle "
        'of "trailcam export --zoom"',
    )
    parser.add_argument("--top", type=int, default=3, metavar="N", help="candidates to list (default 3)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per picture and line")
    form.add_argument("--csv", action="store_true", help="one CSV row per picture")


def run(arguments: argparse.Namespace) -> int:
    """Classify every picture; an unreadable one is reported, the others go on, and the exit code is 1."""
    configure_logging()
    classifier = open_classifier(arguments)
    if arguments.zoom:
        classifier.check_zoom()
    top = max(1, arguments.top)
    show: Show = _show_json if arguments.json else _csv_writer() if arguments.csv else _show_text
    failures = 0
    for path, problem in _expand(arguments.paths):
        answer: Classification | SourceError
        try:
            if problem is not None:
                answer = problem
            elif arguments.zoom:
                answer = classifier.look_twice(read_image(path), top)  # as large as it is: the part is cut from it
            else:
                answer = classifier.classify_file(path, top)
        except SourceError as error:
            answer = error
        failures += isinstance(answer, SourceError)
        show(path, answer)
    return 1 if failures else 0


def _expand(paths: list[Path]) -> Iterator[tuple[Path, SourceError | None]]:
    """Yield each picture; a folder without one is yielded itself, with its error."""
    for path in paths:
        if not path.is_dir():
            yield path, None
            continue
        try:
            for picture in list_pictures(path):
                yield picture, None
        except SourceError as error:
            yield path, error


def _show_text(path: Path, answer: Classification | SourceError) -> None:
    if isinstance(answer, SourceError):
        print(f"trailcam: {printable(str(answer))}", file=sys.stderr)
        return
    best = ", ".join(f"{candidate.label} {candidate.probability:.1%}" for candidate in answer.top)
    place = "" if answer.box is None else f"; at {_place(answer.box)}"
    print(f"{printable(str(path))}: {named(answer)}  ({best}; {answer.latency_ms:.1f} ms{place})", flush=True)


def _place(box: Box) -> str:
    return ", ".join(f"{name} {value:.0%}" for name, value in asdict(box).items())


def _show_json(path: Path, answer: Classification | SourceError) -> None:
    record: dict[str, Any] = {"path": str(path)}
    if isinstance(answer, SourceError):
        record["error"] = str(answer)
    else:
        record |= answer_record(answer)
    print(json.dumps(record, ensure_ascii=False), flush=True)


def _csv_writer() -> Show:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "label", "confidence", "latency_ms", "error"])

    def show(path: Path, answer: Classification | SourceError) -> None:
        if isinstance(answer, SourceError):
            writer.writerow([csv_text(path), "", "", "", csv_text(answer)])
        else:
            label = csv_text(named(answer))
            writer.writerow([csv_text(path), label, f"{answer.confidence:.6f}", f"{answer.latency_ms:.3f}", ""])

    return show
