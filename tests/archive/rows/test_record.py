"""Records and their JSON."""

import pytest

from trailcam_archive.rows.record import (
    Answer,
    ClipFacts,
    Detection,
    PictureRecord,
    failed,
    record_from_json,
    record_to_json,
)

BOX = Detection("animal", 0.9, (0.1, 0.2, 0.3, 0.4))
RECORDS = [
    failed("cannot be read"),
    PictureRecord((Answer("fox", 0.8, "label", 3.5, (("fox", 0.8), ("cat", 0.1)), BOX),), "2024-05-01T12:00:00"),
    PictureRecord((Answer("person", 0.7, "detected", None, detection=BOX),)),
    PictureRecord((Answer("fox", 0.8, "label", 0.0, frame=0, at_s=0.0),), clip=ClipFacts(25.0, (0, 25)), note="hole"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_survives_the_journal(record: PictureRecord) -> None:
    assert record_from_json(record_to_json(record)) == record


@pytest.mark.parametrize("text", ["", "[]", "3", '{"answers": [3]}', '{"answers": [{"colour": 1}]}', '{"clip": {}}'])
def test_another_text_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a record|Expecting"):
        record_from_json(text)


@pytest.mark.parametrize(
    ("kind", "score", "limit", "expected"),
    [
        ("label", 2.0, 2.0, "fox"),
        ("label", 1.99, 2.0, "unknown"),
        ("label", 1.99, None, "fox"),
        ("nothing", -5.0, 2.0, "nothing"),
        ("unknown", 9.0, 2.0, "unknown"),
        ("detected", None, 2.0, "fox"),
    ],
)
def test_the_word_for_an_answer(kind: str, score: float | None, limit: float | None, expected: str) -> None:
    assert Answer("fox", 0.8, kind, score).species(limit) == expected  # type: ignore[arg-type]
