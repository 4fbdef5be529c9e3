"""The reviewed visits and samples of a store as labelled pictures; those without a review teach nothing new."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trailcam_archive.imports.sample import Sample
from trailcam_edge.events import BLANK, PERSON, UNKNOWN
from trailcam_edge.store.open_database import DATABASE_FILE
from trailcam_edge.store.reader import open_reader
from trailcam_edge.store.reviews.records import reviewed_label
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
            label = reviewed_label(event.label, answers.get(event.visit_id))
            if label is None or label in _NO_LABELS or event.picture is None:
                continue
            group = f"{event.station or camera}-{_day(event.started.unix_s, event.visit_id)}"
            if label == BLANK:
                yield Sample(str(folder / event.picture), None, group)
            else:
                yield Sample(str(folder / event.picture), label, group, event.box)
        for sample, answer in reviewed_samples(reader):
            if sample.picture is None or answer.disputed:
                continue
            label = reviewed_label(UNKNOWN, answer)
            group = f"{camera}-{_day(sample.taken.unix_s, sample.sample_id)}"
            if label == BLANK:
                yield Sample(str(folder / sample.picture), None, group)
            elif label is not None and label not in _NO_LABELS:
                is_placed = sample.box is not None
                yield Sample(str(folder / sample.picture), label, group, sample.box, is_placed=is_placed)


def _day(unix_s: float | None, name: str) -> str:
    """Return a day in UTC, or a name where the time is unknown."""
    return name if unix_s is None else f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d}"
