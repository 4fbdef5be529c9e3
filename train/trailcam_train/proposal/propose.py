"""Propose a recipe: a pure function of a glance at data and machine.

The rule: of the recipes with published weights, the most accurate one whose estimated training fits the memory and
takes no longer than an hour. A network from nothing is never proposed; on 240 photographs it barely beats guessing.
Where pictures are few an epoch has few steps, so the number of epochs is raised to a number of steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trailcam_train.proposal.glance import DataGlance, Machine
from trailcam_train.recipe.cost import Cost, training_seconds
from trailcam_train.recipe.schema import Recipe
from trailcam_train.recipe.toml import override

# Best first. Source of the order: the accuracies in the docstrings of the recipes.
PREFERRED = ("efficientnet_lite2", "efficientnet_lite0")
_LONGEST_S = 3600.0
_MEMORY_SHARE = 0.9
_FEW = 1000  # training pictures below which a batch is half as large: twice as many steps in the same time
_SMALL_BATCH = 16
_HEAD, _TOP = "head", "top"
_STEPS = {_HEAD: 400, _TOP: 100}  # least steps of a phase: 150 training pictures reach their plateau with these
_MOST_EPOCHS = {_HEAD: 60, _TOP: 15}
_UNBALANCED = 3.0  # times as many pictures in the largest class as in the smallest


@dataclass(frozen=True)
class Candidate:
    """A recipe as it comes, with its summary, measured cost and the size of its weights to fetch in bytes."""

    recipe: Recipe
    summary: str
    cost: Cost | None
    download_bytes: int = 0


@dataclass(frozen=True)
class Option:
    """A candidate for this data: ``settings`` as for ``--set``; time and memory are None without a measured cost."""

    candidate: Candidate
    recipe: Recipe
    settings: tuple[str, ...]
    training_s: float | None
    memory_mb: int | None

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return self.candidate.recipe.name


@dataclass(frozen=True)
class Proposal:
    """All options, the proposed one first."""

    data: DataGlance
    machine: Machine
    options: tuple[Option, ...]

    @property
    def chosen(self) -> Option:
        """The proposed option."""
        return self.options[0]


def propose(data: DataGlance, machine: Machine, candidates: Sequence[Candidate]) -> Proposal:
    """Return every candidate as an option for this data and machine, the proposed one first.

    Raises:
        ValueError: no candidate.
    """
    if not candidates:
        raise ValueError("expected at least one candidate")
    options = [_fit(candidate, data, machine) for candidate in candidates]
    preferred = sorted((option for option in options if option.name in PREFERRED), key=_rank)
    fitting = [option for option in preferred if _fits(option, machine)]
    quick = [option for option in fitting if machine.gpu or (option.training_s or 0.0) <= _LONGEST_S]
    chosen = next(iter([*quick, *reversed(fitting), *reversed(preferred), *options]))
    rest = sorted((option for option in options if option is not chosen), key=lambda item: (_rank(item), item.name))
    return Proposal(data, machine, (chosen, *rest))


def fit_settings(recipe: Recipe, data: DataGlance, gpu: bool) -> tuple[str, ...]:
    """Return the settings, as for ``--set``, that fit a recipe with a pretrained backbone to this data."""
    trained = max(1, round(data.pictures * (1 - recipe.validation - recipe.test)))
    settings = []
    batch = recipe.batch_size
    if trained < _FEW:
        batch = min(batch, _SMALL_BATCH)
        settings += [f"batch_size={batch}"] if batch != recipe.batch_size else []
    steps = max(1, trained // batch)
    for phase in recipe.phases:
        least = math.ceil(_STEPS.get(phase.name, 0) / steps)
        epochs = min(max(phase.epochs, least), max(phase.epochs, _MOST_EPOCHS.get(phase.name, 0)))
        if phase.epochs and epochs != phase.epochs:
            settings.append(f"phases.{phase.name}.epochs={epochs}")
        if gpu and phase.views and phase.name != _HEAD:
            settings.append(f"phases.{phase.name}.views=0")  # a GPU draws new views faster than it reads stored ones
    counts = [count for count in data.counts.values() if count]
    if counts and max(counts) > _UNBALANCED * min(counts):
        settings.append("sampling=balanced")
    return tuple(settings)


def _fit(candidate: Candidate, data: DataGlance, machine: Machine) -> Option:
    pretrained = candidate.recipe.weights == "imagenet"
    settings = fit_settings(candidate.recipe, data, machine.gpu) if pretrained else ()
    recipe = override(candidate.recipe, settings)
    cost = candidate.cost
    if cost is None:
        return Option(candidate, recipe, settings, None, None)
    seconds = training_seconds(recipe, cost, data.pictures, machine.cores)
    return Option(candidate, recipe, settings, seconds, cost.memory_mb)


def _fits(option: Option, machine: Machine) -> bool:
    return option.memory_mb is None or option.memory_mb <= _MEMORY_SHARE * machine.memory_mb


def _rank(option: Option) -> int:
    return PREFERRED.index(option.name) if option.name in PREFERRED else len(PREFERRED)
