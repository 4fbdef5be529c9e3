"""``trailcam train compare``: compare two runs on their common test pictures."""

import argparse
import json
from pathlib import Path

from trailcam.terminal import show_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam train compare``."""
    parser.add_argument("first", type=Path, metavar="RUN", help='a finished run, as "trailcam train" leaves it')
    parser.add_argument("second", type=Path, metavar="RUN", help="another one of the same classes")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder of runs that are named without one (default: runs)",
    )
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    from trailcam_core.datasets.run_directory import read_run
    from trailcam_train.comparison.compare import compare_runs
    from trailcam_train.comparison.render import comparison_record, render_comparison

    first, second = (read_run(_locate(path, arguments.runs)) for path in (arguments.first, arguments.second))
    comparison = compare_runs(first, second)
    if arguments.json:
        print(json.dumps(comparison_record(comparison), ensure_ascii=False, indent=2))
    else:
        show_report(render_comparison(comparison).split("\n"))
    return 0


def _locate(path: Path, runs: Path) -> Path:
    """Return the path of a run; a bare name is below ``runs``, as for ``--resume``."""
    return runs / path if not path.parent.name and not path.is_dir() else path
