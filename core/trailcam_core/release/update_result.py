"""Result of ``trailcam update --json``: one JSON object on stdout, written by a device and read by a deployment."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from trailcam_core.network.secrets import mask_text

SCHEMA = 1
UpdateCode = Literal[
    "installed",  # the release passed its self-test and is active
    "up_to_date",  # nothing to do, also if this device is not offered the newest release yet
    "busy",  # another update is running on the device
    "not_fetched",  # the repository, or a file of it, could not be fetched
    "refused",  # signature, rollback floor, bundle or an earlier rollback refuses the release
    "trial_failed",  # the self-test failed; the bundle before runs on
    "rolled_back",  # the operator's --roll-back is done
    "error",  # everything else
]


@dataclass(frozen=True)
class UpdateResult:
    """What an update did; ``running`` and ``candidate`` are the slots of the journal, None where there is none."""

    code: UpdateCode
    message: str
    running: str | None = None
    candidate: str | None = None

    def to_json(self) -> str:
        """Return the result as one line of JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self), "message": mask_text(self.message)})


def parse_update_result(text: str) -> UpdateResult:
    """Read the JSON object of an update; keys that a later version has added are ignored.

    Raises:
        ValueError: it is none, or of another schema.
    """
    try:
        found: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply to be read") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or found.get("code") not in get_args(UpdateCode):
        raise ValueError(f"{text[:100]!r} is no result of an update, schema {SCHEMA}")
    slots = [None if found.get(name) is None else str(found[name]) for name in ("running", "candidate")]
    return UpdateResult(found["code"], str(found.get("message", "")), *slots)
