"""``trailcam update``: install the newest release of a channel, from a network, an inbox or a stick.

Exit code 0: installed, up to date or rolled back; 1: an error, whose code ``--json`` prints; 2: usage.
"""

import argparse
import json
import logging
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from trailcam.logs import add_logging_arguments, configure_logging
from trailcam.model_options import usage_error
from trailcam.process.privileges import become_owner
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import BundleError, TrailcamError, UpdateError
from trailcam_core.release.update_result import UpdateCode, UpdateResult
from trailcam_edge.config.camera_toml import Config, read_config
from trailcam_edge.events.clock import date_is_known
from trailcam_edge.service.systemd_units import CONFIG_PATH
from trailcam_edge.update.errors import error_code
from trailcam_edge.update.install.journal import Journal
from trailcam_edge.update.install.self_test import run_self_test
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import TRUST_FOLDER, UPDATE_FOLDER, UpdateSettings, trusted_file

_CONFIG = Path("/", CONFIG_PATH)
_MAX_ROOT_BYTES = 512_000
_log = logging.getLogger("trailcam_edge")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam update``."""
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="release repository: a folder (inbox, USB stick) or an https address (default: source in [update])",
    )
    where = parser.add_argument_group("source and trust")
    where.add_argument("--channel", metavar="NAME", help="channel of the repository (default: channel in [update])")
    where.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration file; options override it (default: {_CONFIG}, if present)",
    )
    where.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help=f"folder of the update (default: folder in [update], or {UPDATE_FOLDER})",
    )
    where.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help=f"root metadata that this camera trusts (default: root.json in {TRUST_FOLDER}, or in --folder)",
    )
    action = parser.add_argument_group("action")
    action.add_argument("--again", action="store_true", help="install a bundle that was rolled back here before")
    action.add_argument("--roll-back", metavar="REASON", help="return to the bundle before")
    action.add_argument("--status", action="store_true", help="print the journal as one JSON object")
    limits = parser.add_argument_group("self-test")
    limits.add_argument(
        "--max-latency-ms", type=float, metavar="MS", help="limit of the self-test for 90 %% of the images"
    )
    limits.add_argument("--max-memory-mb", type=float, metavar="MB", help="limit of the self-test's process")
    results = parser.add_argument_group("results")
    results.add_argument("--json", action="store_true", help="print the result as one JSON object with a code")
    add_logging_arguments(results)


def run(arguments: argparse.Namespace) -> int:
    """Install the newest release, print the state, or roll back."""
    configure_logging(arguments)
    path = arguments.config or (_CONFIG if _CONFIG.exists() else None)
    config = Config() if path is None else read_config(path)
    settings = _settings(arguments, config)
    become_owner(settings.folder)
    updater = Updater(settings, lambda bundle: run_self_test(bundle, settings))
    if arguments.status:
        _print_state(updater)
        return 0
    try:
        result = _carry_out(updater, settings, config, path, arguments)
    except (TrailcamError, OSError) as error:
        if arguments.json:
            print(_result(updater, error_code(error), str(error)).to_json())
        raise  # the front door prints it on stderr and sets the exit code
    if arguments.json:
        print(result.to_json())
    elif result.code == "rolled_back":
        _print_state(updater)
    else:
        print(result.message)
    return 0


def _carry_out(
    updater: Updater, settings: UpdateSettings, config: Config, path: Path | None, arguments: argparse.Namespace
) -> UpdateResult:
    if arguments.roll_back is not None:
        journal = updater.roll_back(arguments.roll_back)
        running = _bundle_name(updater, journal) or journal.running
        return _result(updater, "rolled_back", f"{running} runs now, or as soon as no visit is open")
    if config.model.bundle is not None and config.update is not None:
        raise UpdateError(
            f"{path}: [model] names the bundle that this camera runs, {config.model.bundle}. Remove that line "
            "to update the camera."
        )
    source, channel = arguments.source or settings.source, arguments.channel or settings.channel
    if source is None or channel is None:
        usage_error(
            "update needs SOURCE and --channel, or source and channel in [update] of the configuration; or --status, "
            "or --roll-back REASON"
        )
    with updater.exclusive():
        root = arguments.root or trusted_file(settings.folder, "root.json")
        return _update(updater, source, channel, settings.folder, root, arguments.again)


def _update(updater: Updater, source: str, channel: str, folder: Path, root: Path, again: bool) -> UpdateResult:
    resumed = updater.resume()
    if resumed is not None:
        _log.info("the interrupted installation of %s was finished.", resumed)
    from trailcam_edge.update.fetch.fetch_release import fetch_release

    def clock() -> datetime | None:
        return datetime.now(UTC) if date_is_known() else None

    choice, bundle = fetch_release(source, folder, _read_root(root), channel, clock)
    passed_over = f"{choice.sentence()}." if choice.passed_over is not None else ""
    if bundle is None:
        return _result(updater, "up_to_date", passed_over)
    release = f"{choice.channel} {choice.version}"
    if updater.installed(bundle):
        return _result(updater, "up_to_date", f"{passed_over} {release}: is up to date.".lstrip())
    slot = updater.install(bundle, again)
    installed = (
        f"{release}: passed its self-test and is active as {slot}. The camera's service restarts by itself to run it; "
        'restart a "trailcam watch" in a terminal yourself. It is on trial until it has run in good health for some '
        'minutes; "trailcam update --roll-back REASON" ends the trial at once.'
    )
    return _result(updater, "installed", f"{passed_over} {installed}".lstrip())


def _result(updater: Updater, code: UpdateCode, message: str) -> UpdateResult:
    try:
        journal = updater.status()
    except (OSError, UpdateError):
        return UpdateResult(code, message)
    return UpdateResult(code, message, journal.running, journal.candidate)


def _settings(arguments: argparse.Namespace, config: Config) -> UpdateSettings:
    """Return the settings of the file with the options applied; an option out of range is a usage error."""
    options = {
        "folder": arguments.folder,
        "max_latency_ms": arguments.max_latency_ms,
        "max_memory_mb": arguments.max_memory_mb,
    }
    try:
        return replace(
            config.update or UpdateSettings(),
            **{name: value for name, value in options.items() if value is not None},
        )
    except ValueError as error:
        usage_error(str(error))


def _read_root(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_ROOT_BYTES)
    except OSError as error:
        raise UpdateError(
            f"{path}: cannot be read ({error.strerror}). Copy the newest metadata/N.root.json of your release "
            f"repository there, or to {TRUST_FOLDER}/root.json of a camera, over a trusted connection."
        ) from error


def _print_state(updater: Updater) -> None:
    """Print the journal, and name and version of the active bundle."""
    journal = updater.status()
    print(json.dumps(asdict(journal) | {"bundle": _bundle_name(updater, journal)}, indent=2))


def _bundle_name(updater: Updater, journal: Journal) -> str | None:
    try:
        manifest = open_bundle(updater.bundle_of(journal)).manifest
    except BundleError:
        return None
    return f"{manifest.name} {manifest.version}"
