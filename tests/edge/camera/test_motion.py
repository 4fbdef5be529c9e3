"""The motion gate: an animal passes, noise and light do not."""

import numpy as np
import numpy.typing as npt
import pytest

from trailcam_edge.camera.motion import MotionGate
from trailcam_edge.camera.settings import MotionSettings

Plane = npt.NDArray[np.uint8]
SETTINGS = MotionSettings(enabled=True, hold_s=1.0)
RANDOM = np.random.default_rng(0)


def scene(light: int = 100, animal_px: int = 0, left: int = 10, noise: float = 2.0) -> Plane:
    image = light + RANDOM.normal(0, noise, (60, 80)) + np.linspace(0, 40, 80)
    image[30 : 30 + animal_px, left : left + animal_px] -= 50
    return np.clip(image, 0, 255).astype(np.uint8)


def settled_gate() -> MotionGate:
    """A gate that has seen two seconds of nothing."""
    gate = MotionGate(SETTINGS)
    for step in range(20):
        gate.passes(scene(), step * 0.1)
    return gate


def test_nothing_but_noise_does_not_pass() -> None:
    gate = settled_gate()
    assert not any(gate.passes(scene(), 2 + step * 0.1) for step in range(100))


def test_an_animal_of_one_percent_of_the_picture_passes() -> None:
    assert settled_gate().passes(scene(animal_px=7), 2.0)


def test_light_that_changes_the_whole_scene_does_not_pass() -> None:
    gate = settled_gate()
    assert not any(gate.passes(scene(light=100 + step), 2 + step * 0.1) for step in range(60))


def test_the_gate_stays_open_for_a_while_and_then_shuts() -> None:
    gate = settled_gate()
    assert gate.passes(scene(animal_px=20), 2.0)
    assert gate.passes(scene(), 2.9)
    assert not gate.passes(scene(), 3.2)


def test_what_stays_becomes_background() -> None:
    gate = settled_gate()
    passed = [gate.passes(scene(animal_px=20), 2 + step * 0.1) for step in range(300)]
    assert passed[0]
    assert not passed[-1]


def test_the_first_frame_and_one_of_another_size_pass() -> None:
    gate = MotionGate(SETTINGS)
    assert gate.passes(scene(), 0.0)
    assert not gate.passes(scene(), 1.5)
    assert gate.passes(scene()[:30], 1.6)


@pytest.mark.parametrize("level", [0, 255])
def test_frames_of_one_colour_are_nothing(level: int) -> None:
    gate = MotionGate(SETTINGS)
    plain = np.full((60, 80), level, np.uint8)
    gate.passes(plain, 0.0)
    assert not gate.passes(plain, 2.0)
