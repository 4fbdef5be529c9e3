"""Judge a finished training against guessing, and advise what to do next: pure functions of its metrics.

The skill is the share of the way from guessing to perfection: (accuracy - chance) / (1 - chance), where guessing always
answers the label with the most test pictures. Its bounds, 0.4 and 0.8, are those between fair and moderate and between
substantial and almost perfect agreement. Source: Landis and Koch, "The measurement of observer agreement for
categorical data", Biometrics 33 (1977), table on page 165.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trailcam_core.errors.command_line import command_line

_FAIR, _SUBSTANTIAL = 0.4, 0.8
_FEW_TESTS = 100  # below, the 95 % interval of 90 % is wider than 12 points
_FEW_PER_LABEL = 50  # training pictures
_NAMED = 5

GUESSING, WEAK, GOOD = "guessing", "weak", "good"


@dataclass(frozen=True)
class Training:
    """What a verdict needs to know of a training: its run and data as the user names them, and how it began."""

    run: str
    data: str
    pretrained: bool
    training_pictures: int


@dataclass(frozen=True)
class Verdict:
    """``grade`` is guessing, weak or good; ``chance`` the accuracy of ``commonest``, the label to guess.

    ``advice`` are sentences, the most important first; ``next_command`` is what to run next.
    """

    grade: str
    chance: float
    commonest: str
    advice: tuple[str, ...]
    next_command: str


def judge(test: Mapping[str, Any], training: Training) -> Verdict:
    """Judge the test metrics of a run.

    Args:
        test: the entry ``test`` of ``metrics.json``: ``n``, ``top1``, ``top1_low`` and ``per_class``.
        training: where it came from.
    """
    per_class = test["per_class"]
    commonest = max(per_class, key=lambda label: int(per_class[label]["n"]))
    chance = per_class[commonest]["n"] / test["n"]
    grade = _grade(test["top1"], test["top1_low"], chance)
    advice = [*_grade_advice(grade, training, len(per_class)), *_label_advice(per_class), *_count_advice(test)]
    commands = {
        GUESSING: command_line(*(("data", "check") if training.pretrained else ("train",)), training.data),
        WEAK: f"read {training.run}/report.html, then train again, or: {command_line('export', training.run)}",
        GOOD: command_line("export", training.run),
    }
    return Verdict(grade, chance, commonest, tuple(advice), commands[grade])


def _grade(top1: float, low: float, chance: float) -> str:
    skill = round((top1 - chance) / (1 - chance), 6) if chance < 1 else 0.0
    if low <= chance or skill < _FAIR:
        return GUESSING
    return WEAK if skill < _SUBSTANTIAL else GOOD


def _grade_advice(grade: str, training: Training, label_count: int) -> list[str]:
    if grade == GOOD:
        return []
    opening = "This barely beats guessing" if grade == GUESSING else "Too many answers are wrong for a camera"
    if not training.pretrained:
        return [
            f"{opening}. The network began with random weights. "
            f'"{command_line("train", training.data)}" without --recipe proposes one that begins with ImageNet weights.'
        ]
    per_label = training.training_pictures / label_count
    few = f"It learned from {per_label:.0f} pictures a label; {_FEW_PER_LABEL} and more are better. "
    return [
        f"{opening}. {few if per_label < _FEW_PER_LABEL else ''}Check the labels: "
        f'"{command_line("data", "check", training.data)}" and the mistakes in the report.'
    ]


def _label_advice(per_class: Mapping[str, Any]) -> list[str]:
    lost = [label for label, row in per_class.items() if row["n"] and not row["recall"]]
    if not lost:
        return []
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return [
        f"Never recognised: {', '.join(lost[:_NAMED])}{more}. Inspect those pictures in the report; add others, or "
        "remove the folder."
    ]


def _count_advice(test: Mapping[str, Any]) -> list[str]:
    if test["n"] >= _FEW_TESTS:
        return []
    return [f"{test['n']} test pictures prove little: more photographs make the interval narrower."]
