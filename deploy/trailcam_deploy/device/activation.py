"""Activate the release in a device's inbox, and wait until the device is healthy."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trailcam_core.network.secrets import mask_text
from trailcam_core.network.ssh.errors import HostError, last_lines
from trailcam_core.release.update_result import UpdateResult, parse_update_result
from trailcam_deploy.device.facts import INBOX
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.root_scripts import PRELUDE

_Log = logging.LoggerAdapter[logging.Logger]
_PROBE = (Path(__file__).parent / "device_probe.py").read_text(encoding="utf-8")
_UPDATE_SCRIPT = f'{PRELUDE}\nas_service /opt/trailcam/bin/trailcam update --json "$@"'
_UPDATE_S = 1800.0  # a self-test of 300 s, and a slow card
_BUSY_S = 600.0  # of another update on the device
_POLL_S = 3.0
_WATCH_S = 12  # at the pictures of a healthy device
_USAGE = 2  # exit code of a Trailcam that does not know an option
_NO_UNIT = "inactive"


@dataclass(frozen=True)
class WaitPolicy:
    """Time until a device must be healthy, and the latency limit of its self-test; None leaves the device's own."""

    wait_s: float = 900.0  # a camera waits up to 600 s for an open visit before it exchanges its bundle
    max_latency_ms: float | None = None


@dataclass(frozen=True)
class DeviceStatus:
    """The state of a device: service, update, live page and recent labels.

    Args:
        service: state in systemd: "active", "activating", "failed", "inactive".
        state: of the update: "idle", "watch", ...; "" if unknown.
        bundle: name and version of the active bundle on disk.
        seen_bundle: the same of the bundle that the live page reports; None without a page or an answer.
        alive: frames arrive.
        address: of the live page there, None if it is off.
        token: of the live page.
        labels: recent outcomes, each with the best confidence.
        log: the last lines of its journal.
        refused: slots that were rolled back, with the reason.
    """

    service: str = _NO_UNIT
    state: str = ""
    bundle: str = ""
    seen_bundle: str | None = None
    alive: bool = False
    address: str | None = None
    token: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    log: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_healthy(self) -> bool:
        """True if frames arrive and the active bundle classifies them; without a live page: if the service runs."""
        if self.address is None:
            return self.service == "active"
        return self.alive and self.seen_bundle == self.bundle

    @property
    def reason(self) -> str:
        """Why the device is not healthy."""
        if self.service != "active":
            return f"the service is {self.service}"
        if self.seen_bundle is None:
            return "the live page does not answer yet"
        if self.seen_bundle != self.bundle:
            return f"it still runs {self.seen_bundle or 'nothing'}; {self.bundle} follows when no visit is open"
        return "no frames arrive"


def activate_release(connection: Connection, channel: str, max_latency_ms: float | None = None) -> UpdateResult:
    """Run ``trailcam update`` on the device; wait while another update runs there.

    Args:
        connection: to the device.
        channel: of the release.
        max_latency_ms: limit of the self-test, None for the one in its configuration.

    Returns:
        A result with the code installed, up_to_date or not_fetched.

    Raises:
        HostError: the release was refused; the device keeps its bundle.
    """
    limits = () if max_latency_ms is None else ("--max-latency-ms", f"{max_latency_ms:g}")
    deadline_s = time.monotonic() + _BUSY_S
    while True:
        result = _update(connection, _UPDATE_S, INBOX, "--channel", channel, *limits)
        if result.code in ("installed", "up_to_date", "not_fetched"):
            return result
        # The device's timer was quicker with the same update; when that is over there is nothing left to do.
        if result.code != "busy" or time.monotonic() > deadline_s:
            raise HostError(result.message)
        time.sleep(_POLL_S)


def roll_back(connection: Connection, reason: str) -> UpdateResult:
    """Return the device to the bundle before.

    Raises:
        HostError: it refused.
    """
    result = _update(connection, 120, "--roll-back", reason)
    if result.code != "rolled_back":
        raise HostError(result.message)
    return result


def _update(connection: Connection, timeout_s: float, *words: str) -> UpdateResult:
    status, output, errors = connection.try_run(_UPDATE_SCRIPT, *words, timeout_s=timeout_s)
    try:
        return parse_update_result(output.strip().rpartition("\n")[2])
    except ValueError as error:
        if status == _USAGE:
            raise HostError(
                'its Trailcam is too old for "trailcam update --json". Run "trailcam deploy" with BUNDLE or --channel '
                "first: it installs the version that runs here."
            ) from error
        reason = last_lines(errors or output) or "no output"
        raise HostError(f'"trailcam update --json" ended with exit code {status}: {reason}') from error


def start_service(connection: Connection, restart: bool) -> None:
    """Start Trailcam; a running one is restarted only if ``restart``."""
    action = "restart" if restart else "start"
    connection.run(f"systemctl reset-failed trailcam 2>/dev/null || true; systemctl {action} --no-block trailcam")


def probe_device(connection: Connection, seconds: float) -> DeviceStatus:
    """Read a device's status, and for ``seconds`` at most the labels of its pictures.

    Raises:
        HostError: it has no Trailcam, or does not answer.
    """
    script = f"/opt/trailcam/bin/python3 - \"$1\" <<'PROBE'\n{_PROBE}\nPROBE"
    text = connection.run(script, f"{seconds:.0f}", timeout_s=seconds + 90)
    try:
        return parse_status(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HostError(f"its status cannot be read ({error!r}): {text[:100]!r}.") from error


def parse_status(report: dict[str, Any]) -> DeviceStatus:
    """Return the status in the output of ``device_probe.py``."""
    update, live = report["update"] or {}, report["live"] or {}
    status = live.get("status") or {}
    return DeviceStatus(
        service=str(report["active"]) or _NO_UNIT,
        state=str(update.get("state", "")),
        bundle=str(update.get("bundle", "")),
        seen_bundle=status.get("bundle"),
        alive=bool(status.get("alive", False)),
        address=live.get("address"),
        token=live.get("token"),
        labels={str(label): float(confidence) for label, confidence in live.get("seen", {}).items()},
        log=mask_text(str(report.get("log", ""))),
        refused={slot: mask_text(str(why)) for slot, why in update.get("refused", {}).items()},
    )


def wait_until_healthy(connection: Connection, wait_s: float, log: _Log) -> DeviceStatus:
    """Probe the device until it is healthy; then read the labels of its pictures for a while.

    Raises:
        HostError: it did not become healthy in time; the message has the end of its journal.
    """
    deadline_s = time.monotonic() + wait_s
    status, logged = probe_device(connection, 0), ""
    while not status.is_healthy:
        if time.monotonic() > deadline_s:
            raise HostError(
                f"not healthy after {wait_s:.0f} s: {status.reason}. Its journal ends: {status.log[-300:] or 'empty'}. "
                "The bundle before is restored by itself if this one does not become healthy."
            )
        if status.reason != logged:
            logged = status.reason
            log.info("waiting: %s", logged)
        time.sleep(_POLL_S)
        status = probe_device(connection, 0)
    return probe_device(connection, _WATCH_S) if status.address is not None else status
