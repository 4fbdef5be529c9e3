"""``trailcam benchmark``: measure bundles against the bare interpreter call."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from trailcam.native_log import quiet_native_log
from trailcam.progress import terminal_progress
from trailcam_benchmarks.latency import FRAME_HEIGHT_PX, FRAME_WIDTH_PX, LatencyBench, LatencyReport

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam benchmark``."""
    parser.add_argument("bundles", type=Path, nargs="*", metavar="BUNDLE", help="default: the built-in one")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of one inference (default 1)")
    parser.add_argument("--frames", type=int, default=1024, metavar="N", help="frames to time (default 1024)")
    parser.add_argument("--json", action="store_true", help="one JSON object per bundle and line")


def run(arguments: argparse.Namespace) -> int:
    """Measure every bundle and print a line each."""
    reports = []
    threads, frames = max(1, arguments.threads), max(1, arguments.frames)
    with terminal_progress() as progress:
        for bundle in arguments.bundles or [None]:
            with quiet_native_log():
                bench = LatencyBench(bundle, threads)
            reports.append(bench.run(frames, progress))
    for report in reports:
        print(json.dumps(asdict(report)) if arguments.json else _describe(report))
    return 0


def _describe(report: LatencyReport) -> str:
    rows = "\n".join(
        f"  {name:<10}{times.p50_ms:>8.2f}{times.p90_ms:>8.2f}{times.p99_ms:>8.2f}{times.worst_ms:>8.2f}"
        for name, times in (("floor", report.floor), ("classify", report.classify), ("decode", report.decode))
    )
    return (
        f"{report.bundle} {report.scheme}, {report.size_bytes / 1e6:.2f} MB, {report.threads} thread(s), "
        f"{report.frames} frames of {FRAME_WIDTH_PX}x{FRAME_HEIGHT_PX} px\n"
        f"  {'ms':<10}{'p50':>8}{'p90':>8}{'p99':>8}{'worst':>8}\n{rows}\n"
        f"  classify takes {report.overhead:+.1%} over the bare interpreter call"
    )
