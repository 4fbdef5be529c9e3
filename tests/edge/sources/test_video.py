"""Video files at their own pace and as fast as possible."""

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from trailcam_core.errors import SourceError
from trailcam_edge.sources import Orientation, VideoSource, open_source


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


def _write(path: Path, codec: str, frames: int = 60) -> Path:
    """Write a video of noise whose frames compress to about the same size."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (160, 120))
    for number in range(frames):
        writer.write(np.roll(noise, number, axis=1))
    writer.release()
    return path


def _damage(path: Path, start: float, length: float) -> None:
    content = bytearray(path.read_bytes())
    begin, size = int(len(content) * start), int(len(content) * length)
    content[begin : begin + size] = bytes(size)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4", "clip.mkv"])
def test_the_frames_after_a_hole_are_read_and_the_lost_ones_reported(tmp_path: Path, name: str) -> None:
    clip = _write(tmp_path / name, "MJPG" if name.endswith(".avi") else "mp4v")
    sound: list[SourceError] = []
    with VideoSource(clip, on_bad_frame=sound.append) as source:
        assert len(list(source.frames())) == 60
    assert not sound
    _damage(clip, 0.4, 0.2)
    bad: list[SourceError] = []
    with VideoSource(clip, on_bad_frame=bad.append) as source:
        frames = list(source.frames())
    assert 25 < len(frames) < 60
    assert any(name in str(error) and "damaged" in str(error) for error in bad)


def test_a_recording_that_was_cut_off_says_where(tmp_path: Path) -> None:
    clip = _write(tmp_path / "clip.avi", "MJPG")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    bad: list[SourceError] = []
    with VideoSource(clip, on_bad_frame=bad.append) as source:
        frames = len(list(source.frames()))
        source._report_missing(frames, 0.0)  # as after damage, where the last frame states no position
    assert 20 < frames < 40
    assert [f"ends after frame {frames - 1}, at" in str(error) for error in bad] == [True, True]
    assert f"at {frames / source.rate_hz:.1f} s of" in str(bad[1])


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_decoder_that_dies_costs_its_file_and_no_frame_before_that(clip: Path, number: signal.Signals) -> None:
    bad: list[SourceError] = []
    with VideoSource(clip, on_bad_frame=bad.append) as source:
        frames = source.frames()
        next(frames).give_back()
        os.kill(source._decoder._child.pid, number)
        rest = len(list(frames))
    assert rest <= 2  # what it had decoded before
    assert len(bad) == 1
    assert f"clip.avi: the video made its decoder {'abort' if number == 6 else 'crash'} ({number.name}) after" in str(
        bad[0]
    )


def test_a_decoder_that_dies_is_followed_by_one_behind_the_hole(tmp_path: Path) -> None:
    path = tmp_path / "long.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(60):
        writer.write(np.full((48, 64, 3), 4 * number, np.uint8))
    writer.release()
    bad: list[SourceError] = []
    found: list[tuple[int, float]] = []  # number of the frame, seconds from the first
    start_s = 0.0
    with VideoSource(path, on_bad_frame=bad.append) as source:
        for frame in source.frames():
            start_s = frame.timestamp_s if not found else start_s
            found.append((round(frame.image.mean() / 4), frame.timestamp_s - start_s))
            frame.give_back()
            if frame.sequence == 5:
                os.kill(source._decoder._child.pid, signal.SIGABRT)
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers))
    assert numbers[:6] == [0, 1, 2, 3, 4, 5]
    assert numbers[-1] == 59
    assert 36 <= len(numbers) < 60
    assert [at_s for _, at_s in found] == pytest.approx([number / 10 for number in numbers])
    (error,) = bad
    assert f"abort (SIGABRT) before frame {next(k for k, n in enumerate(numbers) if n > k)}: about" in str(error)
    assert f"about {60 - len(numbers)} frames were left out" in str(error)


def test_a_decoder_that_dies_before_the_first_frame_is_an_error(clip: Path) -> None:
    with VideoSource(clip) as source:
        source._decoder._child.kill()
        source._decoder._child.wait()
        source._decoder._receive(10_000)  # what it had sent
        with pytest.raises(SourceError, match=r"crash \(SIGKILL\) before its first frame"):
            next(source.frames())


def test_a_video_on_which_opencv_may_abort_ends_at_most_its_decoder(shared_data: Path) -> None:
    """OpenCV aborts on this file on some Pythons and runs, and reads it to its end on others."""
    clip = shared_data / "field" / "clips" / "aborts_opencv.avi"
    bad: list[SourceError] = []
    frames = 0
    try:
        with open_source(str(clip), bad.append) as source:
            for frame in source.frames():
                frames += 1
                frame.give_back()
    except SourceError as error:
        bad.append(error)
    assert all(str(clip) in str(error) and "made its decoder" in str(error) for error in bad)
    assert len(bad) <= 5  # its first death, and those of the decoders that begin behind it
    assert frames > 1 or bad


def test_the_frames_of_a_video_outlive_it(clip: Path) -> None:
    with VideoSource(clip) as source:
        frames = list(source.frames())
    levels = [int(frame.image.mean()) for frame in frames]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=3)


def test_a_video_whose_frames_grow_is_read(tmp_path: Path) -> None:
    """A concatenation of two Motion JPEG streams, as cameras write that change their resolution."""
    pictures = [np.full(size, 90, np.uint8) for size in ((48, 64, 3), (96, 128, 3))]
    clip = tmp_path / "grows.mjpeg"
    clip.write_bytes(b"".join(cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures for _ in range(3)))
    with VideoSource(clip) as source:
        shapes = [frame.image.shape for frame in source.frames()]
    assert shapes[0] == (48, 64, 3)
    assert len(shapes) >= 3


def test_a_video_with_a_name_that_is_not_utf8_is_read(clip: Path) -> None:
    strange = clip.rename(os.fsdecode(os.fsencode(clip.parent) + b"/f\xfcchs.avi"))
    with VideoSource(strange) as source:
        assert len(list(source.frames())) == 5
