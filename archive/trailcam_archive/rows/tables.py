"""Write rows as CSV, JSON lines or Parquet; one batch of rows at a time is in memory."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from trailcam_archive.rows.columns import COLUMNS, NUMBER, TEXT, WHOLE, Row
from trailcam_core.files.names import FORMULA_STARTS

_PARQUET_ROWS = 8_192  # of one row group


def write_csv(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write CSV in UTF-8 with a header; a spreadsheet takes no cell for a formula.

    Numbers have a point, and no cell is quoted without need.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_csv_cell(row[name]) for name in COLUMNS] for row in rows)
    text.detach()


def write_json_lines(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write one JSON object per line, with every column; an empty cell is null."""
    file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def write_parquet(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write Parquet; texts are strings, numbers doubles, whole numbers 64-bit integers.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow
    import pyarrow.parquet

    types = {TEXT: pyarrow.string(), NUMBER: pyarrow.float64(), WHOLE: pyarrow.int64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _PARQUET_ROWS)):
        yield batch


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell
