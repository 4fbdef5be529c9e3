"""The cost of a recipe: what a proposal estimates time and memory from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trailcam_train.recipe.schema import Recipe

_START_S = 40  # import, build, conversion, report: measured on two cores, for any number of pictures
_HELD_OUT_READINGS = 2  # validation pictures run after a phase and at the end


@dataclass(frozen=True)
class Cost:
    """Measured on one core without a GPU, at the recipe's own input size.

    ``forward_core_ms`` is for one picture through the whole network, ``step_core_ms`` for one picture in a training
    step of each phase, without the layers that a phase with views runs in advance. ``memory_mb`` is the peak of the
    process.
    """

    forward_core_ms: float
    memory_mb: int
    step_core_ms: Mapping[str, float] = field(default_factory=dict)


def training_seconds(recipe: Recipe, cost: Cost, pictures: int, cores: int) -> float:
    """Return the estimated time in s of a training on ``pictures`` pictures, on ``cores`` cores without a GPU."""
    held_out = (recipe.validation + recipe.test) * pictures
    trained = pictures - held_out
    core_ms = _HELD_OUT_READINGS * held_out * cost.forward_core_ms
    for phase in recipe.phases:
        step_ms = cost.step_core_ms.get(phase.name, 3 * cost.forward_core_ms)  # backward costs twice the way forward
        phase_ms = phase.epochs * trained * step_ms
        if phase.views and phase.epochs:
            phase_ms += (phase.views * trained + recipe.validation * pictures) * cost.forward_core_ms
        else:
            phase_ms += phase.epochs * recipe.validation * pictures * cost.forward_core_ms
        core_ms += phase_ms * phase.scale**2
    return _START_S + core_ms / 1000 / max(1, cores)
