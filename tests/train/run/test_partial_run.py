"""The folder of an unfinished training that a disk has damaged."""

import json
from pathlib import Path

import pytest

from trailcam_core.errors import TrainError
from trailcam_train.data.dataset import Unreadable
from trailcam_train.run.partial_run import read_job, read_unreadable


@pytest.mark.parametrize("text", [None, "file,reason\na.jpg\n", 'file,reason\na.jpg,"cut\n'])
def test_a_damaged_list_of_unreadable_files_is_found_before_the_training(text: str | None, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["fox"]')
    (tmp_path / "provenance.json").write_text(json.dumps({"data": str(tmp_path)}))
    if text is not None:
        (tmp_path / "unreadable.csv").write_text(text)
    with pytest.raises(TrainError, match=r"unreadable\.csv: missing or damaged"):
        read_job(tmp_path)


@pytest.mark.parametrize("labels", ["3", "[1]", '{"fox": 1}'])
def test_labels_that_are_no_names_are_refused(labels: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(labels)
    (tmp_path / "provenance.json").write_text(json.dumps({"data": str(tmp_path)}))
    with pytest.raises(TrainError, match="damaged"):
        read_job(tmp_path)


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    (tmp_path / "unreadable.csv").write_bytes(b"file,reason\ncaf\xe9.jpg,cut\n")
    assert read_unreadable(tmp_path) == (Unreadable("caf\udce9.jpg", "cut"),)
