"""``predictions.csv``: written and read back, and refused where it does not fit its run."""

from pathlib import Path

import numpy as np
import pytest

from trailcam_core.datasets.run_directory import Run, SplitRow
from trailcam_core.errors import TrainError
from trailcam_core.spec import InputSpec
from trailcam_train.evaluation.predictions import predictions_to_bytes, read_predictions

LABELS = ("fox", "owl, tawny")
ROWS = (
    SplitRow("fox/1.jpg", "1" * 64, "validation", "fox"),
    SplitRow("fox/2.jpg", "2" * 64, "test", "fox"),
    SplitRow("owl/3.jpg", "3" * 64, "train", "owl, tawny"),
    SplitRow("owl/4.jpg", "4" * 64, "test", "owl, tawny"),
)
SHARES = np.array([[0.9, 0.1], [0.25, 0.75], [0.4, 0.6]])
CONTENT = predictions_to_bytes((ROWS[0], ROWS[1], ROWS[3]), SHARES, LABELS)


def run(path: Path) -> Run:
    return Run(path, LABELS, InputSpec(32, 32, "crop"), ROWS, {}, {}, {})


def test_answers_come_back_with_their_rows(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_bytes(CONTENT)

    wrong, right = read_predictions(run(tmp_path), "test")

    assert (wrong.row, wrong.answer, wrong.confidence, wrong.right) == (ROWS[1], "owl, tawny", 0.75, False)
    assert (right.row, right.answer, right.confidence, right.right) == (ROWS[3], "owl, tawny", 0.6, True)
    assert [answer.row for answer in read_predictions(run(tmp_path), "validation")] == [ROWS[0]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"answer,confidence", b"answer,share", "first line"),
        (b"fox/2.jpg,test,fox,", b"fox/2.jpg,test,", "line 3 has 4 fields"),
        (b"0.750000", b"sure", "confidence is 'sure'"),
        (b"0.750000", b"1.5", "confidence is '1.5'"),
        (b"0.750000", b"nan", "confidence is 'nan'"),
        (b"fox/2.jpg", b"fox/9.jpg", "2 pictures, such as 'fox/2.jpg'"),
        (b"fox/2.jpg,test,fox", b'fox/2.jpg,test,"owl, tawny"', "split.csv"),
        (b'fox/2.jpg,test,fox,"owl, tawny"', b"fox/2.jpg,test,fox,lynx", "the label 'lynx'"),
        (CONTENT, b"", "missing"),
        (b"file", b"\xff", "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_its_run_is_refused(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    assert old in CONTENT
    (tmp_path / "predictions.csv").write_bytes(CONTENT.replace(old, new, 1))

    with pytest.raises(TrainError, match=r"predictions\.csv") as raised:
        read_predictions(run(tmp_path), "test")
    assert message in str(raised.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="copy the whole folder again"):
        read_predictions(run(tmp_path), "test")
