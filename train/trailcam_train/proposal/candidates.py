"""The recipes as candidates of a proposal."""

from trailcam_train.proposal.propose import Candidate
from trailcam_train.recipes.find import find_recipe, published_weights, recipe_cost, recipe_names, recipe_summary


def list_candidates() -> tuple[Candidate, ...]:
    """Return every recipe, those of other packages too.

    Raises:
        TrainError: two recipes of one name, or one that cannot be used.
    """
    return tuple(_candidate(name) for name in recipe_names())


def _candidate(name: str) -> Candidate:
    recipe = find_recipe(name)
    weights = published_weights(recipe)
    return Candidate(recipe, recipe_summary(name), recipe_cost(name), 0 if weights is None else weights.size_bytes)
