"""Settings of one generated clip."""

import math
from dataclasses import dataclass

LUMA_WIDTH_PX = 320  # the unit of sway and shake: pixels of a picture of this width


@dataclass(frozen=True)
class ClipSettings:
    """What happens in a clip. The same settings, scene, cut-outs and seed give the same frames.

    Attributes:
        size: height of the animal, as a fraction of the frame's height (0.02 to 1).
        sway_px: how far texture sways, in pixels of a picture 320 px wide (0 to 20).
        drift: slow change of light, as a fraction (0 to 0.5).
        noise: standard deviation of the sensor's noise, in levels of 255 (0 to 50).
        step: factor of a sudden change of light (0.1 to 4); 1 is none.
        step_s: when that happens (0 s and more).
        shake_px: how far the camera shakes, in pixels of a picture 320 px wide (0 to 20).
        shadow: how much an animal's shadow darkens (0 to 0.9); 0 is none.
        infrared: grey with less contrast, more noise and dark corners.
        stems: fraction of the animal that stems hide (0 to 0.6).
        animals: how many animals come (0, 1 or 2).
        starts_inside: the first animal is there from the first frame on and leaves.
        empty_s: time before the animal comes (0 to 3600 s).
        walk_s: time of the animal in the picture, a quarter of it standing (0 to 3600 s).
        rate_hz: frames a second (0.1 to 120).
        frame_size_px: width and height (64 to 8192 px).

    Raises:
        ValueError: a value out of range; the message begins with the name of the field.
    """

    size: float = 0.25
    sway_px: float = 1.5
    drift: float = 0.05
    noise: float = 3.0
    step: float = 1.0
    step_s: float = 5.0
    shake_px: float = 0.0
    shadow: float = 0.0
    infrared: bool = False
    stems: float = 0.0
    animals: int = 1
    starts_inside: bool = False
    empty_s: float = 2.4
    walk_s: float = 6.0
    rate_hz: float = 5.0
    frame_size_px: tuple[int, int] = (1920, 1080)

    def __post_init__(self) -> None:
        for name, minimum, maximum in (
            ("size", 0.02, 1),
            ("sway_px", 0, 20),
            ("drift", 0, 0.5),
            ("noise", 0, 50),
            ("step", 0.1, 4),
            ("step_s", 0, 3600),
            ("shake_px", 0, 20),
            ("shadow", 0, 0.9),
            ("stems", 0, 0.6),
            ("animals", 0, 2),
            ("empty_s", 0, 3600),
            ("walk_s", 0, 3600),
            ("rate_hz", 0.1, 120),
        ):
            _check(name, getattr(self, name), minimum, maximum)
        for side_px in self.frame_size_px:
            _check("frame_size_px", side_px, 64, 8192)

    @property
    def frames(self) -> int:
        """Number of frames, at least 1."""
        return max(1, round((self.empty_s + self.walk_s) * self.rate_hz))


def _check(name: str, value: float, minimum: float, maximum: float) -> None:
    if not (math.isfinite(value) and minimum <= value <= maximum):
        raise ValueError(f"{name} is {value:g}, expected {minimum:g} to {maximum:g}")
