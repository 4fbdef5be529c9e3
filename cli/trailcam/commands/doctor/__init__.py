"""``trailcam doctor``: check this machine and name a cure for each fault; a page to paste into a report of a fault."""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from trailcam.commands.doctor.camera_checks import check_camera
from trailcam.commands.doctor.checks import Check, State
from trailcam.commands.doctor.machine_checks import check_machine
from trailcam.commands.doctor.package_checks import check_packages
from trailcam.json_records import json_line
from trailcam.terminal import Kind, paint
from trailcam_core.files.names import counted, printable
from trailcam_core.network.secrets import mask_text
from trailcam_edge.service.systemd_units import CONFIG_PATH

_CONFIG = Path("/", CONFIG_PATH)
_CHECK_FAILED = 3
_COLUMNS, _INDENT = 100, 24
_KINDS: dict[State, Kind] = {"ok": "good", "warning": "doubtful", "fault": "bad"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam doctor``."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"configuration file (default: {_CONFIG}, if present)"
    )
    parser.add_argument("--offline", action="store_true", help="do not connect to the host of the releases")
    parser.add_argument("--json", action="store_true", help="print the checks as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print every check; exit code 3 if one found a fault."""
    config = arguments.config or (_CONFIG if _CONFIG.exists() else None)
    checks = [*check_packages(), *check_machine(), *check_camera(config, online=not arguments.offline)]
    if arguments.json:
        print(json_line({"schema": 1, "checks": [_safe(check) for check in checks]}))
    else:
        print("\n".join(_lines(checks)))
    return _CHECK_FAILED if any(check.state == "fault" for check in checks) else 0


def _safe(check: Check) -> dict[str, str | None]:
    return {name: None if value is None else mask_text(str(value)) for name, value in asdict(check).items()}


def _lines(checks: Iterable[Check]) -> Iterable[str]:
    counts = {"warning": 0, "fault": 0}
    for check in checks:
        state = f"{check.state:<8}"
        if check.state in _KINDS:
            state = paint(state, _KINDS[check.state], sys.stdout)
        for number, line in enumerate([*_wrap(check.text), *(_wrap(check.cure) if check.cure is not None else ())]):
            yield f"{state} {check.name:<15}{line}" if number == 0 else f"{'':<{_INDENT}}{line}"
        if check.state in counts:
            counts[check.state] += 1
    yield ""
    if not any(counts.values()):
        yield "No fault was found."
    else:
        yield f"Found: {counted(counts['fault'], 'fault')}, {counted(counts['warning'], 'warning')}."


def _wrap(text: str) -> list[str]:
    columns = min(shutil.get_terminal_size().columns, _COLUMNS) if sys.stdout.isatty() else _COLUMNS
    return textwrap.wrap(printable(mask_text(text)), max(columns - _INDENT, 20), break_on_hyphens=False) or [""]
