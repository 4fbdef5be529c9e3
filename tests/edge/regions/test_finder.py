"""Regions frame by frame: animals are found, light, ghosts, shadows and a turned camera are not."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trailcam_core.images.boxes import Box
from trailcam_edge.regions import FinderState, RegionSettings, advance, shrink_luma
from trailcam_edge.regions.background import begin, compare
from trailcam_edge.regions.shapes import is_turned

from .scenes import Plane, frame, texture

SETTINGS = RegionSettings()


def run(lumas: Iterable[Plane], rate_hz: float = 5.0, chosen: RegionSettings = SETTINGS) -> list[FinderState]:
    states = [FinderState()]
    for number, luma in enumerate(lumas):
        states.append(advance(states[-1], luma, number / rate_hz, chosen))
    return states[1:]


def empty(count: int, seed: int = 1) -> Iterator[Plane]:
    return (frame(texture(seed), seed=number) for number in range(count))


def walking(count: int, light: float = 1.0, step_px: int = 4) -> Iterator[Plane]:
    return (frame(texture(), (20 + step_px * number, 80, 50, 40), light, seed=100 + number) for number in range(count))


def box_at(left: int, top: int = 80, width: int = 50, height: int = 40) -> Box:
    return Box(left / 320, top / 180, width / 320, height / 180)


def covers(state: FinderState, box: Box) -> bool:
    """At least 70 % of the box is in one region that is not more than twice as large."""
    return any(
        region.box.common_area(box) >= 0.7 * box.area and region.box.area <= 2 * box.area for region in state.regions
    )


def test_an_animal_is_covered_in_every_frame_and_is_one_region() -> None:
    states = run([*empty(12), *walking(40)])
    assert not any(state.regions for state in states[:12])
    assert all(covers(state, box_at(20 + 4 * k)) for k, state in enumerate(states[12:]))
    assert {region.identifier for state in states for region in state.regions} == {1}
    assert states[-1].regions[0].has_moved


def test_an_animal_that_came_and_stands_is_proposed_for_a_minute_and_then_absorbed() -> None:
    lefts = [min(100, 20 + 20 * number) for number in range(80)]
    states = run([*empty(12), *(frame(texture(), (left, 80, 50, 40), seed=left) for left in lefts)], rate_hz=1.0)
    assert all(covers(state, box_at(lefts[k])) for k, state in enumerate(states[12 : 12 + 62]))
    assert not any(state.regions for state in states[12 + 66 :])


def test_what_appears_and_never_moves_is_learned_sooner() -> None:
    states = run([*empty(12), *(frame(texture(), (100, 80, 50, 40), seed=number) for number in range(60))], 1.0)
    assert all(state.regions for state in states[12:20])
    assert not any(state.regions for state in states[-10:])


def test_an_animal_in_the_first_frame_leaves_a_ghost_that_is_absorbed_in_seconds() -> None:
    scene = texture()
    states = run(
        [*(frame(scene, (100, 80, 50, 40), seed=k) for k in range(12)), *(frame(scene, seed=50 + k) for k in range(30))]
    )
    assert any(state.regions for state in states[12:20])
    assert not any(state.regions for state in states[-12:])


@pytest.mark.parametrize("light", [1.6, 0.6])
def test_boxes_are_right_again_within_two_seconds_of_a_step_of_light(light: float) -> None:
    states = run([*empty(12), *walking(10), *walking(30, light, step_px=4)])
    after = states[22:]
    assert all(covers(state, box_at(20 + 4 * k)) for k, state in enumerate(after) if k >= 10)


def test_a_lamp_on_an_empty_scene_proposes_nothing() -> None:
    lit = (frame(texture(), light=1.5, seed=number) for number in range(20))
    assert not any(state.regions for state in run([*empty(12), *lit]))


def test_a_scene_that_changes_wholly_is_learned_at_once_and_nothing_is_proposed() -> None:
    states = run([*empty(12), *empty(12, seed=7)])
    assert states[12].scene_changed
    assert not any(state.regions for state in states)


def test_a_camera_that_is_turned_by_hand_proposes_nothing_and_is_right_afterwards() -> None:
    wide = texture(size=(180, 640))
    turning = (frame(wide[:, 16 * k : 16 * k + 320].copy(), seed=k) for k in range(15))
    held = wide[:, 240:560].copy()
    still = (frame(held, seed=k) for k in range(10))
    animal = (frame(held, (100, 80, 50, 40), seed=k) for k in range(5))
    first = (frame(wide[:, :320].copy(), seed=k) for k in range(12))
    states = run([*first, *turning, *still, *animal])
    assert sum(bool(state.regions) for state in states[12:37]) <= 2
    assert all(covers(state, box_at(100)) for state in states[-5:])


@pytest.mark.parametrize("step_px", [2, 3, 4])
def test_a_camera_that_is_turned_slowly_proposes_nothing_either(step_px: int) -> None:
    wide = texture(size=(180, 640))
    first = (frame(wide[:, :320].copy(), seed=k) for k in range(12))
    turning = (frame(wide[:, step_px * k : step_px * k + 320].copy(), seed=50 + k) for k in range(1, 16))
    still = (frame(wide[:, step_px * 15 : step_px * 15 + 320].copy(), seed=90 + k) for k in range(8))
    states = run([*first, *turning, *still])
    assert sum(bool(state.regions) for state in states[12:]) <= 1


@pytest.mark.parametrize("size", [(180, 320), (240, 320), (177, 315)])
def test_a_shift_of_the_frame_is_measured_without_a_bias(size: tuple[int, int]) -> None:
    """An odd size of the Fourier transform is off by half a pixel, which is two of the frame's."""
    wide = texture(size=(size[0], size[1] + 8))
    scene = begin(frame(wide[:, 8:].copy(), noise=0), 0.0)
    moved = compare(scene, frame(wide[:, 4 : 4 + size[1]].copy(), noise=0), SETTINGS)
    assert is_turned(moved)
    assert not is_turned(compare(scene, frame(wide[:, 8:].copy(), seed=5), SETTINGS))


