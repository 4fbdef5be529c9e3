"""The proposal as a function of what data and machine look like."""

from dataclasses import replace

import pytest

from trailcam_train.proposal.candidates import list_candidates
from trailcam_train.proposal.glance import DataGlance, Machine
from trailcam_train.proposal.propose import fit_settings, propose
from trailcam_train.recipe.toml import override
from trailcam_train.recipes.find import find_recipe, recipe_names

FEW = DataGlance({f"label{n}": 24 for n in range(10)}, 192)
MANY = DataGlance({f"label{n}": 1300 for n in range(10)}, 160)
HUGE = DataGlance({f"label{n}": 20_000 for n in range(10)}, 160)
LAPTOP = Machine(cores=2, memory_mb=8_000, gpu=False)
CANDIDATES = list_candidates()


def test_a_network_with_published_weights_is_proposed_for_few_and_for_many_pictures() -> None:
    for data in (FEW, MANY, HUGE):
        chosen = propose(data, LAPTOP, CANDIDATES).chosen
        assert chosen.recipe.weights == "imagenet"
        assert chosen.candidate.download_bytes > 0


def test_every_recipe_is_an_option_and_the_proposed_one_is_first() -> None:
    proposal = propose(FEW, LAPTOP, CANDIDATES)

    assert sorted(option.name for option in proposal.options) == sorted(recipe_names())
    assert proposal.options[0] is proposal.chosen


def test_the_smaller_network_is_proposed_where_the_larger_takes_more_than_an_hour() -> None:
    large = next(option for option in propose(FEW, LAPTOP, CANDIDATES).options if option.name == "efficientnet_lite2")
    assert large.training_s is not None
    assert large.training_s < 600  # a stranger's 240 photographs, two cores

    assert propose(FEW, LAPTOP, CANDIDATES).chosen.name == "efficientnet_lite2"
    assert propose(HUGE, LAPTOP, CANDIDATES).chosen.name == "efficientnet_lite0"
    assert propose(HUGE, replace(LAPTOP, gpu=True), CANDIDATES).chosen.name == "efficientnet_lite2"


def test_a_machine_of_little_memory_is_offered_what_fits() -> None:
    lite0 = next(item for item in CANDIDATES if item.recipe.name == "efficientnet_lite0")
    assert lite0.cost is not None
    lite2 = next(item for item in CANDIDATES if item.recipe.name == "efficientnet_lite2")
    assert lite2.cost is not None
    between = (lite0.cost.memory_mb + lite2.cost.memory_mb) / 2 / 0.9

    assert propose(FEW, replace(LAPTOP, memory_mb=round(between)), CANDIDATES).chosen.name == "efficientnet_lite0"
    assert propose(FEW, replace(LAPTOP, memory_mb=10), CANDIDATES).chosen.name == "efficientnet_lite0"


def test_few_pictures_get_as_many_steps_as_a_head_needs_to_learn() -> None:
    recipe = find_recipe("efficientnet_lite2")
    fitted = override(recipe, fit_settings(recipe, FEW, gpu=False))

    steps = 168 // fitted.batch_size
    assert fitted.batch_size == 16
    assert fitted.phases[0].epochs * steps >= 400
    assert fitted.phases[1].epochs * steps >= 100


def test_many_pictures_are_trained_as_the_recipe_says() -> None:
    assert fit_settings(find_recipe("efficientnet_lite2"), MANY, gpu=False) == ()


def test_unequal_labels_are_shown_equally_often() -> None:
    uneven = DataGlance({"fox": 3000, "hare": 900}, 160)

    assert "sampling=balanced" in fit_settings(find_recipe("efficientnet_lite2"), uneven, gpu=False)


def test_a_gpu_draws_new_views() -> None:
    assert "phases.top.views=0" in fit_settings(find_recipe("efficientnet_lite2"), MANY, gpu=True)


def test_no_candidate_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="candidate"):
        propose(FEW, LAPTOP, ())
