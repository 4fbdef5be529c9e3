"""The journal of an update: one small file, always whole."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import write_file
from trailcam_core.network.secrets import mask_text
from trailcam_core.records import Choice, Pattern, Range, canonical_json, parse_json

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


@dataclass(frozen=True)
class _StoredJournal:
    """The form on disk: a missing candidate is empty, and the refused slots are numbered rows."""

    state: Annotated[str, Choice(*STATES)]
    running: Annotated[str, Pattern(_SLOT, "the name of a slot")]
    previous: Annotated[str, Pattern(_SLOT, "the name of a slot")]
    candidate: Annotated[str, Pattern(f"|{_SLOT}", "the name of a slot, or empty")]
    starts: Annotated[int, Range(0, 1_000_000)]
    reason: Annotated[str, Pattern(r".*", "a text on one line")]
    refused: dict[str, Annotated[str, Pattern(rf".{{0,{_MAX_REASON + 200}}}", "a slot and a reason")]]


@dataclass(frozen=True)
class _Stored:
    """The file: the journal and its digest."""

    journal: _StoredJournal
    sha256: Annotated[str, Pattern(r"[0-9a-f]{64}", "64 hexadecimal digits")]


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
    table, document = parse_json(content, source, BundleError, _MAX_BYTES)
    stored = document.decode(_Stored, table).journal
    refused = sorted(stored.refused.items())
    if len(refused) > _MAX_REFUSED:
        document.refuse_value(("journal", "refused"), stored.refused, f"at most {_MAX_REFUSED} keys")
    journal = Journal(
        stored.state,
        stored.running,
        stored.previous,
        stored.candidate or None,
        stored.starts,
        stored.reason,
        refused={slot: reason for _, row in refused for slot, _, reason in (row.partition(" "),)},
    )
    if _to_bytes(journal) != content:
        raise BundleError(f"{source}: its digest does not match.")
    return journal


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in mask_text(text))[:_MAX_REASON]
