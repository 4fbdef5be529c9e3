"""``trailcam classify``: classify picture files, folders and archives."""

import argparse
from pathlib import Path

from trailcam.commands.classify.printed import csv_writer, print_answers, show_json, show_text
from trailcam.commands.classify.to_file import add_file_arguments, classify_to_file
from trailcam.logs import configure_logging
from trailcam.model_options import add_model_arguments, open_classifier, usage_error
from trailcam_archive.batch.listing import read_shard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam classify``."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="pictures, clips, folders that are searched, or addresses of pictures"
    )
    add_model_arguments(parser)
    results = parser.add_argument_group("results")
    results.add_argument(
        "--zoom",
        action="store_true",
        help="if the whole picture names nothing, classify its most conspicuous part, a small animal; needs a bundle "
        'of "trailcam export --zoom"',
    )
    results.add_argument("--top", type=int, default=3, metavar="N", help="candidates to list (default 3)")
    form = results.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per picture and line")
    form.add_argument("--csv", action="store_true", help="one CSV row per picture")
    form.add_argument(
        "--out",
        metavar="FILE",
        help="write rows to .csv, .jsonl, .parquet, or .json as MegaDetector does, with all cores; the same command "
        "goes on after a stop",
    )
    results.add_argument(
        "--shard",
        type=_shard,
        default=read_shard("1/1"),
        metavar="I/N",
        help="do part I of N: one part for each job of a cluster scheduler",
    )
    add_file_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify every picture; an unreadable one is reported, the others go on, and the exit code is 1."""
    configure_logging()
    if arguments.out is not None:
        if arguments.threads is not None:
            usage_error("--threads prints answers: with --out each worker has one thread, and --jobs sets their number")
        return classify_to_file(arguments)
    for name in ("jobs", "boxes", "sort_into", "threshold", "ray", "timezone", "shift"):
        if getattr(arguments, name) is not None:
            usage_error(f"--{name.replace('_', '-')} belongs to --out FILE")
    form = "--json" if arguments.json else "--csv" if arguments.csv else ""
    for name in arguments.paths:
        if form and name.endswith((".csv", ".json", ".jsonl")) and not Path(name).exists():
            usage_error(f"{form} prints: write {form} PATH > {name}, or use --out {name}, with all cores")
    classifier = open_classifier(arguments)
    if arguments.zoom:
        classifier.check_zoom()
    show = show_json if arguments.json else csv_writer() if arguments.csv else show_text
    top = max(1, arguments.top)
    return 1 if print_answers(arguments.paths, classifier, top, show, arguments.shard, arguments.zoom) else 0


def _shard(text: str) -> object:
    try:
        return read_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
