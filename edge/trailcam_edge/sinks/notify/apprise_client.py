"""Send messages through a process with Apprise, which is started when needed and ended when idle or late."""

import base64
import contextlib
import json
import subprocess
import sys
import threading
import time
from typing import Any

from trailcam_edge.sinks.notify.picture import Attachments
from trailcam_edge.sinks.worker import BodyTooLargeError, SinkError

_IDLE_S = 60.0
_START_S = 60.0  # Apprise loads for 3 s here, and longer on a small board that is busy
_MAX_ANSWER_BYTES = 4096
_TOO_LARGE = 413
_COMMAND = (sys.executable, "-m", "trailcam_edge.sinks.notify.apprise_process")


class AppriseClient:
    """Talk to one process; used by one thread.

    Args:
        timeout_s: for one message.
        command: starts the process.
        keep: the process also while it is idle.
    """

    def __init__(self, timeout_s: float, command: tuple[str, ...] = _COMMAND, keep: bool = False) -> None:
        self._timeout_s = timeout_s
        self._keep = keep
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._used_s = 0.0

    def is_known(self, address: str) -> bool:
        """Return True if Apprise knows an address of this form.

        Raises:
            SinkError: the process does not answer.
        """
        return bool(self._ask({"address": address})["result"] == "known")

    def send(self, address: str, title: str, body: str, files: Attachments) -> None:
        """Send a message.

        Raises:
            SinkError: it was not sent; the message names the status, and nothing of the address.
            BodyTooLargeError: it is too large to the service.
        """
        encoded = {
            name: None if content is None else base64.b64encode(content).decode("ascii")
            for name, content in (("picture", files.picture), ("clip", files.clip))
        }
        found = self._ask({"address": address, "title": title, "body": body} | encoded)
        if found["result"] == "unknown":
            raise SinkError("the address is of no service that Apprise knows.")
        if found["result"] != "sent":
            status = found.get("status") or 0
            if status == _TOO_LARGE:
                raise BodyTooLargeError(f"the service answered {status}.")
            raise SinkError(f"the service answered {status}." if status else "the service cannot be reached.")

    def load(self) -> None:
        """Start the process, because a message is likely soon; it stays for a minute.

        Raises:
            SinkError: it does not start.
        """
        self._ask(None)

    def end_idle(self) -> None:
        """End the process if it was not used for a minute, unless it is kept."""
        if self._process is not None and not self._keep and time.monotonic() >= self._used_s + _IDLE_S:
            self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was not written
                        pipe.close()

    def _ask(self, request: dict[str, Any] | None) -> dict[str, Any]:
        """Return the answer to a request; without one the process is only started."""
        limit_s = _START_S
        found: dict[str, Any] = {}
        try:
            if self._process is None:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                _exchange(self._process, b"", limit_s)
            limit_s = self._timeout_s
            if request is not None:
                found = json.loads(_exchange(self._process, json.dumps(request).encode("ascii") + b"\n", limit_s))
        except (OSError, ValueError) as error:
            self.close()
            raise SinkError(f"no answer within {limit_s:g} s, or the sending process failed.") from error
        self._used_s = time.monotonic()
        return found


def _exchange(process: "subprocess.Popen[bytes]", line: bytes, limit_s: float) -> bytes:
    """Write a request and return the answer; a process that is late is killed, which ends both pipes."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("no pipes")
    timer = threading.Timer(limit_s, process.kill)
    timer.daemon = True
    timer.start()
    try:
        process.stdin.write(line)
        process.stdin.flush()
        answer = process.stdout.readline(_MAX_ANSWER_BYTES)
    finally:
        timer.cancel()
    if not answer:
        raise OSError("it has ended")
    return answer
