"""``trailcam update``: the one way by which a bundle comes to a camera, whatever brought the release."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from trailcam.commands.opening import usage_error
from trailcam_edge.clock import date_is_known
from trailcam_edge.errors import UpdateError
from trailcam_edge.update.decide import SelfTestLimits
from trailcam_edge.update.journal import Journal
from trailcam_edge.update.self_test import run_self_test
from trailcam_edge.update.updater import Updater

__all__ = ["add_arguments", "run"]

_FOLDER = Path("/var/lib/trailcam/update")
_MAX_ROOT_BYTES = 512_000
_LIMITS = SelfTestLimits()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam update``."""
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="release repository: a folder (inbox, USB stick) or an https address",
    )
    parser.add_argument("--channel", metavar="NAME", help="which bundle of the repository")
    parser.add_argument("--folder", type=Path, default=_FOLDER, metavar="DIR", help=f"default: {_FOLDER}")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help="root metadata that this camera trusts (default: root.json in --folder)",
    )
    parser.add_argument("--again", action="store_true", help="even if the bundle was rolled back here before")
    parser.add_argument("--roll-back", metavar="REASON", help="go back to the bundle before")
    parser.add_argument("--status", action="store_true", help="say what runs, as one JSON object, and change nothing")
    parser.add_argument("--max-latency-ms", type=float, default=_LIMITS.latency_p90_ms, metavar="MS")
    parser.add_argument("--max-memory-mb", type=float, default=_LIMITS.memory_mb, metavar="MB")


def run(arguments: argparse.Namespace) -> int:
    """Bring the newest release here and activate it, or say or undo what was done."""
    limits = SelfTestLimits(arguments.max_latency_ms, arguments.max_memory_mb)
    updater = Updater(arguments.folder, _report, lambda path: run_self_test(path, limits))
    if arguments.status:
        _print(updater.status())
        return 0
    if arguments.roll_back is not None:
        _print(updater.roll_back(arguments.roll_back))
        return 0
    if arguments.source is None or arguments.channel is None:
        usage_error("update needs SOURCE and --channel, or --status, or --roll-back REASON")
    resumed = updater.resume()
    if resumed is not None:
        _report(f"{resumed} was taken up where it had stopped.")
    from trailcam_edge.update.fetch import fetch_release

    choice, bundle = fetch_release(
        arguments.source,
        arguments.folder,
        _read_root(arguments.root or arguments.folder / "root.json"),
        arguments.channel,
        lambda: datetime.now(UTC) if date_is_known() else None,
        report=_report,
    )
    if choice.passed_over is not None:
        print(f"{choice.sentence()}.")
    if bundle is None:
        return 0
    if updater.installed(bundle):
        print(f"{choice.channel} {choice.version}: is up to date")
        return 0
    slot = updater.install(bundle, arguments.again)
    print(f"{choice.channel} {choice.version}: passed its self-test and is active as {slot}. Start the camera again.")
    return 0


def _read_root(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_ROOT_BYTES)
    except OSError as error:
        raise UpdateError(
            f"{path}: cannot be read ({error.strerror}). Copy the newest metadata/N.root.json of your release "
            "repository there, by a way that you trust."
        ) from error


def _print(journal: Journal) -> None:
    print(json.dumps(asdict(journal), indent=2))


def _report(text: str) -> None:
    print(f"trailcam: {text}", file=sys.stderr)
