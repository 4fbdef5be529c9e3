"""The list of imported pictures that a run learned from, so that a bundle can name it by digest.

``reviews.csv`` of a run has one row per picture: its SHA-256, its use, its label, the source and the group as
``data import`` recorded them, and the digest of the review where the source has reviews. It holds no picture, and it
stays with the run: a bundle has its digest and its length alone.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from trailcam_core.datasets.run_directory import SplitRow, read_reviews
from trailcam_core.files.digest import file_sha256
from trailcam_train.retraining.new_pictures import read_journal

LEARNED, TESTED = "learned", "tested"  # training and validation, or test
_COLUMNS = ("sha256", "use", "label", "group", "source", "review")


def reviews_to_bytes(rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return the bytes of ``reviews.csv``, sorted and each picture once: the same reviews give the same digest."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    of_picture = {row["sha256"]: row for row in rows}
    writer.writerows(of_picture[sha256] for sha256 in sorted(of_picture))
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def imported_rows(photos: Path) -> tuple[dict[str, str], ...]:
    """Return the rows of the import that made a folder of photographs, with the digest of each file; none without one.

    Raises:
        DataError: the journal cannot be read.
    """
    root = photos.parent
    found = []
    for file, row in read_journal(photos).items():
        try:
            found.append({**row, "sha256": file_sha256(root / file)})
        except OSError:
            continue  # removed since it was imported, so nothing learned from it
    return tuple(found)


def used_reviews(data: Path, used: Iterable[SplitRow], earlier: Path | None) -> bytes:
    """Return ``reviews.csv`` of a run.

    Args:
        data: its data folder: prepared, with ``reviews.csv``, or ``photos`` of an import.
        used: its pictures.
        earlier: the earlier run that it took up, whose reviews it learned from, too.

    Raises:
        DataError, TrainError: a list cannot be read.
    """
    use_of = {row.sha256: TESTED if row.split == "test" else LEARNED for row in used}
    known = read_reviews(data) or imported_rows(data)
    before = read_reviews(earlier) if earlier is not None else ()
    now = [{**row, "use": use_of[row["sha256"]]} for row in known if row["sha256"] in use_of]
    return reviews_to_bytes([*before, *now])


def prepared_reviews(photos: Path, negatives: Path, rows: Iterable[SplitRow]) -> bytes:
    """Return ``reviews.csv`` of a folder that was prepared of imported pictures; empty if none was imported.

    A prepared crop shows an animal of one picture on the scene of another. So each picture of the folder is listed, and
    those that are not the imported file itself have no source.

    Raises:
        DataError: a journal cannot be read.
    """
    imported = [*imported_rows(photos), *imported_rows(negatives)]
    if not imported:
        return b""
    made = [{"sha256": row.sha256, "label": row.label} for row in rows]
    return reviews_to_bytes([*made, *imported])


def describe_reviews(content: bytes) -> dict[str, str]:
    """Return the provenance of ``reviews.csv``: pictures that were learned, and its digest; nothing of an empty one."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
    learned = sum(row["use"] == LEARNED and bool(row["source"]) for row in rows)
    return {"reviews": str(learned), "reviews_sha256": hashlib.sha256(content).hexdigest()} if rows else {}
