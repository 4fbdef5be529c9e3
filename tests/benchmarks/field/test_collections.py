"""Scenes and cut-outs from folders, and cutting animals out."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_benchmarks.field.collections import (
    cut_out_photograph,
    list_scenes,
    read_cut_out,
    read_cut_outs,
    read_scene,
    write_cut_out,
)
from trailcam_benchmarks.field.renderings import render_animal, render_scene
from trailcam_core.errors import SourceError


def photograph(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """An animal in the middle of a scene of its own."""
    image = render_scene(seed, (400, 300)) // 2 + 60
    rgba = render_animal(seed).rgba
    alpha = rgba[..., 3:] / 255
    part = image[60 : 60 + rgba.shape[0], 70 : 70 + rgba.shape[1]]
    part[:] = part * (1 - alpha) + rgba[..., :3] * alpha
    return image


def test_cut_outs_are_read_as_they_were_written(tmp_path: Path) -> None:
    for label, seed in (("cow", 1), ("dog", 2)):
        write_cut_out(render_animal(seed, label), tmp_path)
    found = read_cut_outs(tmp_path)
    assert [one.label for one in found] == ["cow", "dog"]
    assert np.array_equal(found[0].rgba, render_animal(1).rgba)


def test_a_photograph_is_cut_out_along_its_animal() -> None:
    found = cut_out_photograph(photograph(4), "cow", "a")
    assert found is not None
    true = render_animal(4).rgba[..., 3] > 127
    height, width = found.rgba.shape[:2]
    assert (height, width) == (pytest.approx(true.shape[0], abs=20), pytest.approx(true.shape[1], abs=20))
    assert (found.rgba[..., 3] > 127).sum() == pytest.approx(true.sum(), rel=0.25)


def test_a_photograph_without_an_animal_is_refused() -> None:
    assert cut_out_photograph(np.full((120, 160, 3), 90, np.uint8), "cow", "plain") is None


def test_an_empty_folder_of_scenes_or_cut_outs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no picture of a scene"):
        list_scenes(tmp_path)
    with pytest.raises(SourceError, match=r"holds no cut-out, expected LABEL/NAME\.png"):
        read_cut_outs(tmp_path)


@pytest.mark.parametrize("kind", ["empty", "text", "no alpha", "transparent", "16 bits"])
def test_a_file_that_is_no_cut_out_is_refused_by_path(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cow" / "a.png"
    path.parent.mkdir()
    arrays = {
        "no alpha": np.zeros((50, 50, 3), np.uint8),
        "transparent": np.zeros((50, 50, 4), np.uint8),
        "16 bits": np.full((50, 50, 4), 65535, np.uint16),
    }
    content = {"empty": b"", "text": b"no picture"}.get(kind)
    path.write_bytes(cv2.imencode(".png", arrays[kind])[1].tobytes() if content is None else content)
    with pytest.raises(SourceError, match=r"a\.png: (expected a PNG file|its animal is 0x0 px)"):
        read_cut_out(path)


def test_a_scene_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), np.zeros((319, 500, 3), np.uint8))
    with pytest.raises(SourceError, match=r"small\.png: 500x319 px, expected a scene of at least 320 px"):
        read_scene(path)
