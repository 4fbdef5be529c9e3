"""Decode a video file in a child process, because a damaged file can abort OpenCV and with it the process.

The child decodes into two slots of a shared memory file and announces each frame on its stdout; the parent copies the
frame and answers with one byte on the stdin of the child, which frees the slot. So the child decodes the next frame
while the parent uses the last one. A child that dies is followed by one that begins behind the frame where it died.
"""

import mmap
import os
import select
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_core.files.child_reader import describe_death
from trailcam_edge.sources.opencv_capture import open_ffmpeg

_OPENED = struct.Struct("<?dd")  # is open, frame rate, number of frames that the container states
_FRAME = struct.Struct("<QIIdI")  # offset in the memory, height, width, position in s, failed reads before it
_END = _FRAME.pack(0, 0, 0, 0.0, 0)
_CODE = f"import sys; from {__name__} import decode_file; decode_file(*sys.argv[1:])"
_SLOTS = 2
_SILENCE_S = 60.0  # FFmpeg gives up a read after 5 s
_MOST_PX = 64_000_000  # of a stated size that is believed before the first frame
_MOST_FAILURES = 60  # in a row, where the container states more frames
_MOST_RESTARTS = 4  # of the child, each twice as far behind the frame where the last one died
_SEEK_FRAMES = 18  # OpenCV decodes from 16 frames before the place that it was asked for, and from a key frame

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One frame: (H, W, 3) uint8 BGR, its position in the recording, and whether frames before it did not decode.

    ``death`` is the end of the child that decoded the frame before it.
    """

    image: Picture
    position_s: float
    after_damage: bool
    death: str | None = None


class VideoDecoder:
    """The child process of one video file.

    ``is_open`` is False if FFmpeg cannot open the file. ``rate_hz`` and ``stated_frames`` are those of the container,
    which may be wrong. ``death`` is the end of a child that did not reach the end of the file, if no frame behind it
    was read.
    """

    def __init__(self, path: Path) -> None:
        self.death: str | None = None
        self._path = path
        self._descriptor = _open_memory()
        self._memory: mmap.mmap | None = None
        self._errors = _open_memory()
        self._descriptors = [self._descriptor, self._errors]
        self._position_s = 0.0  # of the last frame
        self._restarts = 0
        self._start(0.0)
        opened = self._receive(_OPENED.size)
        self.is_open, self.rate_hz, self.stated_frames = _OPENED.unpack(opened) if opened else (False, 0.0, 0.0)

    def _start(self, at_s: float) -> None:
        """Start a child that decodes from a position on."""
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, str(self._path), str(self._descriptor), str(at_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,  # FFmpeg writes thousands of lines about a damaged file
            bufsize=0,
            pass_fds=(self._descriptor,),
            process_group=0,  # Ctrl-C reaches the parent, which ends the child
        )

    def read(self, buffer: Picture | None) -> DecodedFrame | None:
        """Return the next frame, copied into ``buffer`` if that has its size; None at the end or after ``death``."""
        record = self._receive_frame()
        if not record or record == _END:
            return None
        offset, height, width, position_s, failures = _FRAME.unpack(record)
        death, self.death = self.death, None
        self._position_s = position_s
        size = 3 * height * width
        if self._memory is None or offset + size > len(self._memory):
            self._memory = mmap.mmap(self._descriptor, 0)
        image = np.frombuffer(self._memory, np.uint8, size, offset).reshape(height, width, 3)
        if buffer is None or buffer.shape != image.shape:
            buffer = np.empty_like(image)
        np.copyto(buffer, image)
        self._free_slot()
        return DecodedFrame(buffer, position_s, failures > 0 or death is not None, death)

    def _receive_frame(self) -> bytes:
        """Return the record of the next frame, or of the end; of a new child if this one dies."""
        record = self._receive(_FRAME.size)
        while not record and self._start_behind_hole():
            record = self._receive(_FRAME.size)
            while record and record != _END and _FRAME.unpack(record)[3] <= self._position_s:  # it could not seek
                self._free_slot()
                record = self._receive(_FRAME.size)
        return record

    def _start_behind_hole(self) -> bool:
        """Start a child behind the frame where the last one died; return whether it opens the file there."""
        rate_hz = self.rate_hz if 1 <= self.rate_hz <= 1_000 else 25.0
        at_s = self._position_s + max(1.0, _SEEK_FRAMES / rate_hz) * 2**self._restarts
        if self._restarts >= _MOST_RESTARTS or at_s >= self.stated_frames / rate_hz:
            return False
        self._restarts += 1
        self._end_child()
        self._start(at_s)
        return bool(self._receive(_OPENED.size))

    @property
    def has_errors(self) -> bool:
        """True if FFmpeg reported errors up to now."""
        return os.fstat(self._errors).st_size > 0

    def close(self) -> None:
        """End the child."""
        self._end_child()
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _end_child(self) -> None:
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        self._child.kill()
        self._child.wait()

    def _free_slot(self) -> None:
        assert self._child.stdin is not None  # noqa: S101 - a pipe was asked for; for the type checker
        try:
            self._child.stdin.write(b".")
        except OSError:  # the child died: the next read reports it
            return

    def _receive(self, size: int) -> bytes:
        """Return a record of the child; nothing, and ``death`` is set, if it died or hangs."""
        assert self._child.stdout is not None  # noqa: S101 - see above
        content = b""
        while len(content) < size:
            if not select.select([self._child.stdout], [], [], _SILENCE_S)[0]:
                self._child.kill()
                self.death = f"hang for {_SILENCE_S:.0f} s"
                return b""
            piece = self._child.stdout.read(size - len(content))
            if not piece:
                status = self._child.wait()
                self.death = describe_death(status) or f"end with exit code {status}"
                return b""
            content += piece
        return content


def _open_memory() -> int:
    """Return the descriptor of an anonymous file in memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("trailcam-video")
    with tempfile.TemporaryFile() as file:  # on macOS
        return os.dup(file.fileno())


