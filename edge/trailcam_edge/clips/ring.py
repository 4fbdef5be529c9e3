"""The newest compressed frames of a camera, bounded in seconds and in bytes. Not for several threads at a time."""

from collections import deque
from dataclasses import dataclass, field

JPEG, H264 = "jpeg", "h264"


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """One compressed frame. ``at_s`` is monotonic, ``size_px`` width and height.

    ``content`` is a JPEG, or one picture of H.264 in the byte stream format (ITU-T H.264, annex B); such a picture can
    be decoded by itself only if ``is_key``.
    """

    at_s: float
    content: bytes = field(repr=False)
    size_px: tuple[int, int]
    kind: str = JPEG
    is_key: bool = True


class Ring:
    """Frames in the order of their time.

    Args:
        max_s: age of the oldest frame before the newest; ``keep_from`` may ask for more.
        max_bytes: of all frames together; beyond it the oldest go.
    """

    def __init__(self, max_s: float, max_bytes: int) -> None:
        self._max_s = max_s
        self._max_bytes = max_bytes
        self._frames: deque[ClipFrame] = deque()
        self.size_bytes = 0

    @property
    def newest_s(self) -> float:
        """Time of the newest frame, minus infinity without any."""
        return self._frames[-1].at_s if self._frames else float("-inf")

    def add(self, frame: ClipFrame, keep_from: float = float("inf")) -> None:
        """Add a frame; one that is not newer than the newest is dropped.

        One that is older by more than ``max_s`` shows that the time of the newest was wrong: the ring begins anew.

        Args:
            frame: to add. After a frame of another kind the former ones are dropped: they are of another stream.
            keep_from: no frame from this time on is dropped because of its age.
        """
        is_far_back = frame.at_s < self.newest_s - self._max_s
        if frame.at_s <= self.newest_s and not is_far_back:
            return
        if is_far_back or (self._frames and self._frames[-1].kind != frame.kind):
            self.clear()
        self._frames.append(frame)
        self.size_bytes += len(frame.content)
        oldest_s = min(frame.at_s - self._max_s, keep_from)
        while self._frames[0].at_s < oldest_s or (self.size_bytes > self._max_bytes and len(self._frames) > 1):
            self.size_bytes -= len(self._frames.popleft().content)

    def between(self, first_s: float, last_s: float) -> tuple[ClipFrame, ...]:
        """Return the frames from one time to another; the first of them can be decoded by itself.

        Of H.264 that is the last key frame at or before ``first_s``, or else the first one after it.
        """
        frames = [frame for frame in self._frames if frame.at_s <= last_s]
        within = next((number for number, frame in enumerate(frames) if frame.at_s >= first_s), None)
        if within is None:
            return ()
        keys = [number for number, frame in enumerate(frames) if frame.is_key]
        start = max((number for number in keys if number <= within), default=min(keys, default=len(frames)))
        return tuple(frames[start:])

    def clear(self) -> None:
        """Drop all frames."""
        self._frames.clear()
        self.size_bytes = 0
