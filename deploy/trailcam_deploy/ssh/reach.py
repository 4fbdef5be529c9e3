"""A first knock at a host: whether something listens at its SSH address, without a login."""

import socket
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from trailcam_core.network.ssh.master import SshSettings

_RESOLVE_S = 10.0
_AT_ONCE = 16
_VIA = ("proxyjump", "proxycommand")


def any_reachable(destinations: Iterable[str], settings: SshSettings) -> bool:
    """Return False if no host listens; True if one does, or is behind another host, where only a login shows it."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return any(pool.map(lambda destination: _listens(destination, settings), destinations))


def _listens(destination: str, settings: SshSettings) -> bool:
    try:
        asked = subprocess.run(
            [*settings.command(), "-G", destination],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RESOLVE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return True  # the login names the fault of the configuration
    found = dict(line.split(" ", 1) for line in asked.stdout.splitlines() if " " in line)
    if any(found.get(key, "none") != "none" for key in _VIA):
        return True
    try:
        socket.create_connection((found["hostname"], int(found["port"])), timeout=settings.connect_s).close()
    except OSError:
        return False
    return True
