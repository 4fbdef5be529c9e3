"""The journal of an update: one small file, always whole."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import write_file
from trailcam_core.strict_json import canonical_json, parse_object

__all__ = ["BUILTIN", "STATES", "Journal", "read_journal", "write_journal"]

BUILTIN = "builtin"
STATES = ("idle", "self_test", "activate", "watch", "roll_back")
_MAX_REFUSED = 8
_MAX_BYTES = 65_536
_SLOT = r"[a-z0-9][A-Za-z0-9._+-]{0,159}"
_MAX_REASON = 500


@dataclass(frozen=True)
class Journal:
    """State of an update. Slots are named; ``running`` is the last bundle that was committed.

    ``starts`` counts the starts of the camera with the candidate. ``refused`` maps slots to the reason of their
    rollback, the latest last. ``reason`` belongs to ``roll_back``.
    """

    state: str = "idle"
    running: str = BUILTIN
    previous: str = BUILTIN
    candidate: str | None = None
    starts: int = 0
    reason: str = ""
    refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state not in STATES or (self.state == "idle") != (self.candidate is None):
            raise ValueError(f"a journal in state {self.state!r} with the candidate {self.candidate!r}")

    def with_refused(self, slot: str, reason: str) -> dict[str, str]:
        """Return ``refused`` with one more entry; the oldest are dropped."""
        kept = {name: text for name, text in self.refused.items() if name != slot}
        newest = list(kept.items())[-(_MAX_REFUSED - 1) :]
        return dict([*newest, (slot, reason)])


def read_journal(path: Path) -> Journal:
    """Read the journal; without a file nothing was ever installed.

    Raises:
        UpdateError: it is damaged. A power cut cannot do that; a dying memory card can.
        OSError: it cannot be read; its content is unknown.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Journal()
    try:
        return _parse(content, str(path))
    except (BundleError, ValueError) as error:
        raise UpdateError(f"{error} The journal is damaged: the built-in bundle runs until the next update.") from error


def write_journal(path: Path, journal: Journal) -> None:
    """Replace the journal in one step.

    Raises:
        OSError: the disk is full, read-only or failing; the old journal is kept.
    """
    write_file(path, _to_bytes(journal))


def _to_bytes(journal: Journal) -> bytes:
    rows = enumerate(journal.refused.items())  # at most eight: one digit, so sorting keeps the order
    fields = asdict(journal) | {
        "candidate": journal.candidate or "",
        "reason": _printable(journal.reason),
        "refused": {str(row): f"{slot} {_printable(reason)}" for row, (slot, reason) in rows},
    }
    return canonical_json({"journal": fields, "sha256": hashlib.sha256(canonical_json(fields)).hexdigest()})


def _parse(content: bytes, source: str) -> Journal:
    top = parse_object(content, source, _MAX_BYTES)
    top.text("sha256", r"[0-9a-f]{64}", "64 hexadecimal digits")
    fields = top.child("journal")
    refused = fields.text_table("refused", _MAX_REFUSED, _MAX_REASON + 200)
    journal = Journal(
        state=fields.choice("state", STATES),
        running=fields.text("running", _SLOT, "the name of a slot"),
        previous=fields.text("previous", _SLOT, "the name of a slot"),
        candidate=fields.text("candidate", f"|{_SLOT}", "the name of a slot, or empty") or None,
        starts=fields.integer("starts", 0, 1_000_000),
        reason=fields.text("reason", r".*", "a text"),
        refused={slot: reason for _, row in sorted(refused.items()) for slot, _, reason in (row.partition(" "),)},
    )
    fields.finish()
    top.finish()
    if _to_bytes(journal) != content:
        raise BundleError(f"{source}: its digest does not match.")
    return journal


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_MAX_REASON]
