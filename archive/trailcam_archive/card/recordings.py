"""The files of a card with their station, time and fingerprint; and their groups, the sequences."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from trailcam_archive.media_files import MediaFile

_SAMPLE_BYTES = 16_384  # from the beginning, the middle and the end: a card of 100,000 photographs is read in minutes


@dataclass(frozen=True, slots=True)
class Recording:
    """One photograph or clip.

    ``unix_s`` is when it began, None if that is unknown; ``duration_s`` is that of a clip as its file states it.
    ``fingerprint`` is the same for every copy of the file.
    """

    file: MediaFile
    station: str
    unix_s: float | None
    fingerprint: bytes
    duration_s: float = 0.0

    @property
    def ended_s(self) -> float | None:
        """When it ended, in Unix time, as far as its file states it."""
        return None if self.unix_s is None else self.unix_s + self.duration_s

    @property
    def name(self) -> str:
        """The path below the card, as a text that any program can store."""
        return os.fsencode(self.file.relative).decode("utf-8", "backslashreplace")


def fingerprint(path: Path) -> bytes:
    """Return 16 bytes that differ between files: a digest of their size and three samples.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.blake2b(size.to_bytes(8, "big"), digest_size=16)
        for start in sorted({0, max(0, (size - _SAMPLE_BYTES) // 2), max(0, size - _SAMPLE_BYTES)}):
            file.seek(start)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()


def group_sequences(recordings: Iterable[Recording], gap_s: float) -> Iterator[tuple[Recording, ...]]:
    """Yield the sequences of a card: recordings of one station that begin at most ``gap_s`` after the one before ended.

    A recording of unknown time is a separate sequence. Stations are in the order of their names, and their sequences
    in that of their times; those of unknown time come last, by path.
    """
    ordered = sorted(recordings, key=_place)
    for _, found in groupby(ordered, key=lambda each: each.station):
        waiting: list[Recording] = []
        last_s = float("-inf")
        for each in found:
            if waiting and (each.unix_s is None or each.unix_s - last_s > gap_s):
                yield tuple(waiting)
                waiting, last_s = [], float("-inf")
            waiting.append(each)
            last_s = last_s if each.ended_s is None else max(last_s, each.ended_s)
        yield tuple(waiting)


def _place(recording: Recording) -> tuple[str, bool, float, str]:
    return recording.station, recording.unix_s is None, recording.unix_s or 0.0, recording.name
