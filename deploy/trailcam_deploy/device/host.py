"""One device of a fleet, and ids from host names and SSH destinations."""

from dataclasses import dataclass

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_MAX_LENGTH = 64


@dataclass(frozen=True)
class Host:
    """A device: its id, its SSH destination, and its settings; None leaves a setting to the command line."""

    id: str
    ssh: str
    channel: str | None = None
    source: str | None = None
    live: bool | None = None


def host_id(destination: str) -> str:
    """Return the id of a device of which only the SSH destination is known: the name of its host."""
    name = destination.rpartition("@")[2].lower().partition(".local")[0]
    kept = "".join(letter if letter in _LETTERS else "-" for letter in name).strip("._-")
    return kept[:_MAX_LENGTH] or "camera"
