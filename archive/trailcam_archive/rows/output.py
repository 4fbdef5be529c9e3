"""The output of a job: its form by its suffix, written in one step."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from trailcam_archive.rows.columns import UNCHANGED_TIMES, FileRecord, ModelFacts, Row, TimeRule, rows_of
from trailcam_archive.rows.megadetector import write_megadetector
from trailcam_archive.rows.tables import write_csv, write_json_lines, write_parquet
from trailcam_core.errors import DataError
from trailcam_core.files.atomic import staged_file

_TABLES: dict[str, Callable[[BinaryIO, Iterable[Row]], None]] = {
    ".csv": write_csv,
    ".jsonl": write_json_lines,
    ".parquet": write_parquet,
}
SUFFIXES = (*_TABLES, ".json")


@dataclass(frozen=True)
class OutputFacts:
    """What an output needs beside the records.

    Attributes:
        model: of the answers.
        labels: of the model, in its order.
        times: how stated times become those of the rows.
        detector: what made the boxes, None where there are none.
        prefixes: see ``source_prefixes``.
    """

    model: ModelFacts
    labels: tuple[str, ...]
    times: TimeRule = UNCHANGED_TIMES
    detector: str | None = None
    prefixes: Mapping[str, str] = field(default_factory=dict)


def check_output(path: Path) -> None:
    """Check that an output can be written, before work begins.

    Raises:
        DataError: another suffix, or there is no such folder.
        ModuleNotFoundError: ``.parquet`` without pyarrow.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the suffix chooses the form, expected one of {' '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder. Make it first.")
    if path.is_dir():
        raise DataError(f"{path}: a folder, expected the name of a file.")
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet  # noqa: F401 - proves that it is installed


def write_output(path: Path, records: Iterable[FileRecord], facts: OutputFacts) -> None:
    """Write all records; a failure leaves an older file untouched.

    Raises:
        OSError: the disk is full, read-only or failing.
    """
    with staged_file(path) as file:
        if path.suffix.lower() == ".json":
            write_megadetector(file, records, facts.model, facts.labels, facts.detector, facts.prefixes)
            return
        rows = (row for record in records for row in rows_of(record, facts.model, facts.times))
        _TABLES[path.suffix.lower()](file, rows)
