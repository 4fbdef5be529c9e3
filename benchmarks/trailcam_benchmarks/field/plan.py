"""The standard conditions of a field report, and the clips of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trailcam_benchmarks.field.generator.clip_settings import ClipSettings
from trailcam_benchmarks.field.types import CutOut

_EMPTY_RATE_HZ = 2.0  # an empty scene is long, and its leaves sway at half of that


@dataclass(frozen=True)
class PlannedClip:
    """One clip: ``condition`` is the row it belongs to."""

    condition: str
    scene: Path
    cut_outs: tuple[CutOut, ...]
    settings: ClipSettings
    seed: int


def standard_conditions(empty_s: float) -> dict[str, ClipSettings]:
    """Return the conditions by name; ``empty_s`` is the duration of the clips without an animal."""
    quarter = ClipSettings()
    return {
        "0.5": replace(quarter, size=0.5),
        "0.25": quarter,
        "0.12": replace(quarter, size=0.12),
        "0.25, wind": replace(quarter, sway_px=4.0),
        "0.25, shadow": replace(quarter, shadow=0.45),
        "0.25, step of light": replace(quarter, step=1.6, step_s=4.8),
        "0.25, infrared": replace(quarter, infrared=True),
        "0.25, behind stems": replace(quarter, stems=0.3),
        "0.25, two animals": replace(quarter, animals=2),
        "0.25, there from the start": replace(quarter, starts_inside=True),
        "empty": replace(quarter, animals=0, empty_s=empty_s, walk_s=0.0, rate_hz=_EMPTY_RATE_HZ),
    }


def plan_clips(
    scenes: Sequence[Path],
    cut_outs: Sequence[CutOut],
    conditions: dict[str, ClipSettings],
    clips: int,
    seed: int,
) -> Iterator[PlannedClip]:
    """Yield the clips of each condition; scenes take turns, and all conditions have the same scenes and animals.

    Args:
        scenes: pictures of scenes without animals.
        cut_outs: animals; drawn so that every label is as likely.
        conditions: by name.
        clips: of each condition with animals; an empty scene is shown once.
        seed: of everything that is drawn.
    """
    labels = sorted({cut_out.label for cut_out in cut_outs})
    by_label = {label: [cut_out for cut_out in cut_outs if cut_out.label == label] for label in labels}
    for condition, settings in conditions.items():
        count = clips if settings.animals else len(scenes)
        for number in range(count):
            random = np.random.default_rng((seed, number))
            chosen = tuple(
                by_label[label][int(random.integers(len(by_label[label])))] for label in random.choice(labels, 2)
            )
            yield PlannedClip(condition, scenes[number % len(scenes)], chosen, settings, seed * 100_003 + number)
