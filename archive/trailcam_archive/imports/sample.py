"""One labelled picture on its way into a data set."""

from dataclasses import dataclass, field

from trailcam_core.images.boxes import Box
from trailcam_edge.events import BLANK_LABELS, UNKNOWN

_UNNAMED = frozenset(
    {UNKNOWN, "unclear", "unid", "unidentified", "unidentifiable", "unclassified", "unclassifiable", "undetermined"}
    | {f"{word} {kind}" for word in (UNKNOWN, "unidentified") for kind in ("animal", "species")}
)


@dataclass(frozen=True)
class Sample:
    """A picture, or a part of one, with its label.

    Attributes:
        reference: path or web address of the picture.
        label: the animal; None for a scene without one.
        group: pictures of one group stay together in a split: camera and sequence, as far as the source has them.
        box: place of the animal, None for the whole picture.
        confidence: 1 for a label that was given by hand, else the confidence of the model.
        review: digest of the review that gave the label, empty where the source has none.
        is_placed: False for a frame with an animal whose place in it is not known: it is not trained on.
    """

    reference: str
    label: str | None
    group: str
    box: Box | None = None
    confidence: float = 1.0
    review: str = field(default="", compare=False)
    is_placed: bool = True


def is_blank(label: str) -> bool:
    """Return whether a label of a data set means a scene without an animal."""
    return label.lower() in (*BLANK_LABELS, "none")


def is_unnamed(label: str) -> bool:
    """Return whether a label of a data set means an animal whose kind is not known, which is nothing to learn."""
    named = label.strip(" .?").lower()  # nothing is left of "?"
    return not named or named in _UNNAMED


def clipped_box(x: float, y: float, width: float, height: float) -> Box | None:
    """Return a box of fractions cut at the border of the picture, None if nothing of it lies inside."""
    left, top = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    right, bottom = min(max(x + width, 0.0), 1.0), min(max(y + height, 0.0), 1.0)
    if not (right > left and bottom > top):  # also for NaN
        return None
    return Box(left, top, right - left, bottom - top)
