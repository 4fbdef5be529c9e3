"""The reviewed visits and samples of a store as labelled pictures; those without a review teach nothing new."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trailcam_archive.imports.sample import Sample
from trailcam_core.records import canonical_json
from trailcam_edge.events import NOTHING, PERSON, UNKNOWN
from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.records import Review, reviewed_label
from trailcam_edge.store.reviews.samples import reviewed_samples
from trailcam_edge.store.reviews.tables import standings

_NO_LABELS = (UNKNOWN, PERSON)


def is_store(folder: Path) -> bool:
    """Return whether a folder is the store of a camera."""
    return (folder / DATABASE_FILE).is_file()


def read_store(folder: Path) -> Iterator[Sample]:
    """Yield the reviewed visits and samples that have a picture.

    Those of one camera and one day are one group, because the same animal comes again on the same background. A moment
    without a visit is an empty scene, or an animal that the camera missed: in its box, or somewhere in the frame.

    Args:
        folder: of the store of a camera, of a card that was read, or of a store that came home.

    Raises:
        DeviceError: the store cannot be read.
    """
    camera = folder.resolve().name
    with open_reader(folder) as reader:
        answers = standings(reader.connection)
        for event in reader.events():
            answer = answers.get(event.visit_id)
            label = reviewed_label(event.label, answer)
            if answer is None or label is None or label in _NO_LABELS or event.picture is None:
                continue
            group = f"{event.station or camera}-{_day(event.started.unix_s, event.visit_id)}"
            if label == NOTHING:
                yield Sample(str(folder / event.picture), None, group, review=digest_of(answer.review))
            else:
                yield Sample(str(folder / event.picture), label, group, event.box, review=digest_of(answer.review))
        for sample, answer in reviewed_samples(reader):
            if sample.picture is None or answer.disputed:
                continue
            label = reviewed_label(UNKNOWN, answer)
            group = f"{camera}-{_day(sample.taken.unix_s, sample.sample_id)}"
            picture, review = str(folder / sample.picture), digest_of(answer.review)
            if label == NOTHING:
                yield Sample(picture, None, group, review=review)
            elif label is not None and label not in _NO_LABELS:
                yield Sample(picture, label, group, sample.box, review=review, is_placed=sample.box is not None)


def digest_of(review: Review) -> str:
    """Return the SHA-256 of a review: of visit, reviewer, answer and time, the same on every copy of a store."""
    facts = [review.visit_id, review.reviewer, review.verdict, review.label, review.unix_s]
    return hashlib.sha256(canonical_json(facts)).hexdigest()


def _day(unix_s: float | None, name: str) -> str:
    """Return a day in UTC, or a name where the time is unknown."""
    return name if unix_s is None else f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d}"
