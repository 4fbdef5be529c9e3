"""The generator of field clips: seeded, with true boxes, and every condition does what its name says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trailcam_benchmarks.field.generator.clip import ClipFrame, generate
from trailcam_benchmarks.field.generator.clip_settings import ClipSettings
from trailcam_benchmarks.field.generator.renderings import render_animal, render_scene
from trailcam_benchmarks.field.generator.truth import clip_record, frame_record, to_lines
from trailcam_core.images.boxes import Box

STILL = ClipSettings(sway_px=0, drift=0, noise=0, frame_size_px=(640, 360), empty_s=1.0, walk_s=4.0)
SCENE = render_scene(3, (640, 360))


def clip(settings: ClipSettings, seed: int = 5) -> list[ClipFrame]:
    return list(generate(SCENE, [render_animal(4, "cow"), render_animal(7, "dog")], settings, seed))


def changed_box(first: ClipFrame, second: ClipFrame) -> Box:
    rows, columns = np.nonzero(np.abs(first.image.astype(int) - second.image).max(-1) > 8)
    height, width = first.image.shape[:2]
    left, top = columns.min() / width, rows.min() / height
    return Box(left, top, (columns.max() + 1) / width - left, (rows.max() + 1) / height - top)


def test_the_same_seed_gives_the_same_frames_and_another_one_others() -> None:
    settings = replace(STILL, sway_px=1.5, noise=3, drift=0.05, shake_px=0.3, walk_s=1.0)
    first, again, other = clip(settings), clip(settings), clip(settings, seed=6)
    assert all(np.array_equal(a.image, b.image) and a.animals == b.animals for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1].image, other[-1].image)


def test_nothing_changes_before_the_animal_and_then_only_inside_of_its_box() -> None:
    frames = clip(STILL)
    empty = [frame for frame in frames if not frame.animals]
    assert all(np.array_equal(frame.image, frames[0].image) for frame in empty if frame.time_s < STILL.empty_s)
    inside = [frame for frame in frames if frame.animals and frame.animals[0].visible_fraction > 0.99]
    assert len(inside) >= 10
    for frame in inside:
        box, true = changed_box(frames[0], frame), frame.animals[0].box
        assert box.common_area(true) >= 0.85 * true.area
        assert box.area <= 1.15 * true.area


def test_an_animal_has_its_size_stands_for_a_quarter_and_then_goes_on() -> None:
    frames = [frame for frame in clip(replace(STILL, walk_s=8.0)) if frame.animals]
    whole = [frame.animals[0] for frame in frames if frame.animals[0].visible_fraction > 0.99]
    assert all(animal.box.height == pytest.approx(STILL.size, abs=0.02) for animal in whole)
    steps = np.abs(np.diff([animal.box.centre[0] for animal in whole]))
    assert np.mean(steps < 1e-6) * len(whole) == pytest.approx(0.25 * 8 * STILL.rate_hz, abs=2)
    assert steps[-1] > 0.005


@pytest.mark.parametrize(
    ("change", "least"), [({"sway_px": 1.5}, 1.0), ({"noise": 3.0}, 1.0), ({"shake_px": 2.0}, 0.5), ({"drift": 0.2}, 1)]
)
def test_sway_noise_shake_and_drift_change_an_empty_scene(change: dict[str, float], least: float) -> None:
    frames = clip(replace(STILL, animals=0, **change))
    assert not any(frame.animals for frame in frames)
    difference = np.abs(frames[-1].image.astype(int) - frames[2].image).mean()
    assert least < difference < 40


def test_sway_grows_with_its_amplitude() -> None:
    def moved(sway_px: float) -> float:
        frames = clip(replace(STILL, animals=0, sway_px=sway_px))
        return float(np.abs(frames[7].image.astype(int) - frames[2].image).mean())

    assert 0 == moved(0) < moved(1.5) < moved(4)


def test_a_step_of_light_comes_at_its_time_and_has_its_factor() -> None:
    frames = clip(replace(STILL, animals=0, step=1.4, step_s=2.0))
    before, after = frames[9].image, frames[10].image
    assert frames[10].time_s == 2.0
    unclipped = (before > 10) & (before < 150)
    assert float((after[unclipped] / before[unclipped]).mean()) == pytest.approx(1.4, abs=0.03)


def test_a_shadow_darkens_ground_outside_of_the_box() -> None:
    plain, shaded = clip(STILL)[12], clip(replace(STILL, shadow=0.45))[12]
    difference = shaded.image.astype(int) - plain.image
    assert difference.min() < -10
    assert difference.max() <= 1
    true, box = plain.animals[0].box, changed_box(plain, shaded)
    assert box.x < true.x or box.x + box.width > true.x + true.width


def test_infrared_is_grey_with_dark_corners() -> None:
    image = clip(replace(STILL, animals=0, infrared=True))[0].image
    assert np.array_equal(image[..., 0], image[..., 1])
    assert image[:40, :40].mean() < image[160:200, 300:340].mean()


def test_stems_hide_part_of_the_animal() -> None:
    def hidden(stems: float) -> float:
        frames = clip(replace(STILL, size=0.6, stems=stems))
        return float((np.abs(frames[14].image.astype(int) - frames[0].image).max(-1) > 8).sum())

    assert hidden(0.4) < 0.85 * hidden(0)


def test_a_second_animal_comes_and_one_may_be_there_from_the_start() -> None:
    both = clip(replace(STILL, animals=2))
    assert max(len(frame.animals) for frame in both) == 2
    assert {animal.label for frame in both for animal in frame.animals} == {"cow", "dog"}
    inside = clip(replace(STILL, starts_inside=True))
    assert not inside[-1].animals or inside[-1].animals[0].visible_fraction < 1
    assert not clip(STILL)[0].animals


def test_the_small_stream_is_squeezed_and_luma_is_320_wide() -> None:
    frame = clip(replace(STILL, walk_s=0.2))[0]
    assert frame.small().shape == (480, 640, 3)
    assert frame.luma().shape == (180, 320)


def test_ground_truth_is_one_record_a_clip_and_one_a_frame() -> None:
    frames = clip(STILL)
    records = [clip_record("a", "scene 3", ["cow 4"], STILL, 5), *(frame_record("a", frame) for frame in frames)]
    read = [json.loads(line) for line in to_lines(records)]
    assert [record["record"] for record in read] == ["clip"] + ["frame"] * STILL.frames
    assert ClipSettings(**{**read[0]["settings"], "frame_size_px": (640, 360)}) == STILL
    animals = read[13]["animals"]
    assert animals[0]["label"] == "cow"
    assert Box(*animals[0]["box"]).height == pytest.approx(frames[12].animals[0].box.height, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0.01), ("sway_px", -1), ("drift", 0.6), ("step", 0), ("rate_hz", 0), ("stems", 0.7), ("noise", np.nan)],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} is "):
        ClipSettings(**{name: value})


def test_a_frame_of_another_size_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^frame_size_px is 63"):
        ClipSettings(frame_size_px=(63, 360))


def test_too_few_cut_outs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 cut-outs, got 1"):
        next(generate(SCENE, [render_animal(1)], replace(STILL, animals=2), 0))
