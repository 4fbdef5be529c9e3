"""The columns of the rows, one row per answer, the same in CSV, JSON lines and Parquet.

``File`` and ``RelativePath`` are the names by which Timelapse finds a picture; ``Station``, ``Species`` and
``DateTimeOriginal`` are those of a record table of camtrapR. Source: Timelapse reference guide, "Import CSV";
camtrapR, ``recordTable``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import PurePosixPath

from trailcam_archive.rows.record import Answer, PictureRecord
from trailcam_core.files.names import printable

Cell = str | float | int | None
Row = dict[str, Cell]

TEXT, NUMBER, WHOLE = "text", "number", "whole"
COLUMNS = {  # name: kind of its cells
    "File": TEXT,
    "RelativePath": TEXT,
    "Folder": TEXT,
    "Station": TEXT,
    "DateTimeOriginal": TEXT,
    "UTCOffset": TEXT,
    "Species": TEXT,
    "Confidence": NUMBER,
    "Best": TEXT,
    "Score": NUMBER,
    "ScoreLimit": NUMBER,
    "ScoreRule": TEXT,
    "Box": TEXT,
    "BoxCategory": TEXT,
    "BoxConfidence": NUMBER,
    "Frame": WHOLE,
    "Second": NUMBER,
    "Model": TEXT,
    "Error": TEXT,
}


@dataclass(frozen=True)
class ModelFacts:
    """What every row repeats of the model: its name, the rule of its confidence score and the limit, None if none."""

    name: str
    score_rule: str
    score_limit: float | None


@dataclass(frozen=True)
class TimeRule:
    """How stated times become those of the rows: ``shift`` is added; a time with a zone is converted to ``zone``."""

    zone: tzinfo | None = None
    shift: timedelta = field(default=timedelta())

    def cells(self, taken: str | None) -> Row:
        """Return the cells of an ISO 8601 time, which has an offset only where the file states one."""
        if taken is None:
            return {}
        try:
            time = datetime.fromisoformat(taken) + self.shift
            time = time.astimezone(self.zone) if time.tzinfo is not None and self.zone is not None else time
        except (ValueError, OverflowError):
            return {}
        return {"DateTimeOriginal": time.strftime("%Y-%m-%d %H:%M:%S"), "UTCOffset": time.strftime("%z") or None}


UNCHANGED_TIMES = TimeRule()


@dataclass(frozen=True)
class FileRecord:
    """A file as ``folder`` (as the user named it) and ``relative`` path with "/" in between, and its record."""

    folder: str
    relative: str
    record: PictureRecord


def rows_of(file: FileRecord, model: ModelFacts, times: TimeRule = UNCHANGED_TIMES) -> Iterator[Row]:
    """Yield the rows of one file: one per answer, or one with the error."""
    parent, _, name = file.relative.rpartition("/")
    common: Row = dict.fromkeys(COLUMNS)
    common |= {
        "File": printable(name),
        "RelativePath": printable(parent),
        "Folder": printable(file.folder),
        "Station": printable(station_of(file.folder, file.relative)),
        "Model": printable(model.name),
        "Error": printable(file.record.error or file.record.note or "") or None,
    }
    common |= times.cells(file.record.taken)
    if not file.record.answers:
        yield common
    for answer in file.record.answers:
        yield common | _answer_cells(answer, model)


def station_of(folder: str, relative: str) -> str:
    """Return the station of a picture: its first folder below the source, or the name of the source itself."""
    first, slash, _ = relative.partition("/")
    return first if slash else PurePosixPath(folder).name


def _answer_cells(answer: Answer, model: ModelFacts) -> Row:
    cells: Row = {
        "Species": printable(answer.species(model.score_limit)),
        "Confidence": round(answer.confidence, 6),
        "Best": printable(answer.best),
        "Frame": answer.frame,
        "Second": None if answer.at_s is None else round(answer.at_s, 3),
    }
    if answer.score is not None:
        cells |= {
            "Score": round(answer.score, 6),
            "ScoreLimit": None if model.score_limit is None else round(model.score_limit, 6),
            "ScoreRule": model.score_rule,
        }
    if answer.detection is not None:
        cells |= {
            "Box": " ".join(f"{side:.4f}" for side in answer.detection.box),
            "BoxCategory": printable(answer.detection.category),
            "BoxConfidence": round(answer.detection.confidence, 6),
        }
    return cells
