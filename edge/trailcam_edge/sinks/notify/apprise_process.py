"""The process that talks to Apprise: requests as JSON lines on standard input, answers on standard output.

Apprise loads some 140 services, which takes seconds and about 40 MB. In a separate process that happens only while
messages are sent, takes nothing from the live loop, and a server that hangs is ended with it.

    {"address": "ntfy://...", "title": "...", "body": "...", "picture": "BASE64" or null, "clip": "BASE64" or null}
    ->  {"result": "sent"}

``result`` is "sent", "failed" with ``status`` (of HTTP, 0 if unknown), or "unknown" for an address that Apprise does
not know. Without ``body`` the address is only checked: "known". The first line is "ready", once Apprise is loaded.
"""

import base64
import json
import logging
import re
import sys
from typing import Any, TextIO

_FILES = (("picture", "visit.jpg", "image/jpeg"), ("clip", "visit.mp4", "video/mp4"))
_STATUS = re.compile(r"\berror=(\d{3})\b")


class _Statuses(logging.Handler):
    """Collects the status of HTTP from Apprise's log; the rest of it may hold secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status of a message that has one."""
        found = _STATUS.search(record.getMessage())
        self.last = int(found[1]) if found else self.last


def answer(request: dict[str, Any], statuses: _Statuses) -> dict[str, Any]:
    """Check an address, or send a message to it."""
    import apprise

    asset = apprise.AppriseAsset(app_id="Trailcam", app_desc="Trailcam", image_url_mask="")  # no icon of a third party
    service = apprise.Apprise.instantiate(request["address"], asset=asset, suppress_exceptions=True)
    if service is None:
        return {"result": "unknown"}
    if "body" not in request:
        return {"result": "known"}
    files = []
    for key, name, kind in _FILES if service.attachment_support else ():
        if request.get(key):
            content = base64.b64decode(request[key])
            files.append(apprise.attachment.memory.AttachMemory(content=content, name=name, mimetype=kind))
    attached = apprise.AppriseAttachment(files) if files else None
    statuses.last = 0
    sent = service.notify(title=request["title"], body=request["body"], attach=attached)
    return {"result": "sent"} if sent else {"result": "failed", "status": statuses.last}


def main(lines: TextIO, output: TextIO) -> None:
    """Answer requests until the input ends."""
    statuses = _Statuses()
    logger = logging.getLogger("apprise")
    logger.addHandler(statuses)
    logger.propagate = False
    answer({"address": "json://localhost"}, statuses)  # loads the services
    output.write(json.dumps({"result": "ready"}) + "\n")
    output.flush()
    for line in lines:
        output.write(json.dumps(answer(json.loads(line), statuses)) + "\n")
        output.flush()


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
