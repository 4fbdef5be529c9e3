"""``trailcam watch`` to its end."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
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


def test_visits_of_a_recording_are_never_dated_after_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "night.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1, (640, 480))
    animal = cv2.resize(cv2.imread(str(DEMO_FRAMES / "dog_1.webp")), (640, 480))
    for second in range(150):
        writer.write(animal if second % 100 < 20 else np.full_like(animal, 120))
    writer.release()
    store = str(tmp_path / "store")
    assert main(["watch", "--source", str(path), "--fast", "--no-motion", "--store", store, "--visits"]) == 0
    assert "visit: dog, 100 s after the start of the recording" in capsys.readouterr().out
    assert main(["events", "--store", store, "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["time_basis"], second["time_basis"]) == ("not after", "not after")
    assert second["monotonic_s"] - first["monotonic_s"] == pytest.approx(100, abs=2)
    assert datetime.fromisoformat(second["end"]) <= datetime.now(UTC)
    assert b"DateTime" not in (tmp_path / "store" / first["picture"]).read_bytes()[:1000]
    words = ["--camtrap-dp", str(tmp_path / "p.zip"), "--latitude", "1", "--longitude", "1", "--contributor", "x"]
    assert main(["events", "--store", store, *words]) == 0
    with zipfile.ZipFile(tmp_path / "p.zip") as package:
        (row,) = csv.DictReader(io.StringIO(package.read("deployments.csv").decode()))
    assert row["timestampIssues"] == "true"
    assert row["deploymentComments"] == "Watched 0.04 h of 0.04 h. Never blind."


def test_a_folder_of_pictures_is_not_watched_into_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "1.webp").write_bytes((DEMO_FRAMES / "dog_1.webp").read_bytes())
    assert main(["watch", "--source", str(card), "--store", str(tmp_path / "store")]) == 1
    told = capsys.readouterr().err
    assert "give no visits" in told
    assert f"trailcam classify {card}" in told
    assert not (tmp_path / "store").exists()


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
