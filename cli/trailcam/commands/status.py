"""``trailcam status``: state of this camera, for people and, with ``--json``, for programs."""

import argparse
from pathlib import Path
from typing import Any

from trailcam import __version__
from trailcam.json_records import json_line
from trailcam.logs import configure_logging
from trailcam_core.files.names import printable
from trailcam_edge.app.status import camera_status
from trailcam_edge.config.camera_toml import Config, read_config
from trailcam_edge.live.settings import LiveSettings
from trailcam_edge.service.systemd_units import CONFIG_PATH

_CONFIG = Path("/", CONFIG_PATH)
_NOT_ALIVE = 3  # exit code: a check did not pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam status``."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration file (default: {_CONFIG}, if present; "
        f"otherwise the live page at {LiveSettings().address} is asked)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the status; exit code 3 if the camera runs and no frames arrive."""
    configure_logging()
    path = arguments.config or (_CONFIG if _CONFIG.exists() else None)
    config = Config(live=LiveSettings()) if path is None else read_config(path)
    status = camera_status(config, __version__)
    if arguments.json:
        print(json_line(status))
    else:
        print("\n".join(f"{name:<12}{printable(text)}" for name, text in _rows(status, config.live).items()))
    return _NOT_ALIVE if status["alive"] is False else 0


def _rows(status: dict[str, Any], live: LiveSettings | None) -> dict[str, str]:
    frame, update, visit, store = (status[name] for name in ("frame", "update", "last_visit", "store"))
    camera = f"does not run, or has no live page{'' if live is None else ' at ' + live.address}"
    if status["running"]:
        camera = "frames arrive" if status["alive"] else "no frames"
        if status["paused"]:
            camera += ", outside the hours of [schedule]"
    rows = {"Camera": camera, "Bundle": status["bundle"] or "unknown", "Version": status["version"]}
    if frame is not None:
        rows["Last frame"] = f"{frame.get('outcome') or 'not classified'}, {frame['rate_hz']:.1f} frames/s"
    if update is not None:
        trial = f", {update['candidate']} is being tried" if update["candidate"] else ""
        rows["Update"] = f"{update['running']} runs{trial}"
    if visit is not None:
        percent = "" if visit["confidence"] is None else f", {visit['confidence']:.0%}"
        rows["Last visit"] = f"{visit['label']}, {visit['start'] or 'time unknown'}{percent}"
    if store is not None:
        megabytes = f"{store['bytes'] / 1e6:.0f} of {store['max_bytes'] / 1e6:.0f} MB"
        rows["Store"] = f"{store['visits']} visits, {megabytes} in {store['folder']}"
    machine = [
        None if status["temperature_c"] is None else f"{status['temperature_c']:.0f} °C",
        None if status["disk_free_bytes"] is None else f"{status['disk_free_bytes'] / 1e9:.1f} GB free",
        None if status["throttling"] is None else ", ".join(status["throttling"]["now"]) or "not throttled",
    ]
    known = [text for text in machine if text is not None]
    if known:
        rows["Machine"] = ", ".join(known)
    return rows