def test_a_shadow_beside_an_animal_does_not_blow_its_box_up() -> None:
    scene = texture()
    shaded = scene.copy()
    shaded[112:128, 150:260] *= 0.55
    states = run([*empty(12), *(frame(shaded, (100, 80, 50, 50), seed=k) for k in range(5))])
    assert all(covers(state, box_at(100, height=50)) for state in states[12:])


def test_an_ignored_part_proposes_nothing_and_the_rest_does() -> None:
    left = ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))
    chosen = RegionSettings(ignore=(left,))
    inside = run([*empty(12), *(frame(texture(), (20, 80, 50, 40), seed=k) for k in range(5))], chosen=chosen)
    outside = run([*empty(12), *(frame(texture(), (200, 80, 50, 40), seed=k) for k in range(5))], chosen=chosen)
    assert not any(state.regions for state in inside)
    assert all(covers(state, box_at(200)) for state in outside[12:])


def test_two_animals_are_two_regions_and_near_parts_one() -> None:
    def pair(gap_px: int) -> list[FinderState]:
        levels = frame(texture(), (60, 80, 40, 40))
        levels[80:120, 100 + gap_px : 140 + gap_px] = 200
        return run([*empty(12), *([levels] * 3)])

    assert [len(state.regions) for state in pair(40)[12:]] == [2, 2, 2]
    assert [len(state.regions) for state in pair(3)[12:]] == [1, 1, 1]
    assert [len(state.regions) for state in pair(6)[12:]] == [2, 2, 2]


@pytest.mark.parametrize(("side_px", "found"), [(5, False), (6, True)])
def test_the_smallest_region_is_a_bound(side_px: int, found: bool) -> None:
    flat = np.full((180, 320), 100, np.uint8)
    spot = flat.copy()
    spot[50 : 50 + side_px, 50 : 50 + side_px] = 220
    chosen = RegionSettings(min_fraction=36 / (180 * 320))
    assert bool(run([*([flat] * 12), spot], chosen=chosen)[-1].regions) == found


def test_a_luma_picture_of_another_size_begins_anew() -> None:
    small = (frame(texture(size=(120, 160)), seed=k) for k in range(12))
    back = [*empty(12)]
    states = run([*empty(12), *small, *back])
    assert states[12].scene_changed
    assert not any(state.regions for state in states)
    assert states[-1].background is not None
    assert states[-1].background.mean.shape == (180, 320)


@pytest.mark.parametrize("rate_hz", [1.0, 60.0])
def test_an_animal_is_found_at_one_and_at_sixty_frames_a_second(rate_hz: float) -> None:
    count = round(6 * rate_hz)
    way = (frame(texture(), (20 + round(30 * k / rate_hz), 80, 50, 40), seed=k) for k in range(count))
    states = run([*empty(max(12, round(2 * rate_hz))), *way], rate_hz)
    assert all(state.regions for state in states[-count:])
    assert {region.identifier for state in states[-count:] for region in state.regions} == {1}


@pytest.mark.parametrize("levels", [[0], [255], [0, 255], [128, 128, 10]])
def test_frames_of_one_colour_propose_nothing(levels: list[int]) -> None:
    frames = [np.full((180, 320), levels[k % len(levels)], np.uint8) for k in range(30)]
    assert not any(state.regions for state in run(frames))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        arrays.arrays(np.uint8, st.sampled_from([(8, 8), (45, 80), (30, 40)]), elements=st.integers(0, 255)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.floats(-5, 100), min_size=8, max_size=8),
)
def test_any_frames_at_any_times_give_boxes_inside_of_the_frame(lumas: list[Plane], times_s: list[float]) -> None:
    state = FinderState()
    for luma, time_s in zip(lumas, times_s, strict=False):
        state = advance(state, luma, time_s, SETTINGS)
        assert state.background is not None
        assert np.isfinite(state.background.mean).all()
        assert np.isfinite(state.background.deviation).all()
        for region in state.regions:
            box = region.box
            assert 0 <= box.x <= box.x + box.width <= 1 + 1e-9
            assert 0 <= box.y <= box.y + box.height <= 1 + 1e-9
            assert box.area > 0


@pytest.mark.parametrize("luma", [np.zeros((8, 7), np.uint8), np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9))])
def test_what_is_no_luma_picture_is_refused(luma: Plane) -> None:
    with pytest.raises(ValueError, match="expected \\(H, W\\) uint8 luma"):
        advance(FinderState(), luma, 0.0, SETTINGS)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1080, 1920), (180, 320)), ((480, 640), (240, 320)), ((100, 320), (100, 320)), ((90, 160), (90, 160))],
)
def test_luma_is_brought_to_320_columns_with_its_proportions(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shrink_luma(np.zeros(size, np.uint8)).shape == expected
