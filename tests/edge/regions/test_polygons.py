"""Masks: what a polygon covers, and which polygons are none."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trailcam_edge.regions.polygons import Polygon, check_polygon, rasterise


@st.composite
def stars(draw: st.DrawFn) -> Polygon:
    """Points in order of their angle round a centre: never crossing."""
    count = draw(st.integers(3, 12))
    radii = draw(st.lists(st.floats(0.1, 0.45), min_size=count, max_size=count))
    return tuple(
        (0.5 + radius * math.cos(2 * math.pi * k / count), 0.5 + radius * math.sin(2 * math.pi * k / count))
        for k, radius in enumerate(radii)
    )


@given(stars(), st.integers(0, 11), st.booleans())
def test_points_in_order_make_a_polygon_from_any_first_point_in_either_direction(
    polygon: Polygon, first: int, backwards: bool
) -> None:
    turned = polygon[first % len(polygon) :] + polygon[: first % len(polygon)]
    assert check_polygon(turned[::-1] if backwards else turned) == ""


@given(stars())
def test_ignored_and_kept_parts_make_up_the_whole(polygon: Polygon) -> None:
    kept, left = rasterise((90, 160), only=(polygon,)), rasterise((90, 160), ignore=(polygon,))
    assert np.array_equal(kept + left, np.ones((90, 160), np.uint8))


def test_the_left_half_covers_the_left_half() -> None:
    mask = rasterise((180, 320), only=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
    assert mask[:, :160].all()
    assert not mask[:, 162:].any()


def test_ignore_wins_over_only() -> None:
    square = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    assert not rasterise((50, 50), ignore=(square,), only=(square,)).any()


def test_a_side_that_runs_back_over_another_crosses() -> None:
    assert "crosses itself" in check_polygon(((0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.5, 0.1)))
