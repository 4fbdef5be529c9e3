"""``trailcam watch`` to its end."""

import csv
import io
import json
import zipfile
from datetime import datetime, timedelta
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


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 150 s that states no time: a dog in the first 20 s, and again from 100 s on."""
    path = tmp_path_factory.mktemp("clips") / "night.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1, (640, 480))
    animal = cv2.resize(cv2.imread(str(DEMO_FRAMES / "dog_1.webp")), (640, 480))
    for second in range(150):
        writer.write(animal if second % 100 < 20 else np.full_like(animal, 120))
    writer.release()
    return path


def test_visits_of_a_recording_without_a_time_have_none(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    assert main(["watch", "--source", str(night), "--fast", "--no-motion", "--store", store, "--visits"]) == 0
    assert "visit: dog, 100 s after the start of the recording" in capsys.readouterr().out
    assert main(["events", "--store", store, "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["time_basis"], second["time_basis"]) == ("unknown", "unknown")
    assert (first["start"], second["end"]) == (None, None)
    assert second["monotonic_s"] - first["monotonic_s"] == pytest.approx(100, abs=2)
    assert b"DateTime" not in (tmp_path / "store" / first["picture"]).read_bytes()[:1000]
    words = ["--camtrap-dp", str(tmp_path / "p.zip"), "--latitude", "1", "--longitude", "1", "--contributor", "x"]
    assert main(["events", "--store", store, *words]) == 1
    assert "nothing to write" in capsys.readouterr().err


def test_visits_of_a_recording_have_the_time_of_its_container(
    night: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(night.read_bytes())
    text = b"Sat Jun 09 14:21:07 2012\n\0"
    chunk = b"IDIT" + len(text).to_bytes(4, "little") + text  # as a camera has it, at the end of the header
    size = int.from_bytes(content[16:20], "little")  # of the list "hdrl"
    content[20 + size : 20 + size] = chunk
    content[16:20] = (size + len(chunk)).to_bytes(4, "little")
    content[4:8] = (int.from_bytes(content[4:8], "little") + len(chunk)).to_bytes(4, "little")
    clip, store = tmp_path / "clip.avi", str(tmp_path / "store")
    clip.write_bytes(content)
    assert main(["watch", "--source", str(clip), "--fast", "--no-motion", "--store", store]) == 0
    capsys.readouterr()
    assert main(["events", "--store", store, "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["time_basis"], second["time_basis"]) == ("clock", "clock")
    starts = [datetime.fromisoformat(visit["start"]) for visit in (first, second)]
    assert starts[0] - datetime(2012, 6, 9, 14, 21, 7).astimezone() < timedelta(seconds=3)
    assert (starts[1] - starts[0]).total_seconds() == pytest.approx(100, abs=2)
    words = ["--camtrap-dp", str(tmp_path / "p.zip"), "--latitude", "1", "--longitude", "1", "--contributor", "x"]
    assert main(["events", "--store", store, *words]) == 0
    with zipfile.ZipFile(tmp_path / "p.zip") as package:
        (row,) = csv.DictReader(io.StringIO(package.read("deployments.csv").decode()))
    assert row["deploymentStart"].startswith("2012-06-09")
    assert row["timestampIssues"] == "false"
    assert row["deploymentComments"] == "Watched 0.04 h of 0.04 h. Never blind."


def test_a_folder_of_pictures_is_not_watched_into_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "1.webp").write_bytes((DEMO_FRAMES / "dog_1.webp").read_bytes())
    assert main(["watch", "--source", str(card), "--store", str(tmp_path / "store")]) == 1
    told = capsys.readouterr().err
    assert "give no visits" in told
    assert f"trailcam card {card} --store DIR" in told
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
    assert f"trailcam card {tmp_path}" in printed.err  # what gives visits


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
