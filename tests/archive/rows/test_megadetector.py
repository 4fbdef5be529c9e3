"""MegaDetector documents: what is written, and boxes that are read."""

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailcam_archive.batch.source_prefixes import source_prefixes
from trailcam_archive.rows.columns import FileRecord, ModelFacts
from trailcam_archive.rows.megadetector import read_detections, write_megadetector
from trailcam_archive.rows.record import Answer, ClipFacts, Detection, PictureRecord, failed
from trailcam_core.errors import DataError

MODEL = ModelFacts("animals 1.0.0", "max_logit", 1.65)
BOX = Detection("animal", 0.9, (0.1, 0.2, 0.3, 0.4))
RECORDS = [
    FileRecord("c", "a/fox.jpg", PictureRecord((Answer("fox", 0.8, "label", 3.0),))),
    FileRecord("c", "a/odd.jpg", PictureRecord((Answer("fox", 0.8, "label", 1.0),))),
    FileRecord("c", "blank.jpg", PictureRecord((Answer("empty", 0.8, "nothing", 1.0),))),
    FileRecord("c", "boxes.jpg", PictureRecord((
        Answer("fox", 0.7, "label", 3.0, detection=BOX),
        Answer("person", 0.6, "detected", None, detection=Detection("person", 0.6, (0, 0, 1, 1))),
        Answer("boat", 0.5, "detected", None, detection=Detection("boat", 0.5, (0, 0, 1, 1))),
    ))),
    FileRecord("c", "clip.mp4", PictureRecord(
        (Answer("fox", 0.8, "label", 3.0, frame=25),), clip=ClipFacts(25.0, (0, 25)),
    )),
    FileRecord("c", "cut.jpg", failed("cut off")),
    FileRecord("c", "cut.mp4", failed("cut off")),
]  # fmt: skip


def document() -> dict[str, Any]:
    file = io.BytesIO()
    write_megadetector(file, RECORDS, MODEL, ("fox", "cat"), "md.json")
    found: dict[str, Any] = json.loads(file.getvalue())
    return found


def test_the_document_has_the_form_of_version_1_6() -> None:
    found = document()
    assert found["info"]["format_version"] == "1.6"
    assert found["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle", "4": "boat"}
    assert found["classification_categories"] == {"0": "fox", "1": "cat", "2": "unknown"}
    images = {image["file"]: image for image in found["images"]}
    assert images["a/fox.jpg"]["detections"] == [
        {"category": "1", "conf": 0.8, "bbox": [0.0, 0.0, 1.0, 1.0], "classifications": [["0", 0.8]]}
    ]
    assert images["a/odd.jpg"]["detections"][0]["classifications"] == [["2", 0.8]]
    assert images["blank.jpg"] == {"file": "blank.jpg", "detections": []}
    assert [item["category"] for item in images["boxes.jpg"]["detections"]] == ["1", "2", "4"]
    assert "classifications" not in images["boxes.jpg"]["detections"][1]
    clip = images["clip.mp4"]
    assert (clip["frame_rate"], clip["frames_processed"], clip["detections"][0]["frame_number"]) == (25.0, [0, 25], 25)
    assert images["cut.jpg"] == {"file": "cut.jpg", "failure": "cut off", "detections": None}
    assert images["cut.mp4"]["frames_processed"] == []


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "md.json").write_text(json.dumps(document()))
    found = {picture.file: picture.detections for picture in read_detections(tmp_path / "md.json")}
    assert set(found) == {record.relative for record in RECORDS} - {"cut.jpg", "cut.mp4"}
    assert found["blank.jpg"] == ()
    assert found["boxes.jpg"] == tuple(answer.detection for answer in RECORDS[3].record.answers)


def test_categories_may_follow_the_images_and_paths_may_be_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "md.json"
    path.write_text(
        '{"images": [{"file": "a\\\\b.jpg", "detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, 0.5, 1.001]}'
        "]}],"
        '"detection_categories": {"1": "animal"}}'
    )
    (picture,) = read_detections(path)
    assert picture.file == "a/b.jpg"
    assert picture.detections == (Detection("animal", 0.5, (0.0, 0.0, 0.5, 1.0)),)


def with_image(image: str) -> str:
    return f'{{"images": [{image}], "detection_categories": {{}}}}'


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"images": []}',
        with_image("3"),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 2, "bbox": [0, 0, 1, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, NaN, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [0, 0, 0, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [NaN, 0, 1, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [1e400, 0, 1, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [100, 80, 50, 50]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [0.9, 0, 0.9, 1]}]}'),
        with_image('{"file": "a", "detections": [{"category": "1", "conf": 0.5, "bbox": [1, 1, 0.01, 0.01]}]}'),
        with_image(
            '{"file": "a", "detections": [{"category": "1", "conf": 1' + "0" * 400 + ', "bbox": [0, 0, 1, 1]}]}'
        ),
        with_image('{"name": "a"}'),
        '{"detection_categories": {}}',
        '{"images": [], "detection_categories": {}}',
        '{"images": {"a": 1}, "detection_categories": {}}',
        with_image('{"file": "\\ud800", "detections": []}'),
        with_image('{"file": "a", "detections": ' + "9" * 9_999 + "}"),
    ],
)
def test_another_document_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "md.json").write_text(text)
    with pytest.raises(DataError, match="MegaDetector"):
        list(read_detections(tmp_path / "md.json"))


@settings(max_examples=200)
@given(
    st.floats(0, 1), st.integers(0, 6), st.sampled_from([b"", b"null", b"-1", b"1e999", b'"', b"{}", b"\xff", b"\\u0"])
)
def test_a_damaged_document_is_read_or_refused(at: float, removed: int, put_there: bytes) -> None:
    content = json.dumps(document()).encode()
    place = int(at * len(content))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "md.json"
        path.write_bytes(content[:place] + put_there + content[place + removed :])
        with contextlib.suppress(DataError):
            for picture in read_detections(path):
                os.fsencode(picture.file)


def test_files_of_two_cards_have_different_names() -> None:
    file = io.BytesIO()
    records = [FileRecord(card, "1.jpg", PictureRecord()) for card in ("cards/a", "cards/b")]
    write_megadetector(file, records, MODEL, ("fox",), None, source_prefixes(["cards/a/1.jpg", "cards/b/1.jpg"]))
    assert [image["file"] for image in json.loads(file.getvalue())["images"]] == ["a/1.jpg", "b/1.jpg"]
