from pathlib import Path

import pytest

from trailcam_core.datasets.run_directory import SplitRow, split_to_bytes
from trailcam_core.errors import TrainError
from trailcam_train.fitting.leakage import check_weights

ROWS = (
    SplitRow("fox/a.jpg", "a" * 64, "train", "fox"),
    SplitRow("fox/b.jpg", "b" * 64, "validation", "fox"),
    SplitRow("fox/c.jpg", "c" * 64, "test", "fox"),
)


def weights_of_a_run(folder: Path, *rows: SplitRow) -> str:
    (folder / "split.csv").write_bytes(split_to_bytes(rows))
    return str(folder / "model.keras")


@pytest.mark.parametrize("leaked", ["b", "c"])
def test_weights_that_learned_from_pictures_kept_for_judging_are_refused(leaked: str, tmp_path: Path) -> None:
    # Elsewhere the picture has another name: its content decides.
    weights = weights_of_a_run(tmp_path, SplitRow("dog/x.jpg", leaked * 64, "train", "dog"))
    with pytest.raises(TrainError, match=rf"learned from 1 pictures.*fox/{leaked}.jpg.*--split {tmp_path}"):
        check_weights(weights, ROWS)


def test_weights_of_a_run_with_the_same_split_are_taken(tmp_path: Path) -> None:
    check_weights(weights_of_a_run(tmp_path, *ROWS), ROWS)


@pytest.mark.parametrize("weights", ["none", "imagenet", "somewhere/backbone.h5"])
def test_weights_of_no_run_are_taken(weights: str) -> None:
    check_weights(weights, ROWS)


def test_a_run_whose_split_cannot_be_read_tells_nothing_and_is_refused(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("nonsense")
    with pytest.raises(TrainError, match="the training pictures of that run are unknown"):
        check_weights(str(tmp_path / "model.keras"), ROWS)
