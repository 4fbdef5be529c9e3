"""Video files at their own pace and as fast as possible."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_edge.sources import Orientation, VideoSource


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(5):
        writer.write(np.full((48, 64, 3), 40 * level, np.uint8))
    writer.release()
    return path


def test_a_fast_video_has_the_times_of_the_recording(clip: Path) -> None:
    with VideoSource(clip, fast=True) as source:
        assert source.delivery == "recording"
        times_s = [frame.timestamp_s for frame in source.frames()]
    assert np.diff(times_s) == pytest.approx([0.1] * 4)


def test_a_video_at_its_own_pace_waits_between_frames(clip: Path) -> None:
    waited_s: list[float] = []
    with VideoSource(clip, fast=False, sleep=waited_s.append) as source:
        assert source.delivery == "live"
        assert len(list(source.frames())) == 5
    assert sum(waited_s) > 0.5  # 0.1 + 0.2 + 0.3 + 0.4 s, less what it took to get there


def test_times_that_a_damaged_file_states_do_not_stop_the_video(clip: Path) -> None:
    with VideoSource(clip, fast=True) as source:
        assert source._step_s(0.04) == 0.04
        for nonsense_s in (-5.0, 0.0, 1e6, float("nan"), float("inf")):
            assert source._step_s(nonsense_s) == pytest.approx(0.1)


def test_a_video_hangs_as_told(clip: Path) -> None:
    with VideoSource(clip, orientation=Orientation(rotate_deg=90)) as source:
        assert next(source.frames()).image.shape == (64, 48, 3)
