from dataclasses import replace

import pytest

from trailcam_core.errors import TrainError
from trailcam_train.fitting.data_parallel import choose_devices, data_parallel
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import find_recipe


@pytest.mark.parametrize(
    ("devices", "found", "sizes", "expected"),
    [("auto", 1, (32,), 1), ("auto", 4, (32, 8), 4), ("auto", 3, (32, 8), 2), ("auto", 8, (9,), 3), ("2", 4, (32,), 2)],
)
def test_as_many_devices_are_taken_as_share_the_batch_evenly(
    devices: str, found: int, sizes: tuple[int, ...], expected: int
) -> None:
    assert choose_devices(devices, found, sizes) == expected


def test_more_devices_than_there_are_is_refused() -> None:
    with pytest.raises(TrainError, match="devices is 4, but there are 2 here"):
        choose_devices("4", 2, (32,))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(TrainError, match="devices is 2, which cannot share 5 pictures evenly"):
        choose_devices("2", 2, (32, 5))


def test_several_hosts_take_all_their_devices_or_none() -> None:
    assert choose_devices("auto", 4, (32, 8), hosts=2) == choose_devices("4", 4, (32, 8), hosts=2) == 4
    with pytest.raises(TrainError, match="devices is 3, which cannot share 32 pictures evenly"):
        choose_devices("auto", 3, (32,), hosts=3)
    with pytest.raises(TrainError, match="devices is 1, but the 2 hosts have 4 and train with all of them"):
        choose_devices("1", 4, (32,), hosts=2)


def test_a_backend_without_it_says_which_one_has_it(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")

    with data_parallel(recipe) as count:
        assert count == 1
    with (
        pytest.raises(TrainError, match=r"on tensorflow a training takes one.*KERAS_BACKEND=jax"),
        data_parallel(replace(recipe, devices="2")),
    ):
        raise AssertionError("it should have been refused")


@pytest.mark.parametrize("devices", ["0", "-1", "all", "1.5"])
def test_a_number_of_devices_that_is_none_is_refused(devices: str) -> None:
    with pytest.raises(TrainError, match="expected auto or a number from 1"):
        override(find_recipe("cnn"), [f"devices={devices}"])
