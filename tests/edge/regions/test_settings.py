"""Settings of motion regions: bounds are in, what is beyond is refused by name."""

import math

import pytest

from trailcam_edge.regions import RegionSettings

BOUNDS = {
    "level_step": (1, 255),
    "deviations": (0.5, 20),
    "follow_s": (0.5, 600),
    "changed_slowdown": (1, 100),
    "join_px": (0, 64),
    "min_fraction": (0.0001, 0.5),
    "max_fraction": (0.05, 1),
    "still_s": (5, 3600),
    "ghost_s": (0.2, 600),
    "lost_s": (0.1, 60),
    "memory_s": (0, 86_400),
    "crop_margin": (1, 4),
    "min_crop_px": (16, 4096),
}
SQUARE = ((0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4))


@pytest.mark.parametrize("name", BOUNDS)
def test_both_bounds_are_allowed_and_what_is_beyond_is_refused_by_name(name: str) -> None:
    minimum, maximum = BOUNDS[name]
    for value in (minimum, maximum):
        assert getattr(RegionSettings(**{name: value}), name) == value
    for value in (minimum - 0.01 - abs(minimum), maximum * 1.01 + 1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"^{name} is .*, expected "):
            RegionSettings(**{name: value})


@pytest.mark.parametrize("name", ["ignore", "only"])
@pytest.mark.parametrize(
    ("polygon", "problem"),
    [
        (SQUARE[:2], "has 2 points"),
        (((0.1, 0.1), (1.01, 0.1), (0.4, 0.4)), r"point 2 is \(1.01, 0.1\)"),
        (((0.1, 0.1), (0.5, -0.01), (0.4, 0.4)), "point 2 is"),
        (((0.1, 0.1), (math.nan, 0.1), (0.4, 0.4)), "point 2 is"),
        (((0.1, 0.1), (0.4, 0.4), (0.4, 0.1), (0.1, 0.4)), "crosses itself: side 1 meets side 3"),
        (((0.1, 0.1), (0.4, 0.1), (0.1, 0.1), (0.4, 0.4)), "has points 1 and 3 at the same place"),
        (((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)), "has no area"),
        (tuple((0.5 + 0.4 * math.cos(k / 40), 0.5 + 0.4 * math.sin(k / 40)) for k in range(201)), "has 201 points"),
    ],
)
def test_a_polygon_that_is_none_is_refused_with_its_number(
    name: str, polygon: tuple[tuple[float, float], ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name} polygon 2 {problem}"):
        RegionSettings(**{name: (SQUARE, polygon)})


def test_the_whole_frame_may_be_a_polygon_but_not_be_ignored() -> None:
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    assert RegionSettings(only=(whole,)).only == (whole,)
    with pytest.raises(ValueError, match=r"^ignore leaves nothing"):
        RegionSettings(ignore=(whole,))
    with pytest.raises(ValueError, match=r"^ignore leaves nothing"):
        RegionSettings(ignore=(SQUARE,), only=(SQUARE,))
