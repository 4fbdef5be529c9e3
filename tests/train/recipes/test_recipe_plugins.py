"""Recipes of other packages, as entry points of packages that are not installed."""

from typing import Any

import pytest

from trailcam_core.errors import TrainError
from trailcam_core.jobs.plugins import RECIPES
from trailcam_train.recipes.find import build_network, find_recipe, recipe_names

HERE = "trailcam_train.recipes.cnn"
OTHER = "trailcam_train.recipes.xception"


def test_a_recipe_of_another_package_is_found_and_built(install_plugin: Any) -> None:
    install_plugin(RECIPES, "my-net", HERE)

    assert "my-net" in recipe_names()
    recipe = find_recipe("my_net")
    assert (recipe.name, recipe.input.height) == ("my_net", 128)
    assert build_network(recipe, 3, "float32").output_shape == (None, 3)


def test_two_recipes_of_one_name_are_refused(install_plugin: Any) -> None:
    install_plugin(RECIPES, "mine", HERE)
    install_plugin(RECIPES, "mine", OTHER)

    with pytest.raises(TrainError, match=rf"the name 'mine' belongs to {HERE} .* and to {OTHER}"):
        recipe_names()


def test_a_recipe_with_a_name_of_ours_is_refused(install_plugin: Any) -> None:
    install_plugin(RECIPES, "cnn", OTHER)

    with pytest.raises(TrainError, match="belongs to Trailcam itself and to"):
        find_recipe("cnn")


def test_a_recipe_with_a_name_of_ours_but_for_dashes_is_refused(install_plugin: Any) -> None:
    install_plugin(RECIPES, "efficientnet-lite0", OTHER)

    for find in (recipe_names, lambda: find_recipe("efficientnet_lite0"), lambda: find_recipe("cnn")):
        with pytest.raises(TrainError, match="'efficientnet-lite0' belongs to Trailcam itself and to"):
            find()


def test_two_recipes_whose_names_differ_in_a_dash_alone_are_refused(install_plugin: Any) -> None:
    install_plugin(RECIPES, "my-net", HERE)
    install_plugin(RECIPES, "my_net", OTHER)

    for find in (recipe_names, lambda: find_recipe("my-net")):
        with pytest.raises(TrainError, match=rf"the name 'my_net' belongs to {HERE} .* and to {OTHER}"):
            find()


def test_a_recipe_that_lacks_its_parts_or_cannot_be_imported_is_named(install_plugin: Any) -> None:
    install_plugin(RECIPES, "empty", "trailcam_core.jobs.plugins")
    install_plugin(RECIPES, "gone", "no_such_package.net")

    with pytest.raises(TrainError, match=r"recipe empty: trailcam_core\.jobs\.plugins lacks RECIPE or build"):
        find_recipe("empty")
    with pytest.raises(TrainError, match=r"no_such_package\.net .* cannot be imported"):
        find_recipe("gone")
