"""``trailcam update``: the one way by which a bundle comes to a camera, whatever brought the release."""

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from trailcam.commands.model_options import usage_error
from trailcam_core.bundle.folder import open_bundle
from trailcam_core.errors import BundleError, UpdateError
from trailcam_edge.clock import date_is_known
from trailcam_edge.config.camera_toml import Config, read_config
from trailcam_edge.service.systemd_units import CONFIG_PATH
from trailcam_edge.update.install.self_test import run_self_test
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UPDATE_FOLDER, UpdateSettings

__all__ = ["add_arguments", "run"]

_CONFIG = Path("/", CONFIG_PATH)
_MAX_ROOT_BYTES = 512_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam update``."""
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="release repository: a folder (inbox, USB stick) or an https address (default: what [update] names)",
    )
    parser.add_argument("--channel", metavar="NAME", help="which bundle of the repository (default: [update])")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration; options go before it (default: {_CONFIG}, if there)",
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help=f"default: that of [update], or {UPDATE_FOLDER}")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FILE",
        help="root metadata that this camera trusts (default: root.json in --folder)",
    )
    parser.add_argument("--again", action="store_true", help="even if the bundle was rolled back here before")
    parser.add_argument("--roll-back", metavar="REASON", help="go back to the bundle before")
    parser.add_argument("--status", action="store_true", help="say what runs, as one JSON object, and change nothing")
    parser.add_argument("--max-latency-ms", type=float, metavar="MS", help="of 9 pictures of 10 in the self-test")
    parser.add_argument("--max-memory-mb", type=float, metavar="MB", help="of the self-test's process")


def run(arguments: argparse.Namespace) -> int:
    """Bring the newest release here and activate it, or say or undo what was done."""
    path = arguments.config or (_CONFIG if _CONFIG.exists() else None)
    config = Config() if path is None else read_config(path)
    settings = _settings(arguments, config)
    _become_owner(settings.folder)
    updater = Updater(settings, _report, lambda bundle: run_self_test(bundle, settings))
    if arguments.status:
        _print(updater)
        return 0
    if arguments.roll_back is not None:
        updater.roll_back(arguments.roll_back)
        _print(updater)
        return 0
    if config.model.bundle is not None and config.update is not None:
        raise UpdateError(
            f"{path}: [model] names the bundle that this camera runs, {config.model.bundle}. Take that line out, or "
            "leave the camera as it is."
        )
    source, channel = arguments.source or settings.source, arguments.channel or settings.channel
    if source is None or channel is None:
        usage_error(
            "update needs SOURCE and --channel, or source and channel in [update] of the configuration; or --status, "
            "or --roll-back REASON"
        )
    with updater.alone():
        return _update(updater, source, channel, settings.folder, arguments)


def _update(updater: Updater, source: str, channel: str, folder: Path, arguments: argparse.Namespace) -> int:
    resumed = updater.resume()
    if resumed is not None:
        _report(f"{resumed} was taken up where it had stopped.")
    from trailcam_edge.update.fetch.fetch_release import fetch_release

    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of every attempt; the last one is an error of ours

    choice, bundle = fetch_release(
        source,
        folder,
        _read_root(arguments.root or folder / "root.json"),
        channel,
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
    print(
        f"{choice.channel} {choice.version}: passed its self-test and is active as {slot}. The camera's service starts "
        'again by itself to run it; a "trailcam watch" in a terminal is for you to start.'
    )
    return 0


def _settings(arguments: argparse.Namespace, config: Config) -> UpdateSettings:
    """Return what the file says, with the options before it; a senseless value is a usage error."""
    wished = {
        "folder": arguments.folder,
        "max_latency_ms": arguments.max_latency_ms,
        "max_memory_mb": arguments.max_memory_mb,
    }
    try:
        return replace(
            config.update or UpdateSettings(),
            **{name: value for name, value in wished.items() if value is not None},
        )
    except ValueError as error:
        usage_error(str(error))


def _become_owner(folder: Path) -> None:
    """Work as the owner of the folder where root asks: a file of root's there would stop the camera's own service."""
    if os.geteuid() != 0:
        return
    owner = next(place for place in (folder, *folder.absolute().parents) if place.exists()).stat()
    if owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _read_root(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_ROOT_BYTES)
    except OSError as error:
        raise UpdateError(
            f"{path}: cannot be read ({error.strerror}). Copy the newest metadata/N.root.json of your release "
            "repository there, by a way that you trust."
        ) from error


def _print(updater: Updater) -> None:
    """Print the journal, and what is in the bundle that should run now."""
    journal = updater.status()
    try:
        manifest = open_bundle(updater.bundle_of(journal)).manifest
        bundle = f"{manifest.name} {manifest.version}"
    except BundleError:
        bundle = None
    print(json.dumps(asdict(journal) | {"bundle": bundle}, indent=2))


def _report(text: str) -> None:
    print(f"trailcam: {text}", file=sys.stderr)