class _Slots:
    """The side of the child: where to decode the next frame, and the announcement of frames."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._memory: mmap.mmap | None = None
        self._shape: tuple[int, ...] = (0, 0, 0)
        self._next = 0
        self._free = _SLOTS
        self._records = os.dup(1)
        os.dup2(2, 1)  # a library that prints does not reach the records

    def send(self, record: bytes) -> None:
        os.write(self._records, record)  # shorter than PIPE_BUF: written whole

    def buffer(self) -> Picture | None:
        """Return the next slot as an array of the last shape, once it is free; None before the first frame."""
        if self._memory is None:
            return None
        self._wait_for(1)
        size = int(np.prod(self._shape))
        return np.frombuffer(self._memory, np.uint8, size, self._next * self._stride).reshape(self._shape)

    @property
    def _stride(self) -> int:
        return 0 if self._memory is None else len(self._memory) // _SLOTS

    def make_room(self, shape: tuple[int, ...]) -> None:
        """Take frames of this shape from now on, in larger slots if need be."""
        self._shape = shape
        size = int(np.prod(shape))
        if size > self._stride:
            self._wait_for(_SLOTS)
            page = mmap.ALLOCATIONGRANULARITY
            os.ftruncate(self._descriptor, _SLOTS * (-(-size // page) * page))
            self._memory = mmap.mmap(self._descriptor, 0)

    def announce(self, image: Picture, slot: Picture | None, position_s: float, failures: int) -> None:
        """Put a frame into its slot, unless it was decoded into it, and announce it."""
        if slot is None or not np.may_share_memory(image, slot):
            self.make_room(image.shape)
            slot = self.buffer()
            assert slot is not None  # noqa: S101 - the memory is mapped; for the type checker
            np.copyto(slot, image)
        height, width = image.shape[:2]
        self.send(_FRAME.pack(self._next * self._stride, height, width, position_s, failures))
        self._next = (self._next + 1) % _SLOTS
        self._free -= 1

    def _wait_for(self, slots: int) -> None:
        while self._free < slots:
            if not os.read(0, 1):
                sys.exit(0)  # the parent is gone
            self._free += 1


def _decode(capture: Any, slots: _Slots, stated: float) -> None:
    """Announce every frame that decodes; where the container states more frames, go on after a failed read."""
    height, width = (int(capture.get(size)) for size in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
    if 0 < height * width <= _MOST_PX:
        slots.make_room((height, width, 3))
    sent = failures = 0
    while failures <= max(0, min(_MOST_FAILURES, stated - sent)):
        slot = slots.buffer()
        taken, image = capture.read(slot)
        if not taken:
            failures += 1
            continue
        slots.announce(image, slot, float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3, failures)
        sent, failures = sent + 1, 0
    slots.send(_END)


def decode_file(name: str, descriptor: str, at_s: str) -> None:
    """Be the child: decode a video from a position on into the memory file of the parent."""
    slots = _Slots(int(descriptor))
    try:
        name.encode()
    except UnicodeEncodeError:  # OpenCV takes UTF-8 names only
        name = f"/dev/fd/{os.open(name, os.O_RDONLY)}"
    capture = open_ffmpeg(name)
    stated = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    slots.send(_OPENED.pack(capture.isOpened(), float(capture.get(cv2.CAP_PROP_FPS)), stated))
    if float(at_s) > 0:
        capture.set(cv2.CAP_PROP_POS_MSEC, 1e3 * float(at_s))
    if capture.isOpened():
        _decode(capture, slots, stated if np.isfinite(stated) else 0.0)
