"""``trailcam deploy``: provision cameras over SSH and bring them to the newest release."""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trailcam.commands.deploy.host_options import (
    add_host_arguments,
    ask_password,
    chosen_hosts,
    exit_code,
    fleet_rules,
    open_operator_folder,
    ssh_settings,
)
from trailcam.commands.deploy.release_options import add_release_arguments, prepare_payload
from trailcam.logs import add_logging_arguments
from trailcam.source_option import given_source
from trailcam_edge.events import stated_confidence

if TYPE_CHECKING:
    from trailcam_deploy.device.activation import DeviceStatus
    from trailcam_deploy.device.bring_up import DevicePlan, DeviceReport
    from trailcam_deploy.device.host import Host
    from trailcam_deploy.fleet.run_fleet import HostOutcome

__all__ = ["add_arguments", "describe_live_page", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam deploy``."""
    parser.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE", help="default: the channel's newest release")
    add_host_arguments(parser)
    add_release_arguments(parser)
    rollout = parser.add_argument_group("rollout")
    rollout.add_argument("--canary", type=int, default=0, metavar="N", help="deploy to N devices first and alone (0)")
    rollout.add_argument(
        "--max-failures", type=int, default=1, metavar="N", help="start no device after N failures (1)"
    )
    rollout.add_argument("--pending", action="store_true", help="of the inventory: only devices that are not done yet")
    rollout.add_argument("--dry-run", action="store_true", help="print steps and bytes, change nothing")
    rollout.add_argument(
        "--max-latency-ms", type=float, metavar="MS", help="limit of the self-test, instead of the device's own"
    )
    rollout.add_argument("--wait", type=float, default=900.0, metavar="S", help="time until a device is healthy (900)")
    add_logging_arguments(rollout)


def run(arguments: argparse.Namespace) -> int:
    """Deploy; exit code 1 if a device failed or was not reached."""
    from trailcam.commands.deploy.display import FleetDisplay
    from trailcam_core.network.ssh.errors import OfflineError
    from trailcam_deploy.device.activation import WaitPolicy
    from trailcam_deploy.device.job import DeployJob
    from trailcam_deploy.fleet.run_fleet import run_fleet
    from trailcam_deploy.fleet.state import FleetState
    from trailcam_deploy.ssh.reach import any_reachable

    arguments.source = given_source(arguments)
    hosts, rules = chosen_hosts(arguments), fleet_rules(arguments)
    folder = open_operator_folder(arguments)
    # A dry run signs and releases in a temporary copy, so that its bytes are those of the real run.
    with folder.copied() if arguments.dry_run else folder.locked() as folder:
        state = FleetState(folder.folder / "state.json")
        if arguments.pending:
            hosts = tuple(host for host in hosts if (last := state.last(host.id)) is None or last.kind != "done")
        settings = ssh_settings(arguments, len(hosts))
        if arguments.bundle is not None and not any_reachable([host.ssh for host in hosts], settings):
            names = ", ".join(host.ssh for host in hosts[:3]) + (" ..." if len(hosts) > 3 else "")
            raise OfflineError(f"no answer from {names}. Nothing was signed. Check power, network and name.")
        payload = prepare_payload(arguments, folder, [host.channel for host in hosts])
        hosts = tuple(_with_options(host, arguments) for host in hosts)
        level = logging.DEBUG if arguments.verbose else logging.WARNING if arguments.quiet else logging.INFO
        with FleetDisplay(len(hosts), level) as display:
            wait = WaitPolicy(arguments.wait, arguments.max_latency_ms)
            job = DeployJob(payload, settings, lambda host: ask_password(settings, host), wait, display.progress)

            def work(host: "Host") -> str:
                if arguments.dry_run:
                    return _describe_plan(host, job.plan(host))
                return _describe_report(host, job.bring_up(host), single=len(hosts) == 1)

            def finish(outcome: "HostOutcome") -> None:
                display.outcome(outcome)
                channel = outcome.host.channel or payload.channel
                bundle = f"{channel} {payload.published.index(channel).version}"
                state.record(outcome.host.id, outcome.kind, outcome.text, folder.now, bundle)

            try:
                outcomes = run_fleet(hosts, work, rules, finish, job.stop, job.disconnect)
            except KeyboardInterrupt:
                print("trailcam: run the same command again to continue.", file=sys.stderr)
                raise
    return _summary(outcomes, arguments.dry_run)


def _with_options(host: "Host", arguments: argparse.Namespace) -> "Host":
    """Return a host with the options of the command line, which override the inventory."""
    return replace(
        host,
        channel=arguments.channel or host.channel,
        source=arguments.source or host.source,
        live=arguments.live or host.live,
    )


def _describe_plan(host: "Host", plan: "DevicePlan") -> str:
    lines = [f"{host.id} ({plan.facts.system}, {plan.facts.machine}), {plan.size_bytes / 1e6:.2f} MB:"]
    lines += [f"    {step.name}{_sized(step.size_bytes)}" for step in plan.steps]
    lines.append(f"    release: {len(plan.uploads)} files{_sized(plan.release_bytes)}")
    lines.append("    update: verify, self-test, activate")
    return "\n".join(lines)


def _sized(size_bytes: int) -> str:
    return f", {size_bytes / 1e6:.2f} MB" if size_bytes else ""


def _describe_report(host: "Host", report: "DeviceReport", single: bool) -> str:
    words = f"{report.status.bundle or 'running'}, {report.sent_bytes / 1e6:.2f} MB sent"
    if report.status.state == "watch":
        words += "; on trial, it commits by itself after enough healthy time"
    return f"{words}\n{describe_live_page(host, report.status)}" if single else words


def describe_live_page(host: "Host", status: "DeviceStatus") -> str:
    """Return the address of a device's live page, and the labels that were seen there."""
    lines = []
    if status.address is None:
        lines.append("The live page is off: [live] is not in /etc/trailcam/trailcam.toml.")
    else:
        name, _, port = status.address.rpartition(":")
        if name in ("127.0.0.1", "localhost", "[::1]", ""):
            lines.append(f"Live page: ssh -N -L {port}:127.0.0.1:{port} {host.ssh}   then   http://127.0.0.1:{port}/")
        else:
            where = host.ssh.rpartition("@")[2] if name in ("0.0.0.0", "[::]") else name  # noqa: S104 - compared
            link = f"?token={status.token}" if status.token else ""
            lines.append(f"Live page: http://{where}:{port}/{link}")
    if status.labels:
        seen = sorted(status.labels.items(), key=lambda row: -row[1])
        lines.append(f"Labels: {', '.join(_label_words(*row) for row in seen)}")
    elif status.address is not None:
        lines.append("No labels yet.")
    return "\n".join(lines)


def _summary(outcomes: "list[HostOutcome]", dry_run: bool) -> int:
    kinds = [outcome.kind for outcome in outcomes]
    for outcome in outcomes:
        if outcome.kind == "done" and (dry_run or len(outcomes) == 1):
            print(outcome.text)
    if len(outcomes) > 1:
        counts = [f"{kinds.count(kind)} {kind}" for kind in ("done", "offline", "failed", "left out") if kind in kinds]
        print(f"{len(outcomes)} devices: {', '.join(counts)}")
        if "offline" in kinds or "left out" in kinds:
            print("Run the same command again for the others, with --pending for these alone.", file=sys.stderr)
    return exit_code(outcomes)


def _label_words(label: str, confidence: float) -> str:
    stated = stated_confidence(label, confidence)
    return label if stated is None else f"{label} {stated:.0%}"
