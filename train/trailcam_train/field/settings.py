"""The settings of field training, as a recipe's ``[field]`` table holds them."""

from dataclasses import dataclass, fields

from trailcam_train.field.camera_look import CameraLook
from trailcam_train.field.compositing import CropRule

_PROBABILITIES = ("infrared", "stems", "stems_share", "motion_blur", "turn", "low_light", "jitter")


@dataclass(frozen=True)
class FieldSettings:
    """How pictures become views of a field camera, and which labels are never an answer.

    ``blank_label`` names the class "nothing there" and ``unknown_label`` that of "an animal, but none of the others":
    a class folder of that name makes them so, and a bundle states them as ``blank_labels`` and ``unknown_labels``.

    ``crops`` is how many device crops are made of every animal that can be cut out, ``empty_crops`` how many of every
    picture without an animal that is large enough. An animal is ``share_min`` to ``share_max`` of the frame's height
    tall; margin and jitter are those of ``CropRule``; the others are probabilities and extents of ``CameraLook``.
    """

    blank_label: str = "nothing"
    unknown_label: str = "other animal"
    crops: int = 1
    empty_crops: int = 4
    share_min: float = 0.15
    share_max: float = 1.0
    margin_min: float = 1.1
    margin_max: float = 2.6
    jitter: float = 0.2
    infrared: float = 0.3
    stems: float = 0.3
    stems_share: float = 0.4
    motion_blur: float = 0.2
    turn: float = 0.3
    turn_deg: float = 20.0
    low_light: float = 0.1

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"field.{name} is {getattr(self, name)}, expected 0 (off) to 1")
        if not 0 < self.share_min <= self.share_max <= 1:
            raise ValueError(
                f"field.share_min and share_max are {self.share_min} and {self.share_max}, expected above 0, in order, "
                "at most 1"
            )
        if min(self.crops, self.empty_crops) < 0 or max(self.crops, self.empty_crops) > 100:
            raise ValueError(f"field.crops and empty_crops are {self.crops} and {self.empty_crops}, expected 0 to 100")
        if not self.blank_label.strip() or self.blank_label == self.unknown_label:
            raise ValueError(
                f"field.blank_label and unknown_label are {self.blank_label!r} and {self.unknown_label!r}, expected "
                "two different names"
            )
        _ = self.look, self.rule  # both check themselves

    @property
    def look(self) -> CameraLook:
        """What a camera does to a view."""
        return CameraLook(**{item.name: getattr(self, item.name) for item in fields(CameraLook)})

    @property
    def rule(self) -> CropRule:
        """How a crop lies round an animal."""
        return CropRule(self.margin_min, self.margin_max, self.jitter)
