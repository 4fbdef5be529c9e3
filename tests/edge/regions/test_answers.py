"""The mean of a region's logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.regions import MeanLogits, add_logits


def mean_of(rows: list[list[float]]) -> MeanLogits:
    mean: MeanLogits | None = None
    for row in rows:
        mean = add_logits(mean, np.array(row, np.float32))
    assert mean is not None
    return mean


@given(st.lists(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3), min_size=1, max_size=30))
def test_up_to_thirty_crops_count_alike(rows: list[list[float]]) -> None:
    mean = mean_of(rows)
    assert mean.looks == len(rows)
    np.testing.assert_allclose(mean.logits, np.mean(rows, axis=0), atol=1e-4)  # float32 sums


def test_after_that_new_crops_keep_a_thirtieth() -> None:
    mean = mean_of([[0.0]] * 100 + [[30.0]])
    assert mean.looks == 101
    assert mean.logits[0] == pytest.approx(1.0)


def test_one_doubtful_crop_does_not_turn_the_answer() -> None:
    assert int(mean_of([[4.0, 1.0], [0.0, 3.0], [4.0, 1.0]]).logits.argmax()) == 0


@pytest.mark.parametrize("logits", [[np.nan, 0.0], [np.inf, 0.0], [[1.0, 2.0]], [1.0, 2.0, 3.0]])
def test_logits_of_another_form_are_refused(logits: list[float]) -> None:
    mean = add_logits(None, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="expected finite logits"):
        add_logits(mean, np.array(logits, np.float32))
