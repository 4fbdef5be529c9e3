"""Fuzzer: inputs and readers for files of MegaDetector, COCO Camera Traps, CSV and Camtrap DP."""

import json
from collections import deque
from pathlib import Path

from trailcam_archive.imports.camtrap_dp import read_camtrap_dp
from trailcam_archive.imports.coco import read_coco
from trailcam_archive.imports.labelled_csv import read_labelled_csv
from trailcam_archive.imports.megadetector import read_sorted_pictures

_MEDIA = Path("media")
_OBSERVATIONS = "observations.csv"


def detections() -> list[bytes]:
    """Return batch output of MegaDetector, with the categories before and behind the images."""
    found = {"category": "1", "conf": 0.91, "bbox": [0.1, 0.2, 0.3, 0.4], "classifications": [["0", 0.8]]}
    images = {
        "images": [
            {"file": "fox/cam1/a.jpg", "detections": [found, found | {"category": "2"}]},
            {"file": "empty\\b.jpg", "detections": []},
            {"file": "fox/c.jpg", "failure": "cannot be read", "detections": None},
        ]
    }
    names = {"detection_categories": {"1": "animal", "2": "person", "3": "vehicle"}}
    info = {"info": {"format_version": "1.6", "detector": "md\u00e9"}}
    return [json.dumps(document).encode() for document in (info | names | images, images | names | info)]


def read_detections(content: bytes, place: Path) -> None:
    """Read batch output of MegaDetector beside folders of labels."""
    place.write_bytes(content)
    deque(read_sorted_pictures(place, _MEDIA, 0.2), maxlen=0)


def coco() -> list[bytes]:
    """Return a file of COCO Camera Traps."""
    document = {
        "images": [{"id": "a", "file_name": "a.jpg", "width": 640, "height": 480, "location": "oak", "seq_id": "s1"}],
        "annotations": [{"id": 1, "image_id": "a", "category_id": 3, "bbox": [10, 20.5, 100, 120]}],
        "categories": [{"id": 3, "name": "fox"}, {"id": 0, "name": "empty"}],
    }
    return [json.dumps(document).encode()]


def read_coco_file(content: bytes, place: Path) -> None:
    """Read a file of COCO Camera Traps."""
    place.write_bytes(content)
    deque(read_coco(place, _MEDIA), maxlen=0)


def labelled() -> list[bytes]:
    """Return tables of labelled pictures."""
    return [b"file,label,group,x,y,width,height\na.jpg,fox,g,0.1,0.2,0.3,0.4\nb.jpg,empty,,,,,\n", b"file,label\na,b\n"]


def read_labelled(content: bytes, place: Path) -> None:
    """Read a table of labelled pictures."""
    place.write_bytes(content)
    deque(read_labelled_csv(place, _MEDIA), maxlen=0)


def observations() -> list[bytes]:
    """Return tables of observations of Camtrap DP."""
    header = (
        b"observationID,deploymentID,mediaID,eventID,observationType,scientificName,bboxX,bboxY,bboxWidth,bboxHeight"
    )
    return [header + b"\n1,d,m,e,animal,Vulpes vulpes,0.1,0.2,0.3,0.4\n2,d,m,e,blank,,,,,\n"]


def read_observations(content: bytes, place: Path) -> None:
    """Read a package of Camtrap DP with this table of observations."""
    folder = place.with_name("package")
    folder.mkdir(exist_ok=True)
    (folder / _OBSERVATIONS).write_bytes(content)
    (folder / "media.csv").write_text("mediaID,deploymentID,filePath,eventID,fileMediatype\nm,d,m.jpg,e,image/jpeg\n")
    (folder / "datapackage.json").write_text("{}")
    deque(read_camtrap_dp(folder), maxlen=0)
