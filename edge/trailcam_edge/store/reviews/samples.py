"""Pictures of times without a visit: random moments, and what moved and got no label.

A sample is a row and a picture in the folder of the pictures of visits, under the same limit and written in the same
order: the picture first. One that finds no room is not kept at all.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from trailcam_core.images.boxes import Box
from trailcam_edge.events import PERSON_LABELS, PictureSample, is_recording
from trailcam_edge.store.database import Database, insert, moment_values
from trailcam_edge.store.disk.checksums import CheckedConnection
from trailcam_edge.store.disk.exif import add_exif
from trailcam_edge.store.disk.picture_folder import PictureFolder, encode_jpeg
from trailcam_edge.store.open_database import PICTURES_FOLDER
from trailcam_edge.store.quota import Quota
from trailcam_edge.store.reader import StoreReader
from trailcam_edge.store.reviews.accuracy import SampledMoment
from trailcam_edge.store.reviews.records import Standing, standing
from trailcam_edge.store.reviews.tables import reviews_of
from trailcam_edge.store.store_errors import DISK_FULL, StoreUnavailableError
from trailcam_edge.store.wall_time import WallTime, is_plausible

QUIET = "quiet"
_COLUMNS = (
    "number, sample_id, kind, taken_boot_id, taken_monotonic_s, bundle, per_day, outcome, box_x, box_y, box_width, "
    "box_height, picture_bytes"
)


class SampleRecord(NamedTuple):
    """One sample with its time; the fields are those of ``PictureSample``, ``picture`` is its path below the store."""

    number: int
    sample_id: str
    kind: str
    taken: WallTime
    bundle: str
    per_day: float
    outcome: str | None
    box: Box | None
    picture: str | None


def add_sample(database: Database, quota: Quota, pictures: PictureFolder, quality: int, sample: PictureSample) -> bool:
    """Store a sample once; return False if there is no room for its picture, and so no row either.

    Raises:
        ValueError: an image that cannot be encoded, or values of a wrong type.
        StoreUnavailableError: the disk is full, read-only or failing.
    """
    if database.one("SELECT 1 FROM samples WHERE sample_id = ?", sample.sample_id) is not None:
        return True
    content = _jpeg(sample, quality)
    quota.reserve_rows()
    if not quota.reserve_picture(len(content)):
        return False
    try:
        with database.translated(pictures.path):
            pictures.write(sample.sample_id, content)
    except StoreUnavailableError as error:
        if error.reason == DISK_FULL:
            return False
        raise
    values = {
        "sample_id": sample.sample_id,
        "kind": sample.kind,
        **moment_values("taken", sample.taken),
        "bundle": sample.bundle,
        "per_day": float(sample.per_day),
        "outcome": sample.outcome,
        **{f"box_{name}": float(side) for name, side in (asdict(sample.box) if sample.box else {}).items()},
        "picture_bytes": len(content),
        "picture_state": "kept",
    }
    try:
        with database.transaction([sample.taken]) as connection:
            insert(connection, "samples", values)
    except BaseException:
        pictures.remove(sample.sample_id)
        raise
    return True


def remove_refused(database: Database, pictures: PictureFolder, sample_ids: Sequence[str]) -> None:
    """Delete the pictures of those samples that show people, or that a reviewer has deleted.

    The rows go first, as with every deletion. Undo restores the answer and not the picture.
    """
    found = reviews_of(database.connection, sample_ids)
    refused = [name for name in sample_ids if _is_refused(standing(found.get(name, ())))]
    query = (
        "UPDATE samples SET picture_bytes = 0, picture_state = 'expired' WHERE sample_id = ? AND picture_bytes > 0 "
        "RETURNING sample_id"
    )
    with database.transaction() as connection:
        gone = [row[0] for name in refused for row in connection.execute(query, (name,)).fetchall()]
    with database.translated():
        for name in gone:
            pictures.remove(name)


def read_samples(
    reader: StoreReader, condition: str, values: Sequence[object] = (), limit: int = -1
) -> list[SampleRecord]:
    """Return the sound samples for which a condition in SQL holds, in the order of their random identifiers."""
    sound = reader.connection.condition("samples")
    query = f"SELECT {_COLUMNS} FROM samples WHERE {condition} AND {sound} ORDER BY sample_id LIMIT ?"  # noqa: S608 - constants
    return [_record(reader, row) for row in reader.connection.execute(query, (*values, limit))]


def reviewed_samples(reader: StoreReader) -> list[tuple[SampleRecord, Standing]]:
    """Return the samples that have an answer, each with the combined one."""
    samples = read_samples(reader, "reviewed = 1")
    found = reviews_of(reader.connection, [sample.sample_id for sample in samples])
    answers = [(sample, standing(found.get(sample.sample_id, ()))) for sample in samples]
    return [(sample, answer) for sample, answer in answers if answer is not None]


def quiet_moments(reader: StoreReader) -> list[SampledMoment]:
    """Return the random moments without a visit that have an answer."""
    return [
        SampledMoment(sample.bundle, answer, sample.taken.unix_s)
        for sample, answer in reviewed_samples(reader)
        if sample.kind == QUIET
    ]


def count_waiting(connection: CheckedConnection, kind: str, most: int) -> int:
    """Return the number of samples of a kind without a review, counted up to ``most``."""
    inner = "SELECT 1 FROM samples WHERE kind = ? AND reviewed = 0 AND picture_bytes > 0 LIMIT ?"
    return int(connection.execute(f"SELECT count(*) FROM ({inner})", (kind, most)).fetchone()[0])  # noqa: S608


def _record(reader: StoreReader, row: Sequence[Any]) -> SampleRecord:
    number, sample_id, kind, boot_id, monotonic_s, bundle, per_day, outcome, *sides, picture_bytes = row
    box = None if None in sides else Box(*sides)
    picture = f"{PICTURES_FOLDER}/{sample_id}.jpg" if picture_bytes else None
    taken = reader.timeline.resolve(boot_id, monotonic_s)
    return SampleRecord(number, sample_id, kind, taken, bundle, per_day, outcome, box, picture)


def _is_refused(found: Standing | None) -> bool:
    return found is not None and (
        found.review.verdict == "deleted" or (found.review.label or "").casefold() in PERSON_LABELS
    )


def _jpeg(sample: PictureSample, quality: int) -> bytes:
    taken = sample.taken
    wall = None if taken.wall is None or is_recording(taken.boot_id) else taken.wall
    if wall is not None and not is_plausible(wall.timestamp(), taken.boot_id):
        wall = None
    facts = {
        "sample_id": sample.sample_id,
        "kind": sample.kind,
        "per_day": sample.per_day,
        "bundle": sample.bundle,
        "boot_id": taken.boot_id,
        "monotonic_s": round(float(taken.monotonic_s), 3),
    }
    words = f"{sample.kind} sample"
    return add_exif(encode_jpeg(sample.picture, quality), words, f"Trailcam, {sample.bundle}", wall, facts)
