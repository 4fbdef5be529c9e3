"""The encoder process: whole files or a reason, never a part of one."""

import io
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from trailcam_core.errors import DeviceError
from trailcam_edge.clips.encoder import Encoder
from trailcam_edge.clips.ring import H264, ClipFrame
from trailcam_edge.clips.settings import ClipSettings

from .conftest import MakeFrames, needs_av

SETTINGS = ClipSettings()


def probe(content: bytes) -> tuple[str, int, tuple[int, int], float]:
    """Return codec, number of frames, size and duration in s of a video."""
    import av

    with av.open(io.BytesIO(content)) as video:
        stream = video.streams.video[0]
        frames = list(video.decode(video=0))
        seconds = float((frames[-1].pts - frames[0].pts) * stream.time_base)
        return stream.codec_context.name, len(frames), (frames[0].width, frames[0].height), seconds


@needs_av
def test_a_clip_has_every_frame_at_its_time_and_its_index_in_front(make_frames: MakeFrames) -> None:
    frames = make_frames(20)
    frames[10:] = [replace(frame, at_s=frame.at_s + 3) for frame in frames[10:]]  # the camera was silent for 3 s
    content = Encoder(SETTINGS).encode(frames)
    codec, number, size, seconds = probe(content)
    assert (codec, number, size) == ("h264", 20, (128, 72))
    assert seconds == pytest.approx(19 * 0.125 + 3, abs=0.002)
    assert content[4:8] == b"ftyp"
    assert content.index(b"moov") < content.index(b"mdat")


@needs_av
def test_a_camera_that_changes_its_size_keeps_the_size_of_the_first_frame(make_frames: MakeFrames) -> None:
    frames = [*make_frames(4, size=(129, 73)), *make_frames(4, size=(64, 48), first_s=101)]
    assert probe(Encoder(SETTINGS).encode(frames))[1:3] == (8, (128, 72))  # chroma needs even sides


@needs_av
def test_a_damaged_frame_is_left_out(make_frames: MakeFrames) -> None:
    frames = make_frames(5)
    frames[2] = replace(frames[2], content=b"no picture")
    assert probe(Encoder(SETTINGS).encode(frames))[1] == 4
    with pytest.raises(DeviceError, match=r"its encoder failed .*no frame can be decoded"):
        Encoder(SETTINGS).encode([frames[2]])


@needs_av
def test_two_frames_of_one_millisecond_are_two_frames(make_frames: MakeFrames) -> None:
    assert probe(Encoder(SETTINGS).encode(make_frames(3, step_s=0.0)))[1] == 3


@needs_av
def test_the_bit_rate_is_a_limit() -> None:
    import cv2
    import numpy as np

    noise = np.random.default_rng(1)
    frames = [
        ClipFrame(
            number / 8, bytes(cv2.imencode(".jpg", noise.integers(0, 256, (180, 320, 3), np.uint8))[1]), (320, 180)
        )
        for number in range(32)
    ]
    content = Encoder(replace(SETTINGS, max_kbit_s=200)).encode(frames)
    assert len(content) < 2 * 200_000 / 8 * 4  # 4 s; noise alone would take 1.3 MB


@needs_av
def test_h264_of_a_camera_is_packed_as_it_is(make_frames: MakeFrames) -> None:
    frames = camera_h264(40)
    content = Encoder(SETTINGS).encode(frames)
    codec, number, _, seconds = probe(content)
    assert (codec, number) == ("h264", 40)
    assert seconds == pytest.approx(39 / 30, abs=0.002)


def camera_h264(number: int) -> list[ClipFrame]:
    """Return frames as the encoder of a Raspberry Pi gives them: annex B, parameter sets before each key frame."""
    import av

    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = 64, 48, "yuv420p", 30
    codec.options = {"tune": "zerolatency", "x264-params": "keyint=10:scenecut=0:repeat-headers=1:annexb=1"}
    frames = []
    for index in range(number):
        image = av.VideoFrame(64, 48, "yuv420p")
        image.pts = index
        frames += [
            ClipFrame(50 + index / 30, bytes(packet), (64, 48), H264, packet.is_keyframe)
            for packet in codec.encode(image)
        ]
    assert len(frames) == number
    return frames


