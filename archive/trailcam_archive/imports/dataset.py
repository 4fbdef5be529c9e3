"""A data set for ``trailcam train``: crops in folders of their label and group, empty scenes beside them.

::

    DATA/photos/LABEL/GROUP/NAME.jpg         animals, cut out as a camera cuts them
    DATA/negatives/scenes/GROUP/NAME.jpg     scenes without an animal
    DATA/missed/LABEL/GROUP/NAME.jpg         animals that the camera missed, somewhere in the frame: not trained on
    DATA/import.csv                          one row per picture: where it comes from

A name is the digest of the picture and of the box, so a source that is imported twice adds nothing, and an import that
was stopped goes on.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2

from trailcam_archive.batch.references import is_web_address, read_reference, shown
from trailcam_archive.imports.sample import Sample, is_unnamed
from trailcam_core.errors import DataError, SourceError
from trailcam_core.files.atomic import make_folder, write_file
from trailcam_core.files.names import folder_name, printable
from trailcam_core.images.boxes import square_crop
from trailcam_core.images.decode import decode_image
from trailcam_core.jobs.progress import Progress, silent

PHOTOS, NEGATIVES, MISSED = "photos", "negatives/scenes", "missed"
_JOURNAL = "import.csv"
_COLUMNS = ("file", "label", "group", "source", "box", "confidence", "review")
_MARGIN, _MIN_CROP_PX = 1.3, 160  # as [motion] of a camera
_JPEG_QUALITY = 95
_FEW = 30  # pictures of a label, below which a training learns little


@dataclass(frozen=True)
class ImportRules:
    """Which samples become pictures.

    Attributes:
        min_confidence: of labels that a model gave, 0 to 1.
        fetch: whether web addresses are fetched.
    """

    min_confidence: float = 0.8
    fetch: bool = False


@dataclass
class ImportSummary:
    """Numbers of an import: pictures by label ("" for empty scenes), and those left out, by reason."""

    added: Counter[str] = field(default_factory=Counter)
    known: int = 0
    missed: int = 0
    unsure: int = 0
    unnamed: int = 0
    not_fetched: int = 0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        width = max([24, *(len(printable(label)) + 1 for label in self.added)])
        for label, number in self.added.most_common():
            few = f"  few: {_FEW} are a start" if label and number < _FEW else ""
            yield f"  {printable(label) or 'no animal':<{width}}{number:>8,}{few}"
        if self.missed:
            yield (
                f"  {self.missed:,} missed animals are somewhere in a frame: cut them out of {MISSED}/ and put them "
                f"into {PHOTOS}/, if you want to train on them."
            )
        if self.known:
            yield f"  {self.known:,} were imported before."
        if self.unsure:
            yield f"  {self.unsure:,} labels of a model are below the minimum confidence and were left out."
        if self.unnamed:
            yield f'  {self.unnamed:,} animals whose kind is not known ("unknown") were left out.'
        if self.not_fetched:
            yield f'  {self.not_fetched:,} pictures are on a web server: add "--fetch".'
        if self.problems:
            yield f"  {len(self.problems):,} pictures could not be read; the first: {self.problems[0]}"


def import_samples(
    samples: Iterable[Sample], data: Path, rules: ImportRules, progress: Progress = silent
) -> ImportSummary:
    """Add pictures to a data set.

    Args:
        samples: labelled pictures.
        data: the data set; made if missing.
        rules: what to leave out.
        progress: gets the number of samples so far; their total is unknown.

    Raises:
        DataError: ``data`` is another folder with files in it.
        OSError: the disk is full or read-only; what was added stays.
    """
    known, spellings = _read_journal(data)
    summary = ImportSummary()
    for number, sample in enumerate(samples, start=1):
        progress("import", number, 0)
        if sample.confidence < rules.min_confidence:
            summary.unsure += 1
        elif sample.label is not None and is_unnamed(sample.label):
            summary.unnamed += 1
        elif is_web_address(sample.reference) and not rules.fetch:
            summary.not_fetched += 1
        else:
            try:
                _add(sample, data, known, spellings, summary)
            except SourceError as error:
                summary.problems.append(str(error))
    return summary


def _add(sample: Sample, data: Path, known: set[str], spellings: dict[str, str], summary: ImportSummary) -> None:
    content = read_reference(sample.reference)
    digest = hashlib.sha256(content + repr(sample.box).encode()).hexdigest()[:20]
    label = sample.label
    if label is not None:
        label = spellings.setdefault(label.casefold(), label)
    place = PHOTOS if sample.is_placed else MISSED
    folder = NEGATIVES if label is None else f"{place}/{folder_name(label)}"
    file = f"{folder}/{folder_name(sample.group)}/{digest}.jpg"
    if digest in known:
        summary.known += 1
        return
    picture = _cut(content, sample)
    make_folder((data / file).parent)
    write_file(data / file, picture)
    _append(data / _JOURNAL, file, sample, label)
    known.add(digest)
    if sample.is_placed:
        summary.added[label or ""] += 1
    else:
        summary.missed += 1


def _cut(content: bytes, sample: Sample) -> bytes:
    """Return the JPEG of the picture, or of the square around its animal."""
    image = decode_image(content, shown(sample.reference))
    if sample.box is not None:
        crop = square_crop(sample.box, (image.shape[0], image.shape[1]), _MARGIN, _MIN_CROP_PX)
        image = image[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    encoded, buffer = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise SourceError(f"{shown(sample.reference)}: cannot be written as JPEG.")
    return buffer.tobytes()


def _read_journal(data: Path) -> tuple[set[str], dict[str, str]]:
    """Return the digests of the pictures that are there, and the spelling of each label."""
    journal = data / _JOURNAL
    if not journal.exists():
        if data.exists() and any(data.iterdir()):
            raise DataError(f"{data}: has files and no {_JOURNAL}, so no import made it. Name a new folder.")
        return set(), {}
    known: set[str] = set()
    spellings: dict[str, str] = {}
    with open(journal, encoding="utf-8", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        if columns and not {"file", "label"} <= set(columns):
            raise DataError(
                f"{journal}: its first line is {','.join(columns)[:80]!r}, expected {','.join(_COLUMNS)}. If another "
                "program saved it with semicolons, save it with commas, or name a new folder."
            )
        complete = set(_COLUMNS) <= set(columns)
        for row in reader:
            if row["file"] and (data / row["file"]).is_file():
                known.add(PurePosixPath(row["file"]).stem)
                if row["label"]:
                    spellings.setdefault(row["label"].casefold(), row["label"])
    if not complete:
        _add_columns(journal)
    return known, spellings


def _add_columns(journal: Path) -> None:
    """Write the journal of an earlier release anew, with the columns that it did not know."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    with open(journal, encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer.writerows(csv.DictReader(file))
    write_file(journal, text.getvalue().encode("utf-8", "surrogateescape"))


def _append(journal: Path, file: str, sample: Sample, label: str | None) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not journal.exists():
        writer.writerow(_COLUMNS)
    box = sample.box
    sides = "" if box is None else f"{box.x:.5f} {box.y:.5f} {box.width:.5f} {box.height:.5f}"
    source = printable(shown(sample.reference))
    writer.writerow([file, label or "", sample.group, source, sides, f"{sample.confidence:g}", sample.review])
    with open(journal, "a", encoding="utf-8", errors="surrogateescape", newline="") as output:
        output.write(text.getvalue())
