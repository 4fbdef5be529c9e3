"""What moves between the photographs of a burst."""

import cv2
import numpy as np
import pytest

from trailcam_archive.card.bursts import find_moving
from trailcam_edge.regions import RegionSettings

from .conftest import scene

_SETTINGS = RegionSettings()


def _luma(animal: str | None, left: int = 40) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    return np.asarray(cv2.cvtColor(scene(animal, left), cv2.COLOR_RGB2GRAY), np.uint8)


@pytest.mark.parametrize("places", [(20, 220), (20, 120, 220), (20, 80, 150, 220)])
def test_an_animal_that_walks_is_found_where_it_is_and_not_where_it_was(places: tuple[int, ...]) -> None:
    found = find_moving([_luma("jay", left) for left in places], _SETTINGS)
    assert [len(boxes) for boxes in found] == [1] * len(places)
    for (box,), left in zip(found, places, strict=True):
        assert box.x * 320 == pytest.approx(left, abs=6)
        assert box.width * 320 == pytest.approx(60, abs=12)


def test_nothing_moves_in_a_still_scene_in_one_photograph_or_in_other_sizes() -> None:
    still = _luma("jay")
    assert find_moving([still] * 3, _SETTINGS) == [()] * 3
    assert find_moving([still], _SETTINGS) == [()]
    assert find_moving([], _SETTINGS) == []
    assert find_moving([still, still[:100]], _SETTINGS) == [(), ()]


def test_a_scene_that_changes_as_a_whole_has_no_regions() -> None:
    rng = np.random.default_rng(1)
    lumas = [rng.integers(0, 255, (240, 320), dtype=np.uint8) for _ in range(3)]
    assert find_moving(lumas, _SETTINGS) == [()] * 3


def test_a_change_of_light_is_no_animal() -> None:
    still = _luma(None)
    assert find_moving([still, np.asarray(still * 0.8, np.uint8), still], _SETTINGS) == [()] * 3
