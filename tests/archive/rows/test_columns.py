"""Rows for people: an unknown explains itself, times are the camera's, cells are harmless."""

import csv
import io
import json
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from trailcam_archive.rows.columns import COLUMNS, FileRecord, ModelFacts, Row, TimeRule, rows_of
from trailcam_archive.rows.record import Answer, Detection, PictureRecord, failed
from trailcam_archive.rows.tables import write_csv, write_json_lines, write_parquet

MODEL = ModelFacts("animals 1.0.0", "max_logit", 1.65)
UNSURE = Answer("squirrel", 0.85, "label", 0.66)


def rows(record: PictureRecord, relative: str = "north/a/1.jpg", times: TimeRule | None = None) -> list[Row]:
    return list(rows_of(FileRecord("/card", relative, record), MODEL, times or TimeRule()))


def test_an_unknown_explains_itself() -> None:
    (row,) = rows(PictureRecord((UNSURE,)))
    assert row["Species"] == "unknown"
    assert (row["Best"], row["Confidence"]) == ("squirrel", 0.85)
    assert (row["Score"], row["ScoreLimit"], row["ScoreRule"]) == (0.66, 1.65, "max_logit")


def test_timelapse_finds_the_picture_and_camtrapr_the_station() -> None:
    (row,) = rows(PictureRecord((UNSURE,)))
    assert (row["File"], row["RelativePath"], row["Station"]) == ("1.jpg", "north/a", "north")
    (loose,) = rows(PictureRecord((UNSURE,)), "1.jpg")
    assert (loose["File"], loose["RelativePath"], loose["Station"]) == ("1.jpg", "", "card")


def test_every_box_has_a_row_and_an_unreadable_file_one() -> None:
    box = Detection("animal", 0.9, (0.1, 0.2, 0.3, 0.4))
    answers = (Answer("fox", 0.8, "label", 3.0, detection=box), Answer("person", 0.7, "detected", None, detection=box))
    first, second = rows(PictureRecord(answers))
    assert (first["Box"], first["BoxConfidence"], first["BoxCategory"]) == (
        "0.1000 0.2000 0.3000 0.4000",
        0.9,
        "animal",
    )
    assert (second["Species"], second["Score"], second["ScoreLimit"]) == ("person", None, None)
    (error,) = rows(failed("cut off"))
    assert (error["Species"], error["Error"]) == (None, "cut off")


@pytest.mark.parametrize(
    ("taken", "rule", "expected"),
    [
        ("2024-05-01T12:00:00", TimeRule(), ("2024-05-01 12:00:00", None)),
        ("2024-05-01T12:00:00", TimeRule(timezone(timedelta(hours=2))), ("2024-05-01 12:00:00", None)),
        ("2024-05-01T12:00:00+00:00", TimeRule(), ("2024-05-01 12:00:00", "+0000")),
        ("2024-05-01T12:00:00+00:00", TimeRule(timezone(timedelta(hours=2))), ("2024-05-01 14:00:00", "+0200")),
        ("2024-05-01T12:00:00", TimeRule(shift=timedelta(days=-1)), ("2024-04-30 12:00:00", None)),
        ("9999-12-31T23:00:00", TimeRule(shift=timedelta(days=1)), (None, None)),
        (None, TimeRule(), (None, None)),
    ],
)
def test_times_are_those_of_the_camera(
    taken: str | None, rule: TimeRule, expected: tuple[str | None, str | None]
) -> None:
    (row,) = rows(PictureRecord((UNSURE,), taken), times=rule)
    assert (row["DateTimeOriginal"], row["UTCOffset"]) == expected


def test_csv_and_json_lines_hold_the_same_cells() -> None:
    found = rows(PictureRecord((UNSURE,), "2024-05-01T12:00:00")) + rows(failed("=cut off"), "x\udcff/=1,2.jpg")
    table, lines = io.BytesIO(), io.BytesIO()
    write_csv(table, found)
    write_json_lines(lines, found)
    read = list(csv.DictReader(io.StringIO(table.getvalue().decode())))
    objects: list[dict[str, Any]] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert list(read[0]) == list(objects[0]) == list(COLUMNS)
    assert [{key: str("" if cell is None else cell) for key, cell in row.items()} for row in objects[:1]] == read[:1]
    assert (read[1]["File"], read[1]["Error"]) == ("'=1,2.jpg", "'=cut off")
    assert (objects[1]["File"], objects[1]["RelativePath"]) == ("=1,2.jpg", "x\\xff")


def test_parquet_holds_the_same_cells(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow, the extra parquet")
    import pyarrow.parquet

    found = rows(PictureRecord((UNSURE,), "2024-05-01T12:00:00")) + rows(failed("cut off"))
    with open(tmp_path / "rows.parquet", "wb") as file:
        write_parquet(file, found)
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist() == found
