"""``trailcam deploy status``: bundles, health and labels of the devices; changes nothing."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import add_host_arguments, open_operator_folder, run_on_hosts
from trailcam_edge.events import stated_confidence

if TYPE_CHECKING:
    from trailcam_deploy.device.activation import DeviceStatus
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.fleet.run_fleet import HostOutcome
    from trailcam_deploy.ssh.connection import Connection

_UPDATES = {  # states of the journal
    "self_test": "testing an update",
    "activate": "activating an update",
    "watch": "on trial",
    "roll_back": "going back to the bundle before",
}
_NOT_HEALTHY = 3  # exit code: a check did not pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy status``."""
    add_host_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per device and line")


def run(arguments: argparse.Namespace) -> int:
    """Print the status of every device; exit code 3 if one is not healthy or was not reached."""
    from trailcam_deploy.device.activation import probe_device
    from trailcam_deploy.fleet.state import FleetState

    state = FleetState(open_operator_folder(arguments).folder / "state.json")
    found: dict[str, DeviceStatus] = {}

    def work(host: "Host", connection: "Connection") -> str:
        found[host.id] = probe_device(connection, 2)
        return _describe(found[host.id])

    def show(outcome: "HostOutcome") -> None:
        status, last = found.get(outcome.host.id), state.last(outcome.host.id)
        if arguments.json:
            record = {"host": outcome.host.id, "outcome": outcome.kind, "text": outcome.text}
            shown = {} if status is None else {**asdict(status), "token": None, "well": status.is_healthy}
            if status is not None:
                shown["labels"] = {label: stated_confidence(label, value) for label, value in status.labels.items()}
            print(json.dumps({**record, **shown, "last": None if last is None else asdict(last)}))
            return
        before = f" (last deployment, {last.when[:16]}: {last.kind})" if status is None and last is not None else ""
        print(f"{outcome.host.id}: {outcome.text}{before}", flush=True)

    outcomes = run_on_hosts(arguments, work, show)
    healthy = sum(status.is_healthy for status in found.values())
    if len(outcomes) > 1:
        print(f"{healthy} of {len(outcomes)} devices are healthy", file=sys.stderr)
    return 0 if healthy == len(outcomes) else _NOT_HEALTHY


def _describe(status: "DeviceStatus") -> str:
    words = [status.bundle or "no active bundle", f"service {status.service}"]
    if status.state not in ("", "idle"):
        words.append(_UPDATES.get(status.state, f"update: {status.state}"))
    if status.address is not None:
        words.append("frames arrive" if status.alive else "no frames arrive")
        if status.seen_bundle and status.seen_bundle != status.bundle:
            words.append(f"still runs {status.seen_bundle}")
    if status.labels:
        words.append("labels: " + ", ".join(sorted(status.labels)))
    words += [f"refused {slot}: {reason}" for slot, reason in status.refused.items()]
    return "; ".join(words)
