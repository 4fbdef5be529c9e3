"""What is known of the devices of a fleet from one run to the next: one small file, written after every device."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import write_file

__all__ = ["FleetState", "LastWord"]

_MAX_BYTES = 8_000_000


@dataclass(frozen=True)
class LastWord:
    """How the last run ended for a device: kind and text of its ``Outcome``, when, and what was to be brought."""

    kind: str
    text: str
    when: str
    bundle: str


class FleetState:
    """Reads and writes ``state.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._words = self._read()

    def last(self, host_id: str) -> LastWord | None:
        """Return the last word on a device."""
        return self._words.get(host_id)

    def note(self, host_id: str, kind: str, text: str, now: datetime, bundle: str) -> None:
        """Write down how it went.

        Raises:
            OSError: the disk is full, read-only or failing.
        """
        self._words[host_id] = LastWord(kind, text, now.isoformat(timespec="seconds"), bundle)
        rows = {name: asdict(word) for name, word in sorted(self._words.items())}
        write_file(self._path, (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode(), 0o600)

    def _read(self) -> dict[str, LastWord]:
        try:
            content = self._path.read_bytes()
            if len(content) > _MAX_BYTES:
                raise ValueError(f"{len(content):,} bytes")
            return {str(name): LastWord(**row) for name, row in json.loads(content).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DeployError(f"{self._path}: cannot be read ({error}). Delete it: only its notes are lost.") from error
