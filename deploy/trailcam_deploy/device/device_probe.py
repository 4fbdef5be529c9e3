"""Print the status of a device as one JSON object: service, update, live page, labels, journal.

python3 device_probe.py SECONDS     SECONDS is the time to collect labels, at most

This file is sent to the device and runs there alone, with the Python of its Trailcam.
"""

import json
import subprocess
import sys
import time
import tomllib
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

_CONFIG = Path("/etc/trailcam/trailcam.toml")
_EVERYWHERE = ("", "0.0.0.0", "localhost")  # noqa: S104 - compared
_AS_SERVICE = ("setpriv", "--reuid", "trailcam", "--regid", "trailcam", "--clear-groups", "--no-new-privs", "--")
_MAX_ANSWER_BYTES = 1_000_000  # the service could send without end, and this program runs as root
_NO_ANIMAL = ("unknown", "nothing", "person")


def main() -> None:
    """Print the report."""
    report: dict[str, Any] = {"active": _output_of("systemctl", "is-active", "trailcam"), "live": None, "update": None}
    try:
        report["update"] = json.loads(_output_of(*_AS_SERVICE, "/opt/trailcam/bin/trailcam", "update", "--status"))
    except (ValueError, RecursionError) as error:
        report["problem"] = f"trailcam update --status: {error}"
    try:
        report["live"] = _read_live_page(float(sys.argv[1]))
    except (OSError, ValueError, KeyError) as error:
        report["problem"] = f"{_CONFIG}: {error}"
    report["log"] = _output_of("journalctl", "--unit=trailcam", "--lines=3", "--no-pager", "--output=cat")
    print(json.dumps(report))


def _read_live_page(seconds: float) -> dict[str, Any] | None:
    live = tomllib.loads(_CONFIG.read_text(encoding="utf-8-sig")).get("live")
    if live is None:
        return None
    address = str(live.get("address", "127.0.0.1:8080"))
    host, _, port = address.rpartition(":") if ":" in address else ("", "", address)
    base = f"http://{'127.0.0.1' if host in _EVERYWHERE else host}:{port}"
    token = Path(live["token_file"]).read_text(encoding="utf-8-sig").strip() if "token_file" in live else None
    seen: dict[str, float] = {}
    found: dict[str, Any] = {"address": f"{host or '127.0.0.1'}:{port}", "token": token, "status": None, "seen": seen}
    try:
        with _get(base, "/status.json", token) as answer:
            found["status"] = json.loads(answer.read(_MAX_ANSWER_BYTES))
        after, until_s = -1, time.monotonic() + seconds
        while time.monotonic() < until_s and all(label in _NO_ANIMAL for label in seen):
            with _get(base, f"/frame.jpg?after={after}&viewer=deploy", token) as answer:
                record = json.loads(answer.headers.get("X-Trailcam") or "{}")
            after = record.get("sequence", after)
            if (outcome := record.get("outcome")) is not None:
                seen[outcome] = max(seen.get(outcome, 0.0), record.get("confidence", 0.0))
    except (OSError, ValueError, RecursionError) as error:
        found["problem"] = str(error)
    return found


def _get(base: str, path: str, token: str | None) -> HTTPResponse:
    request = urllib.request.Request(base + path)  # noqa: S310 - begins with http://
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    answer: HTTPResponse = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
    return answer


def _output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
