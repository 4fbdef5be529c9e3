from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.errors import DataError, TrainError
from trailcam_core.spec import InputSpec
from trailcam_train.fitting.outliers import check_outliers, choose_outliers
from trailcam_train.fitting.streams import outlier_stream
from trailcam_train.recipes.find import find_recipe

SPEC = InputSpec(32, 32, "crop")


@pytest.fixture
def others(tmp_path: Path) -> Path:
    for group in ("animals", "things"):
        (tmp_path / group).mkdir()
        for number in range(5):
            level = number * 10 + (100 if group == "things" else 0)
            cv2.imwrite(str(tmp_path / group / f"{number}.png"), np.full((20, 20, 3), level, np.uint8))
    return tmp_path


def test_only_the_half_that_may_shape_is_shown(others: Path) -> None:
    """A broken file takes no turn: the halves are those of the pictures that evaluation and export can read."""
    (others / "things" / "1.png").write_bytes(b"\x89PNG")

    shown = [row.file for row in choose_outliers(others, SPEC)]

    assert shown == ["animals/0.png", "animals/2.png", "animals/4.png", "things/0.png", "things/3.png"]


def test_a_copy_of_a_picture_to_report_on_is_not_shown(others: Path) -> None:
    (others / "things" / "2.png").write_bytes((others / "animals" / "1.png").read_bytes())

    shown = [row.file for row in choose_outliers(others, SPEC)]

    assert shown == ["animals/0.png", "animals/2.png", "animals/4.png", "things/0.png", "things/4.png"]


def test_a_folder_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable picture of others"):
        choose_outliers(tmp_path, SPEC)


def test_a_folder_that_changed_is_refused_since_the_halves_moved(others: Path) -> None:
    rows = choose_outliers(others, SPEC)
    check_outliers(rows, others, SPEC)

    (others / "animals" / "0.png").unlink()

    with pytest.raises(TrainError, match="would be reported on"):
        check_outliers(rows, others, SPEC)


def test_a_batch_is_full_even_where_there_are_fewer_outliers(others: Path) -> None:
    recipe = replace(find_recipe("cnn"), outliers_per_batch=8)

    stream = outlier_stream(recipe, choose_outliers(others, SPEC), others)

    assert [images.shape for images, _ in stream.epoch(0)] == [(8, 128, 128, 3), (4, 128, 128, 3)]
