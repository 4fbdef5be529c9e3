"""``trailcam data``: check, download, import or cut out photographs, before a training or a field test."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.help.numbers import fraction
from trailcam.progress import job_progress
from trailcam.terminal import show_note, show_report
from trailcam_core.errors import DataError
from trailcam_core.errors.command_line import command_line
from trailcam_core.files.names import printable

if TYPE_CHECKING:
    from trailcam_train.data.dataset import Dataset

_CHECK_FAILED = 3
_HEADINGS = ("class  ", "    ")  # of the tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam data``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="check a folder", description=_CHECK, allow_abbrev=False)
    check.add_argument("data", type=Path, metavar="DATA", help="folder with one folder of pictures per class")
    check.add_argument("--json", action="store_true", help="everything as one JSON object")
    check.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with pictures")
    check.add_argument("--quarantine", type=Path, metavar="DIR", help="move unreadable files and exact copies there")
    check.add_argument(
        "--label-map",
        metavar="MAP",
        help="animals10, none, or a TOML file of folder = label (default: detected from the folders)",
    )
    fetch = actions.add_parser("fetch", help="download a data set", description=_FETCH, allow_abbrev=False)
    fetch.add_argument("name", choices=["animals10"], help="name of the data set")
    fetch.add_argument(
        "--to", type=Path, default=Path("animals10"), metavar="DIR", help="target folder (default: animals10)"
    )
    importing = actions.add_parser(
        "import", help="make a data set of other programs' labels", description=_IMPORT, allow_abbrev=False
    )
    importing.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=_SOURCES)
    importing.add_argument("--out", type=Path, required=True, metavar="DATA", help="data set to make, or to add to")
    importing.add_argument("--media", type=Path, metavar="DIR", help="folder of the pictures, if they lie elsewhere")
    importing.add_argument(
        "--min-confidence", type=fraction, default=0.8, metavar="P", help="of labels that a model gave (default 0.8)"
    )
    importing.add_argument("--fetch", action="store_true", help="fetch pictures that are web addresses")
    cutting = actions.add_parser(
        "cutouts", help="cut animals out for a field test", description=_CUT_OUTS, allow_abbrev=False
    )
    cutting.add_argument("photos", type=Path, metavar="PHOTOS", help="folder with one folder of photographs per label")
    cutting.add_argument("--out", type=Path, required=True, metavar="CUTOUTS", help="folder to make, or to go on with")
    cutting.add_argument(
        "--run", type=Path, metavar="RUN", help="only the test pictures of this training, which learned from the others"
    )
    cutting.add_argument("--label-map", metavar="MAP", help="as for check")
    restore = actions.add_parser(
        "restore", help="restore the files of a quarantine", description=_RESTORE, allow_abbrev=False
    )
    restore.add_argument("quarantine", type=Path, metavar="DIR", help='folder that "--quarantine" made')


_CHECK = (
    "Read every picture and compare all of them: unreadable and odd files, sizes, class balance, copies within and "
    "across classes. Nothing is changed without --quarantine. The exit code is 3 if a training would refuse the folder."
)
_IMPORT = (
    "Cut out the labelled animals as a camera does, into folders of their label and of their camera and sequence; "
    "scenes without an animal become negatives. The same command goes on after a stop, and adds nothing twice."
)
_SOURCES = (
    "a store with reviews, Camtrap DP, COCO Camera Traps, MegaDetector output of sorted folders, or a CSV file of file "
    "and label"
)
_CUT_OUTS = (
    "Separate the animal of each photograph from its surroundings, for trailcam benchmark --field. The page index.html "
    "shows all of them: delete those that are no animal. The same command goes on after a stop."
)
_FETCH = "Download Animals-10 with kagglehub, unpack it and read every picture."
_RESTORE = "Move every file of a quarantine folder back to its original place."


def run(arguments: argparse.Namespace) -> int:
    """Check, fetch, import, cut out or restore."""
    actions = {"check": _check, "fetch": _fetch, "import": _import, "cutouts": _cut_out, "restore": _restore}
    return actions[arguments.action](arguments)


def _check(arguments: argparse.Namespace) -> int:
    from trailcam_core.files.atomic import write_file
    from trailcam_train.data.class_names import choose_label_map
    from trailcam_train.data.data_check import check_data, to_record
    from trailcam_train.data.dataset import list_class_folders, survey_dataset
    from trailcam_train.data.near_duplicates import find_duplicates
    from trailcam_train.reports.data_check_report import render_html, render_text

    label_map = choose_label_map(list_class_folders(arguments.data), arguments.label_map)
    if arguments.label_map is None and any(folder != label for folder, label in label_map.items()):
        print("The folders are those of Animals-10: labels are English (--label-map none keeps them).", file=sys.stderr)
    with job_progress() as progress:
        dataset = survey_dataset(arguments.data, label_map, progress)
        check = check_data(dataset, find_duplicates(dataset, progress))
    if arguments.report is not None:
        write_file(arguments.report, render_html(check).encode("utf-8"))
        print(f"Report with pictures: {arguments.report}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(to_record(check), ensure_ascii=False, indent=2))
    else:
        lines = printable(render_text(check), keep="\n").split("\n")
        show_report(lines, headings=[number for number, line in enumerate(lines) if line.startswith(_HEADINGS)])
    if arguments.quarantine is not None:
        _quarantine(dataset, arguments.quarantine)
    return _CHECK_FAILED if check.problems else 0


def _quarantine(dataset: "Dataset", folder: Path) -> None:
    from trailcam_train.data.quarantine import JOURNAL, move_files, plan_moves

    moves = plan_moves(dataset)
    if not moves:
        print("Nothing to move.", file=sys.stderr)
        return
    move_files(dataset.root, moves, folder)
    print(
        f"Moved {len(moves):,} files to {folder}, listed in {folder / JOURNAL}. "
        f'Take it back with "{command_line("data", "restore", folder)}".',
        file=sys.stderr,
    )


def _fetch(arguments: argparse.Namespace) -> int:
    from trailcam_train.data.animals10 import fetch_animals10, kaggle_download

    with job_progress() as progress:
        dataset = fetch_animals10(arguments.to, kaggle_download, progress)
    print(f"{arguments.to}: {len(dataset.pictures):,} pictures of {', '.join(dataset.labels)}")
    if dataset.unreadable:
        print(f"{len(dataset.unreadable):,} files do not decode; a training leaves them out.", file=sys.stderr)
    check, train = command_line("data", "check", arguments.to), command_line("train", arguments.to)
    show_note(f'next: "{check}", then "{train}"', sys.stderr)
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from trailcam_train.data.quarantine import restore_files

    restored = restore_files(arguments.quarantine)
    print(f"{len(restored):,} files are back in their place")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from trailcam_archive.imports.dataset import ImportRules, import_samples
    from trailcam_archive.imports.sources import read_source
    from trailcam_archive.imports.store import is_store

    failed = False
    has_store = any(is_store(source) for source in arguments.sources)
    rules = ImportRules(arguments.min_confidence, arguments.fetch)
    with job_progress() as progress:
        for source in arguments.sources:
            summary = import_samples(read_source(source, arguments.media), arguments.out, rules, progress)
            failed = failed or bool(summary.problems)
            print("\n".join([f"{printable(str(source))}:", *summary.lines()]))
    if not any((arguments.out / name).exists() for name in ("photos", "negatives")):
        reason = "because no labelled picture could be read. The lines above name the cause."
        if has_store and not failed:
            reason = (
                "because no picture has a reviewed answer. Visits are imported once they are reviewed: "
                '"trailcam review STORE".'
            )
        raise DataError(f"{arguments.out}: nothing was imported, {reason}")
    if not (arguments.out / "photos").exists():
        print(f"No picture of an animal yet: {arguments.out}/negatives is for --negatives of a training.")
        return 1 if failed else 0
    negatives = arguments.out / "negatives"
    words = ["--negatives", negatives] if negatives.exists() else []
    print(f"Train on it: {command_line('train', arguments.out / 'photos', '--group-by', 'folder', *words)}")
    return 1 if failed else 0


def _cut_out(arguments: argparse.Namespace) -> int:
    from trailcam_benchmarks.field.cut_outs.make import make_cut_outs
    from trailcam_benchmarks.field.cut_outs.page import PAGE, render_cut_outs
    from trailcam_benchmarks.results.rows import Picture
    from trailcam_benchmarks.session.accuracy_pictures import find_pictures
    from trailcam_core.datasets.run_directory import check_pictures, read_run
    from trailcam_core.files.atomic import write_file
    from trailcam_train.data.class_names import choose_label_map

    with job_progress() as progress:
        if arguments.run is None:
            found = find_pictures(arguments.photos)
            labels = choose_label_map({picture.label for picture in found}, arguments.label_map)
            pictures = [Picture(picture.path, labels[picture.label]) for picture in found]
        else:
            rows = read_run(arguments.run).pictures("test")
            check_pictures(rows, arguments.photos, progress)
            pictures = [Picture(arguments.photos / row.file, row.label) for row in rows]
        summary = make_cut_outs(pictures, arguments.photos, arguments.out, progress)
    write_file(arguments.out / PAGE, render_cut_outs(arguments.out).encode("utf-8"))
    print(printable("\n".join(summary.lines()), keep="\n"))
    measure = command_line("benchmark", "BUNDLE", "--field", "SCENES", arguments.out)
    show_note(f'next: open {arguments.out / PAGE}, delete what is no whole animal, then "{measure}"', sys.stderr)
    return 0
