"""Frame sources: order, numbers, colours, and what happens when files are bad."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.sources import DEMO_FRAMES, FolderSource, list_pictures, open_source

RED = (255, 0, 0)


def refuse(error: SourceError) -> None:
    raise error


def write_picture(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((48, 64, 3), colour[::-1], np.uint8)
    assert cv2.imwrite(str(path), image)


def write_video(path: Path, levels: list[int]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))  # OpenCV writes blue first
    writer.release()


def test_folder_delivers_pictures_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.jpg", "a/b.JPEG", ".hidden/c.jpg", "notes.txt"):
        if name == "notes.txt":
            (tmp_path / name).write_text("x")
        else:
            write_picture(tmp_path / name, RED)
    assert [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)] == ["a/b.JPEG", "a/z.jpg", "b.png"]
    with open_source(str(tmp_path), refuse) as source:
        frames = list(source.frames())
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert [frame.name for frame in frames] == ["a/b.JPEG", "a/z.jpg", "b.png"]
    assert [frame.timestamp_s for frame in frames] == sorted(frame.timestamp_s for frame in frames)


def test_a_folder_follows_links_and_names_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "card").mkdir()
    write_picture(tmp_path / "real" / "a.png", RED)
    (tmp_path / "card" / "IMG_1.HEIC").write_bytes(b"")
    with pytest.raises(SourceError, match=r"holds no picture .* 1 photograph \(.heic\) is left out: IMG_1.HEIC"):
        list_pictures(tmp_path / "card")
    (tmp_path / "card" / "station").symlink_to("../real")
    (tmp_path / "card" / "loop").symlink_to(".")
    (tmp_path / "card" / "lost.jpg").symlink_to("nowhere")
    bad: list[SourceError] = []
    with open_source(str(tmp_path / "card"), bad.append) as source:
        assert [frame.name for frame in source.frames()] == ["station/a.png"]
    assert "IMG_1.HEIC" in caplog.text
    assert [str(error).endswith("lost.jpg: cannot be read (No such file or directory).") for error in bad] == [True]


def test_pictures_and_videos_come_as_rgb(tmp_path: Path) -> None:
    write_picture(tmp_path / "red.png", RED)
    write_video(tmp_path / "blue.avi", [255])
    with open_source(str(tmp_path), refuse) as source:
        red = next(iter(source.frames())).image
    with open_source(str(tmp_path / "blue.avi"), refuse) as source:
        blue = next(iter(source.frames())).image
    assert red[24, 32].tolist() == [255, 0, 0]
    assert blue[24, 32, 2] > 200 > 60 > blue[24, 32, 0]


def test_an_unreadable_picture_is_reported_and_keeps_its_number(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", RED)
    (tmp_path / "2.png").write_bytes(b"broken")
    write_picture(tmp_path / "3.png", RED)
    told: list[SourceError] = []
    frames = list(FolderSource(tmp_path, told.append).frames())
    assert [frame.sequence for frame in frames] == [0, 2]
    assert len(told) == 1
    assert "2.png" in str(told[0])


def test_video_delivers_every_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi", [0, 80, 160, 240])
    with open_source(str(tmp_path / "clip.avi"), refuse) as source:
        levels = [int(frame.image[24, 32, 2]) for frame in source.frames()]
    assert np.allclose(levels, [0, 80, 160, 240], atol=12)


def test_video_that_is_cut_off_delivers_what_it_has_and_reports_the_rest(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi", [10 * step for step in range(20)])
    whole = (tmp_path / "clip.avi").read_bytes()
    (tmp_path / "clip.avi").write_bytes(whole[: len(whole) * 3 // 4])
    frames = []
    with (
        open_source(str(tmp_path / "clip.avi"), refuse) as source,
        pytest.raises(SourceError, match=r"clip\.avi: about \d+ of 20 frames do not decode.*cut off or damaged"),
    ):
        frames.extend(frame.sequence for frame in source.frames())
    assert 0 < len(frames) < 20


def test_video_without_a_frame_says_so(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.avi", [10 * step for step in range(20)])
    (tmp_path / "clip.avi").write_bytes((tmp_path / "clip.avi").read_bytes()[:600])
    with pytest.raises(SourceError, match=r"clip\.avi"), open_source(str(tmp_path / "clip.avi"), refuse) as source:
        list(source.frames())


def test_demo_is_a_source_in_the_order_of_its_list() -> None:
    with open_source("demo", refuse) as source:
        frames = list(source.frames())
    listed = json.loads((DEMO_FRAMES / "frames.json").read_text(encoding="utf-8"))
    assert [frame.name for frame in frames] == [entry["file"] for entry in listed]
    assert {max(frame.image.shape) for frame in frames} == {451, 480, 640}


def test_an_empty_folder_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no picture.*Name a folder"):
        open_source(str(tmp_path), refuse)


def test_a_source_that_cannot_be_looked_at_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="File name too long"):
        open_source(f"{tmp_path}/{'x' * 300}", refuse)
    for empty in ("", " "):
        with pytest.raises(SourceError, match="name of the source is empty"):
            open_source(empty, refuse)

    def forbid(_: Path) -> bool:
        raise PermissionError(13, "Permission denied", "clip.mp4")  # root may read everything

    monkeypatch.setattr(Path, "is_dir", forbid)
    with pytest.raises(SourceError, match=r"clip.mp4: cannot be read \(Permission denied\)\. Check the path"):
        open_source("clip.mp4", refuse)