def child(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def test_an_encoder_that_dies_is_named_with_its_signal(make_frames: MakeFrames) -> None:
    program = "import os, sys; sys.stdin.buffer.readline(); os.kill(os.getpid(), 9)"
    with pytest.raises(DeviceError, match=r"ended before it was whole \(crash \(SIGKILL\)\)"):
        Encoder(SETTINGS, child(program)).encode(make_frames(3))


def test_half_a_file_is_none(make_frames: MakeFrames) -> None:
    program = 'import sys; sys.stdin.buffer.read(); print(\'{"bytes": 100}\'); print("half")'
    with pytest.raises(DeviceError, match="ended before it was whole"):
        Encoder(SETTINGS, child(program)).encode(make_frames(3))


@pytest.mark.parametrize(
    "answer",
    [
        b"x264 [warning]\n",
        b"5\n",
        b"[1]\n",
        b"{}\n",
        b'{"bytes": 0}\n',
        b'{"bytes": -1}\nabc',
        b'{"bytes": NaN}\n',
        b'{"bytes": null}\n',
        b'{"bytes": 1000000000000}\nabc',
        b'{"bytes": 1e30}\n',
        b"\xff" * 5000,
    ],
)
def test_what_is_no_answer_of_an_encoder_is_one_error_that_quotes_it(make_frames: MakeFrames, answer: bytes) -> None:
    program = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"
    with pytest.raises(DeviceError, match=r"^its encoder answered b'.*', expected the size of a file$") as failed:
        Encoder(SETTINGS, child(program)).encode(make_frames(3))
    assert len(str(failed.value)) < 300


def test_a_whole_file_that_is_no_mp4_is_none(make_frames: MakeFrames) -> None:
    program = "import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(b'{\"bytes\": 100}\\n' + bytes(100))"
    with pytest.raises(DeviceError, match="its encoder answered 100 bytes that are no MP4 file"):
        Encoder(SETTINGS, child(program)).encode(make_frames(3))


def test_the_reason_of_an_encoder_is_one_line_without_control_characters(make_frames: MakeFrames) -> None:
    answer = b'{"error": "a\\nb\\u001b[31m' + b"x" * 2000 + b'"}\n'
    program = f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({answer!r})"
    with pytest.raises(DeviceError, match=r"its encoder failed \(a\\nb\\x1b\[31mx+\)") as failed:
        Encoder(SETTINGS, child(program)).encode(make_frames(3))
    assert len(str(failed.value)) < 400


@pytest.mark.parametrize("kind", ["LookupError", "RuntimeError", "AssertionError"])
def test_an_error_of_any_kind_in_the_process_arrives_with_its_words(make_frames: MakeFrames, kind: str) -> None:
    program = (
        "import sys\nfrom trailcam_edge.clips import encoder_process\n"
        f"def fail(header, frames):\n    raise {kind}('no such codec ' + 9000 * 'x')\n"
        "encoder_process.make_clip = fail\n"
        "encoder_process.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    with pytest.raises(DeviceError, match=f"its encoder failed .*{kind}: no such codec"):
        Encoder(SETTINGS, child(program)).encode(make_frames(3))


@needs_av
def test_frames_that_together_exceed_the_memory_of_the_process_are_read_one_by_one(make_frames: MakeFrames) -> None:
    """None of them is a picture, so the answer is a reason, which the process gives after the last frame."""
    program = (
        "import sys\nfrom trailcam_edge.clips import encoder_process\n"
        "encoder_process._MAX_MEMORY_BYTES = 150_000_000\n"
        "encoder_process.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    content = bytes(20_000_000)
    frames = [replace(frame, content=content) for frame in make_frames(10)]
    with pytest.raises(DeviceError, match=r"its encoder failed .*no frame can be decoded"):
        Encoder(SETTINGS, child(program)).encode(frames)


def test_a_reason_arrives_that_is_found_before_the_last_frame(make_frames: MakeFrames) -> None:
    program = (
        "import sys\nfrom trailcam_edge.clips import encoder_process\n"
        "def fail(header, frames):\n    next(frames)\n    raise RuntimeError('no such codec')\n"
        "encoder_process.make_clip = fail\n"
        "encoder_process.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    frames = [replace(frame, content=bytes(1_000_000)) for frame in make_frames(3)]
    with pytest.raises(DeviceError, match=r"its encoder failed .*RuntimeError: no such codec"):
        Encoder(SETTINGS, child(program)).encode(frames)


def test_an_encoder_that_hangs_is_killed_when_its_time_is_up(make_frames: MakeFrames) -> None:
    encoder = Encoder(replace(SETTINGS, write_timeout_s=1.0), child("import time; time.sleep(60)"))
    with pytest.raises(DeviceError, match=r"not written within 1 s \(write_timeout_s\)"):
        encoder.encode(make_frames(3))


def test_stop_ends_a_clip_that_is_being_written_and_starts_no_other(make_frames: MakeFrames) -> None:
    encoder = Encoder(SETTINGS, child("import time; time.sleep(60)"))
    timer = threading.Timer(0.5, encoder.stop)
    timer.start()
    with pytest.raises(DeviceError, match="stopped while it was written"):
        encoder.encode(make_frames(3))
    with pytest.raises(DeviceError, match="stopped before"):
        encoder.encode(make_frames(3))


def test_an_encoder_that_is_not_there_is_an_error(make_frames: MakeFrames) -> None:
    with pytest.raises(DeviceError, match="cannot be started"):
        Encoder(SETTINGS, ("/nowhere/python",)).encode(make_frames(1))


@needs_av
def test_the_process_has_the_lowest_priority_ignores_sigterm_and_is_the_first_to_end_without_memory() -> None:
    program = (
        "import io, os, sys\nfrom trailcam_edge.clips import encoder_process\n"
        "def grow(header, frames):\n"
        "    os.kill(os.getpid(), 15)\n"
        "    assert os.getpriority(os.PRIO_PROCESS, 0) == 19\n"
        "    assert open('/proc/self/oom_score_adj').read() == '1000\\n'\n"
        "    bytearray(500_000_000)\n"
        "encoder_process.make_clip = grow\n"
        "encoder_process.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    with pytest.raises(DeviceError, match=r"its encoder failed .*MemoryError"):
        Encoder(SETTINGS, child(program)).encode([ClipFrame(0.0, b"x", (1, 1))])


@needs_av
def test_a_process_that_was_killed_from_outside_leaves_nothing(make_frames: MakeFrames) -> None:
    encoder = Encoder(SETTINGS)
    killed = threading.Event()

    def kill() -> None:
        while encoder._process is None:
            time.sleep(0.01)
        os.kill(encoder._process.pid, signal.SIGKILL)
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(DeviceError, match="SIGKILL"):
        encoder.encode(make_frames(3))
    thread.join()
    assert killed.is_set()
