"""Let a device take what is in its inbox, and look at it until it is well: what it runs, and what it sees."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trailcam_deploy.device.facts import INBOX
from trailcam_deploy.ssh.connection import Connection
from trailcam_deploy.ssh.errors import HostError

__all__ = ["Sight", "look", "start_service", "take_release", "wait_until_well"]

_LOOK = (Path(__file__).parent / "device_probe.py").read_text(encoding="utf-8")
_UPDATE_SCRIPT = f'/opt/trailcam/bin/trailcam update {INBOX} --channel "$@"'
_UPDATE_S = 1800.0  # a self-test of 300 s, and a slow card
_OWN_UPDATE_S = 600.0
_BUSY = "another update is going on"
_POLL_S = 3.0
_NO_UNIT = "inactive"


@dataclass(frozen=True)
class Sight:
    """What a device runs and sees.

    Args:
        service: what systemd says of it: "active", "activating", "failed", "inactive".
        state: of the update: "idle", "watch", ...; "" where nothing is known.
        bundle: name and version of what is active on its disk.
        seen_bundle: the same of what its live page runs; None where it has no page or no answer.
        alive: frames come.
        address: of the live page there, None where it is off.
        token: of the live page.
        labels: what was seen, with the best confidence.
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
    def is_well(self) -> bool:
        """True if frames come and are answered by the bundle that should; without a page: if the service runs."""
        if self.address is None:
            return self.service == "active"
        return self.alive and self.seen_bundle == self.bundle


def take_release(connection: Connection, channel: str, max_latency_ms: float | None = None) -> str:
    """Run ``trailcam update`` there; return the last thing it said.

    Args:
        connection: to the device.
        channel: what it follows.
        max_latency_ms: of the self-test, instead of what its configuration says.

    Raises:
        HostError: the release was refused; the device runs what it ran.
    """
    limits = () if max_latency_ms is None else ("--max-latency-ms", f"{max_latency_ms:g}")
    deadline_s = time.monotonic() + _OWN_UPDATE_S
    while True:
        try:
            return connection.run(_UPDATE_SCRIPT, channel, *limits, timeout_s=_UPDATE_S).strip().rpartition("\n")[2]
        except HostError as error:
            # Its own timer was quicker: the same update, and when that is over there is nothing to do.
            if _BUSY not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(_POLL_S)


def start_service(connection: Connection, restart: bool) -> None:
    """Start Trailcam; a running one is only started anew if ``restart``."""
    action = "restart" if restart else "start"
    connection.run(f"systemctl reset-failed trailcam 2>/dev/null || true; systemctl {action} --no-block trailcam")


def look(connection: Connection, seconds: float) -> Sight:
    """Look at a device, for ``seconds`` at most at its pictures.

    Raises:
        HostError: it has no Trailcam, or does not answer.
    """
    script = f"/opt/trailcam/bin/python3 - \"$1\" <<'LOOK'\n{_LOOK}\nLOOK"
    text = connection.run(script, f"{seconds:.0f}", timeout_s=seconds + 90)
    try:
        return parse_sight(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HostError(f"it was asked what it sees and gave no sense ({error!r}): {text[:100]!r}.") from error


def parse_sight(report: dict[str, Any]) -> Sight:
    """Read what ``look_there.py`` prints."""
    update, live = report["update"] or {}, report["live"] or {}
    status = live.get("status") or {}
    return Sight(
        service=str(report["active"]) or _NO_UNIT,
        state=str(update.get("state", "")),
        bundle=str(update.get("bundle", "")),
        seen_bundle=status.get("bundle"),
        alive=bool(status.get("alive", False)),
        address=live.get("address"),
        token=live.get("token"),
        labels={str(label): float(confidence) for label, confidence in live.get("seen", {}).items()},
        log=str(report.get("log", "")),
        refused=dict(update.get("refused", {})),
    )


def wait_until_well(connection: Connection, wait_s: float, say: Callable[[str], None]) -> Sight:
    """Look again and again until the device is well; then look at its pictures for a while.

    Raises:
        HostError: it did not become well in time; the reason is in its journal, and with it in the message.
    """
    deadline_s = time.monotonic() + wait_s
    sight, told = look(connection, 0), ""
    while not sight.is_well:
        if time.monotonic() > deadline_s:
            raise HostError(
                f"not well after {wait_s:.0f} s: {_state(sight)}. Its journal ends: {sight.log[-300:] or 'nothing'}. "
                "The bundle before comes back by itself if this one never gets healthy."
            )
        if _state(sight) != told:
            told = _state(sight)
            say(f"waits: {told}")
        time.sleep(_POLL_S)
        sight = look(connection, 0)
    return look(connection, 12) if sight.address is not None else sight


def _state(sight: Sight) -> str:
    if sight.service != "active":
        return f"the service is {sight.service}"
    if sight.seen_bundle is None:
        return "the live page does not answer yet"
    if sight.seen_bundle != sight.bundle:
        return f"it still runs {sight.seen_bundle or 'nothing'}, {sight.bundle} is next (an open visit is waited for)"
    return "no frames come"
