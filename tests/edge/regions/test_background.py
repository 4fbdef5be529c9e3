"""The background: light is taken off, what moves is learned slowly, a new light at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailcam_edge.regions import RegionSettings
from trailcam_edge.regions.background import Background, absorb, begin, compare, learn, relearn

from .scenes import SIZE, frame, texture

SETTINGS = RegionSettings()


def learned(frames: int = 20, period_s: float = 0.2, noise: float = 1.0) -> Background:
    scene = texture()
    background = begin(frame(scene, noise=noise), 0.0)
    for number in range(1, frames):
        luma = frame(scene, seed=number, noise=noise)
        background = learn(background, compare(background, luma, SETTINGS), number * period_s, SETTINGS)
    return background


@settings(max_examples=30, deadline=None)
@given(st.floats(0.6, 1.5), st.floats(-20, 20))
def test_a_change_of_light_changes_no_pixel_and_is_taken_over_at_once(gain: float, shift: float) -> None:
    background = learned()
    luma = np.clip(texture() * gain + shift, 0, 255).astype(np.uint8)
    comparison = compare(background, luma, SETTINGS)
    assert comparison.changed_fraction < 0.002
    after = compare(learn(background, comparison, 4.2, SETTINGS), luma, SETTINGS)
    assert after.gain == pytest.approx(1, abs=0.05)
    assert after.changed_fraction < 0.002


def test_an_animal_is_changed_in_the_light_of_the_lamp_as_well() -> None:
    background = learned()
    for light in (1.0, 1.35, 0.6):
        changed = compare(background, frame(texture(), (100, 60, 60, 50), light), SETTINGS).changed
        assert changed[62:108, 102:158].mean() > 0.9
        changed[60:110, 100:160] = 0
        assert changed.mean() < 0.002


@pytest.mark.parametrize(
    ("contrast", "steps"),
    [(40, ((12, False), (13, True))), (16, ((6, False), (7, True))), (0, ((6, False), (7, True)))],
)
def test_the_smallest_step_is_a_bound_and_half_of_it_is_the_bound_in_a_dull_scene(
    contrast: int, steps: tuple[tuple[int, bool], ...]
) -> None:
    scene = np.full(SIZE, 100 - contrast, np.uint8)
    scene[:, 160:] = 100 + contrast
    background = begin(scene, 0.0)
    for number in range(1, 90):
        background = learn(background, compare(background, scene, SETTINGS), number * 0.2, SETTINGS)
    for step, changes in steps:
        spot = scene.copy()
        spot[50:60, 50:60] += np.uint8(step)
        changed = compare(background, spot, SETTINGS).changed
        assert bool(changed[50:60, 50:60].all()) == changes
        assert bool(changed.any()) == changes


def test_three_deviations_of_a_pixel_are_a_bound() -> None:
    background = Background(np.full(SIZE, 100, np.float32), np.full(SIZE, 10, np.float32), 50, 0.0, 0.0)
    for level, changes in ((130, 0), (131, 1)):
        luma = np.full(SIZE, 100, np.uint8)
        luma[20, 20] = level
        assert compare(background, luma, SETTINGS).changed.sum() == changes


def test_a_changed_pixel_is_learned_eight_times_slower() -> None:
    background = Background(np.full(SIZE, 100, np.float32), np.full(SIZE, 2, np.float32), 10_000, 0.0, 0.0)
    luma = np.full(SIZE, 100, np.uint8)
    luma[:10, :10], luma[20:30, 20:30] = 105, 180
    after = learn(background, compare(background, luma, SETTINGS), 0.5, SETTINGS).mean - background.mean
    near, far = after[5, 5] / 5, after[25, 25] / 80
    assert near == pytest.approx(1 - np.exp(-0.5 / SETTINGS.follow_s), rel=0.01)
    assert near / far == pytest.approx(8, rel=0.01)


def test_nothing_is_learned_where_an_animal_is_held() -> None:
    background = learned()
    held = np.zeros(SIZE, np.uint8)
    held[60:110, 100:160] = 1
    luma = frame(texture(), (100, 60, 60, 50))
    after = learn(background, compare(background, luma, SETTINGS), 9.0, SETTINGS, held)
    assert np.abs(after.mean - background.mean)[held == 1].max() < 0.5  # the shift of the light alone
    assert np.array_equal(after.deviation[held == 1], background.deviation[held == 1])


@pytest.mark.parametrize("rate_hz", [1, 5, 60])
def test_the_background_follows_in_seconds_not_in_frames(rate_hz: int) -> None:
    background = Background(np.full(SIZE, 100, np.float32), np.full(SIZE, 6, np.float32), 10_000, 0.0, 0.0)
    luma = np.full(SIZE, 100, np.uint8)
    luma[:40] = 110
    for number in range(1, 5 * rate_hz + 1):
        background = learn(background, compare(background, luma, SETTINGS), number / rate_hz, SETTINGS)
    assert background.mean[0, 0] == pytest.approx(110 - 10 * np.exp(-1), abs=0.3)


def test_a_swaying_pixel_is_quiet_once_its_deviation_is_known() -> None:
    plain = np.full(SIZE, 100, np.uint8)
    background = begin(plain, 0.0)
    changed = []
    for number in range(1, 150):
        luma = plain.copy()
        luma[40:60, 40:60] += np.uint8(18 * (number % 2))
        comparison = compare(background, luma, SETTINGS)
        changed.append(comparison.changed_fraction > 0)
        background = learn(background, comparison, number * 0.2, SETTINGS)
    assert not any(changed[20:])


def test_a_pixel_that_the_lamp_drove_to_white_has_its_level_back_afterwards() -> None:
    scene = texture() + 60
    background = begin(frame(scene), 0.0)
    for number in range(1, 30):
        luma = frame(scene, light=1.6 if 10 <= number < 20 else 1.0, seed=number)
        comparison = compare(background, luma, SETTINGS)
        background = learn(background, comparison, number * 0.2, SETTINGS)
    assert compare(background, frame(scene), SETTINGS).changed_fraction < 0.002


def test_relearning_takes_the_frame_over_and_keeps_deviations() -> None:
    background = learned()
    other = frame(texture(seed=5))
    after = relearn(background, compare(background, other, SETTINGS), 4.0, SETTINGS)
    assert np.array_equal(after.mean, other.astype(np.float32))
    assert (after.deviation >= np.minimum(background.deviation, 6)).all()
    assert compare(after, other, SETTINGS).changed_fraction == 0


def test_absorbing_changes_the_masked_pixels_only() -> None:
    background = learned()
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 10:20] = 1
    luma = np.full(SIZE, 200, np.uint8)
    after = absorb(background, luma, mask)
    assert (after.mean[mask == 1] == 200).all()
    assert np.array_equal(after.mean[mask == 0], background.mean[mask == 0])
    assert (background.mean[mask == 1] != 200).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_frames_of_one_colour_have_no_gain_and_nothing_changes(level: int) -> None:
    background = begin(frame(texture()), 0.0)
    plain = np.full(SIZE, level, np.uint8)
    for number in range(1, 10):
        comparison = compare(background, plain, SETTINGS)
        assert np.isfinite(comparison.expected).all()
        background = relearn(background, comparison, number * 0.2, SETTINGS)
    assert compare(background, plain, SETTINGS).changed_fraction == 0


def test_a_change_outside_of_the_watched_part_does_not_count() -> None:
    background = learned()
    watched = np.zeros(SIZE, np.uint8)
    watched[:, :160] = 1
    comparison = compare(background, frame(texture(), (200, 60, 60, 50)), SETTINGS, watched)
    assert comparison.changed_fraction < 0.001
    inside = compare(background, frame(texture(), (0, 0, 80, 90)), SETTINGS, watched)
    assert inside.changed_fraction == pytest.approx(0.25, abs=0.02)
