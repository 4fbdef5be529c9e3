"""Take frames of a clip at equal distances."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trailcam_core.errors import SourceError
from trailcam_core.images.resize import Image
from trailcam_edge.sources.video import VideoSource


@dataclass(frozen=True, eq=False)
class SampledFrame:
    """One frame: its number and position in the clip, and its upright (H, W, 3) uint8 RGB image."""

    number: int
    at_s: float
    image: Image


class ClipSample:
    """The frames of one clip; ``problem`` names holes and a missing end once ``frames`` is at its end."""

    def __init__(self, path: Path, interval_s: float, max_frames: int) -> None:
        self.problem: str | None = None
        self._interval_s = interval_s
        self._max_frames = max_frames
        self._source = VideoSource(path, on_bad_frame=self._keep)
        self.rate_hz = self._source.rate_hz

    def frames(self) -> Iterator[SampledFrame]:
        """Yield the frames that are taken; the clip is read to its end, so that a damaged end is noticed.

        Raises:
            SourceError: not one frame decodes.
        """
        interval_s = max(self._interval_s, self._source.stated_s / self._max_frames)
        start_s, taken = None, 0
        with self._source:
            for frame in self._source.frames():
                start_s = frame.timestamp_s if start_s is None else start_s
                at_s = frame.timestamp_s - start_s
                if taken < self._max_frames and at_s + 1e-3 >= taken * interval_s:
                    taken += 1
                    yield SampledFrame(frame.sequence, at_s, frame.image)
                frame.give_back()

    def _keep(self, error: SourceError) -> None:
        self.problem = str(error) if self.problem is None else self.problem


def sample_clip(path: Path, interval_s: float, max_frames: int) -> ClipSample:
    """Open a clip; its decoder is a child process.

    Args:
        path: the file.
        interval_s: between two frames.
        max_frames: of one clip; the interval of a longer clip grows.

    Raises:
        SourceError: it cannot be opened as a video.
    """
    return ClipSample(path, interval_s, max_frames)
