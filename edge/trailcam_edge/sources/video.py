"""Video files: at their own pace like a camera, or every frame as fast as it is taken."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from trailcam_core.errors import SourceError
from trailcam_core.files.names import counted
from trailcam_edge.sources.frame import Delivery, Frame, OnBadFrame
from trailcam_edge.sources.opencv_capture import BufferPool
from trailcam_edge.sources.orientation import UNCHANGED, Orientation
from trailcam_edge.sources.pixels import PackedPixels
from trailcam_edge.sources.video_decoder import VideoDecoder

_log = logging.getLogger(__name__)
_LIKELY_RATE_HZ = 25.0  # if the file states none, or an implausible one
_RATES_HZ = (0.1, 1000.0)
_MAX_STEP_S = 10.0  # between two frames; above it the time stamps of the file are damaged
_MOST_STATED = 1e9  # frames that a container may state and be believed
_CUT_SHARE, _CUT_S = 0.05, 1.0  # a file that ends earlier than it states by both is cut off


def _log_error(error: SourceError) -> None:
    _log.error("%s", error)


class VideoSource:
    """A video file, decoded in a child process.

    Args:
        path: the file.
        fast: every frame, as fast as they are read; timestamps are those of the recording. Otherwise frames arrive at
            the pace of the recording, and a frame that is not read in time is dropped.
        orientation: mounting orientation of the camera.
        sleep: waits for a number of seconds.
        on_bad_frame: called with the error of frames that do not decode; those after them are read.

    ``rate_hz`` is the frame rate that the file states, or a likely one.

    Raises:
        SourceError: the file cannot be opened as a video, or not one frame of it decodes.
    """

    def __init__(
        self,
        path: Path,
        fast: bool = True,
        orientation: Orientation | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_bad_frame: OnBadFrame = _log_error,
    ) -> None:
        self.delivery: Delivery = "recording" if fast else "live"
        self._path = path
        self._orientation = orientation or UNCHANGED
        self._sleep = sleep
        self._on_bad_frame = on_bad_frame
        self._lost = 0
        self._decoder = VideoDecoder(path)
        if not self._decoder.is_open:
            self._decoder.close()
            if self._decoder.death is not None:
                raise SourceError(self._describe_death(0))
            raise SourceError(f"{path}: cannot be opened as a video. It may be damaged, or of a format FFmpeg lacks.")
        rate_hz = self._decoder.rate_hz
        self.rate_hz = rate_hz if _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1] else _LIKELY_RATE_HZ

    @property
    def stated_s(self) -> float:
        """The length that the file states, in seconds; 0 if it states none, or an implausible one."""
        stated = self._decoder.stated_frames
        return stated / self.rate_hz if 0 < stated < _MOST_STATED else 0.0

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, upright as the file states."""
        pool = BufferPool()
        sequence = 0
        timestamp_s = time.monotonic()
        position_s = 0.0
        while (frame := self._decoder.read(pool.take())) is not None:
            previous_s, position_s = position_s, frame.position_s
            if sequence:
                timestamp_s += self._step_s(position_s - previous_s)
            if frame.after_damage:
                self._report_hole(sequence, position_s - previous_s, frame.death)
            if self.delivery == "live":
                self._sleep(max(0.0, timestamp_s - time.monotonic()))
            name = f"{self._path.name} #{sequence}"
            pixels = PackedPixels(frame.image, "BGR", self._orientation)
            yield Frame(pixels, timestamp_s, sequence, name, give_back=partial(pool.give_back, frame.image))
            sequence += 1
        self._report_end(sequence, position_s)

    def _report_hole(self, sequence: int, gap_s: float, death: str | None) -> None:
        lost = max(1, round(gap_s * self.rate_hz) - bool(sequence)) if 0 < gap_s < float("inf") else 1
        self._lost += lost
        problem = f"damaged before frame {sequence}: about {lost} frames do not decode and were left out"
        if death is not None:
            problem = f"the video made its decoder {death} before frame {sequence}: about {lost} frames were left out"
        self._on_bad_frame(SourceError(f"{self._path}: {problem}."))

    def _report_end(self, frames: int, position_s: float) -> None:
        """Report a decoder that died, or a file that ends early.

        Raises:
            SourceError: there was no frame at all.
        """
        if self._decoder.death is not None:
            error = SourceError(self._describe_death(frames))
            if not frames:
                raise error
            self._on_bad_frame(error)
        elif not frames:
            raise SourceError(f"{self._path}: opens as a video, but not one frame of it decodes. It may be cut off.")
        else:
            self._report_missing(frames, position_s)

    def _report_missing(self, frames: int, position_s: float) -> None:
        """Report a file that ends earlier than it states, or has fewer frames because FFmpeg passed over some."""
        stated = self._decoder.stated_frames
        stated_s = stated / self.rate_hz
        missing = round(stated) - frames - self._lost if stated < _MOST_STATED else 0
        end_s = max(position_s, frames / self.rate_hz)  # after damage the last frame may state the position 0
        if end_s + max(_CUT_S, _CUT_SHARE * stated_s) < stated_s:
            problem = f"ends after frame {frames - 1}, at {end_s:.1f} s of {stated_s:.1f} s"
            if self._decoder.has_errors and missing > 0:
                problem += f", or has holes: about {missing} frames are missing"
        elif missing > 0 and self._decoder.has_errors:
            problem = f"about {missing} of {stated:.0f} frames do not decode and were left out"
        else:
            return
        self._on_bad_frame(SourceError(f"{self._path}: {problem}. It is cut off or damaged: copy it again."))

    def _describe_death(self, frames: int) -> str:
        place = (
            f"after frame {frames - 1}; {counted(frames, 'frame')} up to it count"
            if frames
            else "before its first frame"
        )
        return f"{self._path}: the video made its decoder {self._decoder.death} {place}. Copy the damaged file again."

    def _step_s(self, stated_s: float) -> float:
        """Return the time between two frames: as the container states it if that is plausible."""
        return stated_s if 0 < stated_s <= _MAX_STEP_S else 1 / self.rate_hz

    def __enter__(self) -> Self:
        """Return the source, whose file is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._decoder.close()
