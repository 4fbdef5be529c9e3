"""Read the status of a running camera from its live page, over the loopback interface."""

import http.client
import json
from typing import Any

from trailcam_edge.live.access import Address

_TIMEOUT_S = 5.0
_MAX_BYTES = 4_000_000


def fetch_status(address: Address, token: str | None = None) -> dict[str, Any] | None:
    """Return the object of ``/status.json``, or None if no live page answers at the address.

    Args:
        address: of the live page; for one that listens on all addresses the loopback address is used.
        token: of the live page, if it needs one.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - compared
    connection = http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/status.json", headers={} if token is None else {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        status = json.loads(response.read(_MAX_BYTES)) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return status if isinstance(status, dict) and "alive" in status else None  # another program may have the port
