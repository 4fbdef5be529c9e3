"""``trailcam export``: turn a run into bundles and measure what that cost."""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from trailcam.native_log import quiet_native_log
from trailcam.progress import terminal_progress
from trailcam_edge.errors import TrailcamError
from trailcam_edge.progress import Progress
from trailcam_export.presets import DEFAULT_PRESET, PRESETS, find_preset

__all__ = ["add_arguments", "run"]

_CHECK_FAILED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam export``."""
    parser.add_argument("run", type=Path, metavar="RUN", help='a finished run, as "trailcam train" leaves it')
    parser.add_argument("--data", type=Path, metavar="DIR", help="its pictures (default: where training found them)")
    parser.add_argument("--out", type=Path, default=Path("exports"), metavar="DIR", help="default: exports")
    parser.add_argument("--name", metavar="NAME", help="name of the bundles (default: the run's name)")
    parser.add_argument("--version", default="1.0.0", metavar="X.Y.Z", help="version of the bundles (default 1.0.0)")
    parser.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="up to 8 pictures that travel in the bundles as golden vectors (default: some of the test split)",
    )
    parser.add_argument(
        "--others", type=Path, metavar="DIR", help='pictures of none of the labels, to measure "unknown" on'
    )
    parser.add_argument(
        "--gate",
        default=DEFAULT_PRESET,
        metavar="NAME|FILE",
        help=f"how much drift is too much: {', '.join(PRESETS)}, or a TOML file of your own (default {DEFAULT_PRESET})",
    )
    parser.add_argument(
        "--gate-inconclusive",
        choices=("pass", "fail"),
        default="pass",
        help="whether what too few test pictures cannot decide gives exit code 3 (default: pass)",
    )
    parser.add_argument(
        "--fix", action="store_true", help="when int8 does not pass, keep the layers that hurt in float until it does"
    )
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Export, print the report, and return 3 if the drift of a variant is too large."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read by TensorFlow when it is imported
    with _quiet_progress() as progress:
        from trailcam_export.export import export_run
        from trailcam_export.plan import ExportRequest

        report = export_run(
            ExportRequest(
                run=arguments.run,
                data=arguments.data,
                out=arguments.out,
                name=arguments.name,
                version=arguments.version,
                golden=arguments.golden,
                others=arguments.others,
                gate=find_preset(arguments.gate),
                inconclusive_fails=arguments.gate_inconclusive == "fail",
                fix=arguments.fix,
            ),
            progress,
        )
    from trailcam_export.summary import describe_export, export_record

    if arguments.json:
        print(json.dumps(export_record(report), ensure_ascii=False, indent=2))
    else:
        print("\n".join(describe_export(report)))
    return 0 if report.passed else _CHECK_FAILED


@contextmanager
def _quiet_progress() -> Iterator[Progress]:
    """Show progress, and native code's chatter only if something goes wrong that we have no words for."""
    failure: BaseException | None = None
    terminal = os.fdopen(os.dup(2), "w")
    with terminal, quiet_native_log(), redirect_stderr(terminal), terminal_progress() as progress:
        try:
            yield progress
        except (TrailcamError, OSError, KeyboardInterrupt) as error:
            failure = error
    if failure is not None:
        raise failure
