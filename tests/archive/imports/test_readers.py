"""Labels of other programs become samples."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from trailcam_archive.imports.sample import Sample, clipped_box
from trailcam_archive.imports.sources import read_source
from trailcam_archive.rows.columns import COLUMNS
from trailcam_core.errors import DataError
from trailcam_core.images.boxes import Box
from trailcam_edge.store.records import CSV_HEADER

LEFT = Box(0.0, 0.25, 0.25, 0.5)


def _coco(folder: Path, **changes: Any) -> Path:
    document = {
        "annotations": [
            {"id": 1, "image_id": "i1", "category_id": 1, "bbox": [0, 100, 200, 200]},
            {"id": 2, "image_id": "i2", "category_id": 1},
            {"id": 3, "image_id": "i4", "category_id": 0},
        ],
        "images": [
            {"id": "i1", "file_name": "fox/s1/a.jpg", "width": 800, "height": 400, "location": "oak", "seq_id": "7"},
            {"id": "i2", "file_name": "fox/s1/b.jpg"},
            {"id": "i4", "file_name": "empty/s2/d.jpg", "location": "oak"},
        ],
        "categories": [{"id": 0, "name": "Empty"}, {"id": 1, "name": "fox"}],
    } | changes
    path = folder / "labels.json"
    path.write_text(json.dumps(document))
    return path


def test_coco_may_name_its_images_behind_their_annotations(tmp_path: Path) -> None:
    assert list(read_source(_coco(tmp_path), tmp_path)) == [
        Sample(f"{tmp_path}/fox/s1/a.jpg", "fox", "oak-7", LEFT),
        Sample(f"{tmp_path}/fox/s1/b.jpg", "fox", "fox/s1/b.jpg"),
        Sample(f"{tmp_path}/empty/s2/d.jpg", None, "oak"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": []},
        {"annotations": [{"image_id": "i1", "category_id": 9}]},
        {"annotations": [{"image_id": "i1"}]},
        {"annotations": [{"image_id": "i1", "category_id": 1, "bbox": ["a", 1, 1, 1]}]},
        {"annotations": [{"image_id": "i1", "category_id": 1, "bbox": [10**400, 1, 1, 1]}]},
        {"images": ["a.jpg"]},
        {"images": [{"id": "i1", "file_name": "a", "width": "wide", "height": 1}]},
        {"images": [{"id": "i1", "file_name": "a", "width": 10**400, "height": 1}]},
        {"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]},
    ],
)
def test_a_wrong_coco_file_is_one_error_with_its_name(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"labels\.json: "):
        list(read_source(_coco(tmp_path, **changes), None))


def test_a_cut_off_file_is_an_error(tmp_path: Path) -> None:
    path = _coco(tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match=r"labels\.json: "):
        list(read_source(path, None))


def _package(folder: Path, observations: list[dict[str, object]]) -> Path:
    folder.mkdir()
    (folder / "datapackage.json").write_text("{}")
    media = [
        {"mediaID": "m1", "deploymentID": "oak", "eventID": "e1", "filePath": "a.jpg", "fileMediatype": "image/jpeg"},
        {"mediaID": "m2", "deploymentID": "oak", "eventID": "e2", "filePath": "b.mp4", "fileMediatype": "video/mp4"},
        {
            "mediaID": "m3",
            "deploymentID": "elm",
            "filePath": "https://example.org/c.jpg",
            "fileMediatype": "image/jpeg",
        },
    ]
    for name, rows in (("media", media), ("observations", observations)):
        with open(folder / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _observation(**cells: object) -> dict[str, object]:
    return {"deploymentID": "oak", "observationType": "animal", "scientificName": "Vulpes vulpes"} | cells


def test_camtrap_dp_gives_labels_of_media_and_of_events(tmp_path: Path) -> None:
    package = _package(
        tmp_path / "package",
        [
            _observation(mediaID="m1", bboxX=0, bboxY=0.25, bboxWidth=0.25, bboxHeight=0.5),
            _observation(mediaID="m2"),
            _observation(mediaID="m3", classificationMethod="machine", classificationProbability=0.7),
            _observation(mediaID="m3", observationType="human", scientificName="Homo sapiens"),
            _observation(mediaID="m3", observationType="blank", scientificName="", classificationMethod="human"),
            _observation(eventID="e1", scientificName="Lepus"),
        ],
    )
    assert list(read_source(package, None)) == [
        Sample(f"{package}/a.jpg", "Vulpes vulpes", "oak-e1", LEFT),
        Sample("https://example.org/c.jpg", "Vulpes vulpes", "elm", None, 0.7),
        Sample("https://example.org/c.jpg", None, "elm"),
    ]


def test_an_event_labels_the_media_that_have_no_label(tmp_path: Path) -> None:
    package = _package(tmp_path / "package", [_observation(eventID="e1", mediaID="")])
    assert list(read_source(package / "datapackage.json", None)) == [
        Sample(f"{package}/a.jpg", "Vulpes vulpes", "oak-e1")
    ]


def test_a_package_without_a_column_is_one_error(tmp_path: Path) -> None:
    package = _package(tmp_path / "package", [{"observationID": 1}])
    with pytest.raises(DataError, match=r"observations\.csv: lacks the column observationType"):
        list(read_source(package, None))


def test_csv_of_timelapse_and_of_our_own(tmp_path: Path) -> None:
    timelapse = tmp_path / "timelapse.csv"
    timelapse.write_text("File,RelativePath,Species,Station\na.jpg,fox\\s1,fox,oak\nb.jpg,fox\\s1,,oak\n")
    assert list(read_source(timelapse, None)) == [Sample(f"{tmp_path}/fox/s1/a.jpg", "fox", "oak")]
    own = tmp_path / "own.csv"
    own.write_text("file,label,x,y,width,height\nfox/s1/a.jpg,fox,0,0.25,0.25,0.5\nd.jpg,Blank,,,,\n")
    media = tmp_path / "media"
    assert list(read_source(own, media)) == [
        Sample(f"{media}/fox/s1/a.jpg", "fox", "fox/s1", LEFT),
        Sample(f"{media}/d.jpg", None, "."),
    ]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "file,label,x,y,width,height\na.jpg,fox,left,0,1,1\n"])
def test_a_wrong_csv_file_names_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(DataError, match=r"own\.csv:2: "):
        list(read_source(tmp_path / "own.csv", None))


def test_megadetector_gives_the_box_and_the_folder_gives_the_label(tmp_path: Path) -> None:
    def detection(category: str, confidence: float) -> dict[str, object]:
        return {"category": category, "conf": confidence, "bbox": [0, 0.25, 0.25, 0.5]}

    document = {
        "images": [
            {"file": "fox/s1/a.jpg", "detections": [detection("1", 0.2), detection("1", 0.19), detection("2", 0.9)]},
            {"file": "empty/s2/d.jpg", "detections": []},
        ],
        "detection_categories": {"1": "animal", "2": "person"},
        "info": {},
    }
    path = tmp_path / "md.json"
    path.write_text(json.dumps(document))
    assert list(read_source(path, None)) == [
        Sample(f"{tmp_path}/fox/s1/a.jpg", "fox", "s1", LEFT),
        Sample(f"{tmp_path}/empty/s2/d.jpg", None, "s2"),
    ]


def test_a_source_of_no_known_kind_lists_the_kinds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Camtrap DP"):
        read_source(tmp_path, None)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((-0.5, 0.0, 1.0, 2.0), Box(0.0, 0.0, 0.5, 1.0)),
        ((1.0, 0.0, 0.5, 1.0), None),
        ((0.0, 0.0, 0.0, 1.0), None),
        ((float("nan"), 0.0, 1.0, 1.0), None),
    ],
)
def test_a_box_is_cut_at_the_border(sides: tuple[float, float, float, float], expected: Box | None) -> None:
    assert clipped_box(*sides) == expected


@pytest.mark.parametrize(
    "text", ["file,label,x,y,width,height\na.jpg,fox,10,20,100,100\n", 'file,label\na.jpg,"fox\nb.jpg,cat\n']
)
def test_boxes_in_pixels_and_quotes_without_end_are_errors(text: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=r"labels\.csv"):
        list(read_source(tmp_path / "labels.csv", None))


def test_a_package_with_boxes_in_pixels_is_one_error(tmp_path: Path) -> None:
    box = {"bboxX": 10, "bboxY": 20, "bboxWidth": 100, "bboxHeight": 100}
    package = _package(tmp_path / "package", [_observation(mediaID="m1", **box)])
    with pytest.raises(DataError, match=r"observations\.csv: .*outside of 0 to 1"):
        list(read_source(package, None))


@pytest.mark.parametrize("name", ["/elsewhere/fox/a.jpg", "C:\\cards\\fox\\a.jpg", "../fox/a.jpg"])
def test_no_folder_above_the_pictures_is_a_label(name: str, tmp_path: Path) -> None:
    _detections(tmp_path, name)
    with pytest.raises(DataError, match="is not below"):
        list(read_source(tmp_path / "md.json", tmp_path))


def test_an_absolute_path_below_the_pictures_has_its_label(tmp_path: Path) -> None:
    _detections(tmp_path, f"{tmp_path}/fox/oak/a.jpg")
    (sample,) = read_source(tmp_path / "md.json", tmp_path)
    assert (sample.reference, sample.label, sample.group) == (f"{tmp_path}/fox/oak/a.jpg", "fox", "oak")


def _detections(folder: Path, name: str) -> None:
    image = {"file": name, "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}]}
    document = {"images": [image], "detection_categories": {"1": "animal"}}
    (folder / "md.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("rows.csv", ",".join(COLUMNS) + "\na.jpg,,c,c,,,unknown\n", "expected labels that people"),
        ("events.csv", ",".join(CSV_HEADER) + "\n1,v,fox\n", "data import STORE"),
        ("rows.json", '{"info": {"classifier": "m"}, "images": []}', "expected labels that people"),
    ],
)
def test_answers_of_a_model_are_no_labels(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=expected):
        list(read_source(tmp_path / name, None))


def test_a_packed_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "dwc.ZIP").write_bytes(b"PK")
    with pytest.raises(DataError, match="Unpack it"):
        read_source(tmp_path / "dwc.ZIP", None)
