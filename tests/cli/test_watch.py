"""``trailcam watch`` to its end."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam.main import main
from trailcam_edge.sources import DEMO_FRAMES


def test_a_video_is_watched_frame_by_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for level in range(5):
        writer.write(np.full((240, 320, 3), 40 * level, np.uint8))
    writer.release()
    assert main(["watch", "--source", str(path), "--fast", "--json", "--no-motion"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["sequence"] for record in records] == [0, 1, 2, 3, 4]


def test_a_bad_picture_in_a_watched_folder_is_told_and_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = min(DEMO_FRAMES.glob("*.webp")).read_bytes()
    (tmp_path / "1.jpg").write_bytes(frame)
    (tmp_path / "2.jpg").write_bytes(frame[:500])
    (tmp_path / "3.jpg").write_bytes(frame)
    assert main(["watch", "--source", str(tmp_path), "--json"]) == 1
    printed = capsys.readouterr()
    assert [json.loads(line)["frame"] for line in printed.out.splitlines()] == ["1.jpg", "3.jpg"]
    assert "2.jpg" in printed.err


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nowhere", None, "no such folder or video"),
        ("broken.mp4", b"not a video", "cannot be opened as a video"),
        ("one.jpg", b"x", "trailcam classify"),
    ],
)
def test_what_is_no_source_is_named(
    name: str, content: bytes | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["watch", "--source", str(tmp_path / name)]) == 1
    assert expected in capsys.readouterr().err


def test_clips_of_field_cameras_play_to_their_end(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = min((shared_data / "cameratrap" / "videos").glob("*"))
    assert main(["watch", "--source", str(clip), "--fast", "--json", "--no-motion"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 1
