"""The built-in photographs and the field sequence of ``trailcam demo``, with the truth about each."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from trailcam_edge.sources import DEMO_FRAMES

Kind = Literal["animal", "other", "empty"]
"""``animal``: one that the model knows. ``other``: an animal that it does not know. ``empty``: no animal."""

Verdict = Literal["right", "missed", "wrong", "unjudged"]
"""``missed``: a known animal was answered with unknown. ``wrong``: the answer is not the label that is right.
``unjudged``: a model with further labels gave an animal one that the demo does not know. It may be right."""


@dataclass(frozen=True)
class Photograph:
    """One photograph: its path below the demo's folder, what it shows, and the label that is right (None: unknown)."""

    file: str
    kind: Kind
    shows: str
    expected: str | None


@dataclass(frozen=True)
class Sequence:
    """The field sequence: the animal ``expected`` (None: the model does not know it) is in frames first to last."""

    file: str
    shows: str
    note: str
    expected: str | None
    frames: int
    first: int
    last: int
    height_fraction: float

    def expected_at(self, number: int) -> str | None:
        """Return the label that is right for a frame, None for unknown."""
        return self.expected if self.first <= number <= self.last else None


def read_photographs(labels: Collection[str]) -> list[Photograph]:
    """Return the photographs in the order in which they are shown; for other models a known animal may be an other.

    Args:
        labels: what the model can answer.
    """
    return [
        replace(item, kind="other", expected=None) if item.kind == "animal" and item.expected not in labels else item
        for item in _listed()
    ]


def demo_labels() -> frozenset[str]:
    """Return the labels of the animals that the demo can judge."""
    return frozenset(item.expected for item in _listed() if item.expected is not None)


def _listed() -> list[Photograph]:
    entries = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    return [Photograph(**{name: entry[name] for name in Photograph.__annotations__}) for entry in entries]


def read_sequence(labels: Collection[str]) -> Sequence:
    """Return the field sequence; ``labels`` is what the model can answer."""
    entry = json.loads((DEMO_FRAMES / "walk.json").read_text(encoding="utf-8"))
    expected = entry["expected"] if entry["expected"] in labels else None
    first, last = entry["animal_frames"]
    height = entry["animal_height_px"] / entry["size_px"][1]
    return Sequence(entry["file"], entry["shows"], entry["note"], expected, entry["frames"], first, last, height)


def judge(expected: str | None, named: str | None) -> Verdict:
    """Return how good an answer is; None is "unknown" on either side."""
    if named == expected:
        return "right"
    return "missed" if named is None else "wrong"


def judge_photograph(photograph: Photograph, named: str | None, known: Collection[str]) -> Verdict:
    """Return how good the answer to a photograph is; ``known`` is ``demo_labels()``."""
    verdict = judge(photograph.expected, named)
    return "unjudged" if verdict == "wrong" and photograph.kind != "empty" and named not in known else verdict
