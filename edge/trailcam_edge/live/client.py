"""Read the status of a running camera from its live page, over the loopback interface."""

import contextlib
import http.client
import json
import socket
import threading
from typing import Any, TypeGuard

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
    timer = threading.Timer(_TIMEOUT_S, _disconnect, [connection])  # the time-out of a socket restarts with every byte
    timer.daemon = True
    timer.start()
    try:
        connection.request("GET", "/status.json", headers={} if token is None else {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        status = json.loads(response.read(_MAX_BYTES)) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        timer.cancel()
        connection.close()
    return status if _is_status(status) else None


def _is_status(status: object) -> TypeGuard[dict[str, Any]]:
    """Return False for the answer of another program, which may have the port."""
    if not isinstance(status, dict) or "alive" not in status:
        return False
    frame = status.get("frame")
    return (
        all(isinstance(status.get(name), bool | None) for name in ("alive", "paused"))
        and all(isinstance(status.get(name), str | None) for name in ("bundle", "last_frame"))
        and (frame is None or (isinstance(frame, dict) and _is_frame(frame)))
    )


def _is_frame(frame: dict[str, Any]) -> bool:
    return isinstance(frame.get("outcome"), str | None) and isinstance(frame.get("rate_hz"), int | float)


def _disconnect(connection: http.client.HTTPConnection) -> None:
    open_socket: socket.socket | None = connection.sock
    if open_socket is not None:
        with contextlib.suppress(OSError):  # it has ended already
            open_socket.shutdown(socket.SHUT_RDWR)
