"""The last outcome of every device of a fleet: one small file, written after every device."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from trailcam_core.errors import DeployError, reason_of
from trailcam_core.files.atomic import write_file

_MAX_BYTES = 8_000_000


@dataclass(frozen=True)
class LastOutcome:
    """Kind and text of a device's last ``HostOutcome``, when it was, and the bundle of that run."""

    kind: str
    text: str
    when: str
    bundle: str


class FleetState:
    """Read and write ``state.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes = self._read()

    def last(self, host_id: str) -> LastOutcome | None:
        """Return the last outcome of a device."""
        return self._outcomes.get(host_id)

    def record(self, host_id: str, kind: str, text: str, now: datetime, bundle: str) -> None:
        """Write the outcome of a device.

        Raises:
            OSError: the disk is full, read-only or failing.
        """
        self._outcomes[host_id] = LastOutcome(kind, text, now.isoformat(timespec="seconds"), bundle)
        rows = {name: asdict(outcome) for name, outcome in sorted(self._outcomes.items())}
        write_file(self._path, (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode(), 0o600)

    def _read(self) -> dict[str, LastOutcome]:
        try:
            content = self._path.read_bytes()
            if len(content) > _MAX_BYTES:
                raise ValueError(f"{len(content):,} bytes")
            return {str(name): LastOutcome(**row) for name, row in json.loads(content).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DeployError(
                f"{self._path}: cannot be read ({reason_of(error)}). Delete it: only the last outcomes are lost."
            ) from error
