"""Scenes from a folder."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_benchmarks.field.scenes import list_scenes, read_scene
from trailcam_core.errors import SourceError


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no picture of a scene"):
        list_scenes(tmp_path)


def test_a_scene_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), np.zeros((319, 500, 3), np.uint8))
    with pytest.raises(SourceError, match=r"small\.png: 500x319 px, expected a scene of at least 320 px"):
        read_scene(path)
